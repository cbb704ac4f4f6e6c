/**
 * The relay's commands and their option tables: what `relayapp` accepts, and what its help and the README say.
 */
import type { OptionStyle, OptionTable } from '../base/options.ts';
import { ROLES } from './accounts.ts';
import {
  CONNECTOR_EXPIRY_MS,
  CONNECTOR_EXPIRY_MS_MAX,
  DEADLINE_LIMITS,
  PASSWORD_TTL_MS,
  PASSWORD_TTL_MS_MAX,
} from './limits.ts';

export const STYLE: OptionStyle = { dashes: '--', hint: 'run `relayapp help`' };

const HOUR_MS = 3_600_000;
const STATE = {
  kind: 'text',
  value: 'DIR',
  help: 'state directory (default $XDG_STATE_HOME/secure-telnet; /var/lib/secure-telnet for root)',
} as const;

export const SERVE_OPTIONS = {
  listen: {
    kind: 'list',
    value: 'HOST:PORT',
    help: 'where to listen; repeatable',
    default: ['*:23', '*:80'],
  },
  state: STATE,
  user: {
    kind: 'text',
    value: 'NAME',
    help: 'who to become after binding, when started as root (default secure-telnet if it exists, else nobody)',
  },
  name: {
    kind: 'text',
    value: 'NAME',
    help: "the relay's public host name, as shown to people (default: host name)",
  },
  telnetFrom: {
    kind: 'list',
    value: 'NETWORK',
    help: 'network whose engineers may speak plain telnet; repeatable (default: loopback and private networks)',
  },
  greetAfter: {
    kind: 'durationMs',
    value: 'TIME',
    help: 'silence after which a caller is taken for a telnet client and greeted',
    default: 1_000,
    min: 0,
    max: 10_000,
  },
  idleTimeout: {
    kind: 'durationMs',
    value: 'TIME',
    help: 'a visit without traffic ends after this; both people are warned a minute before',
    default: DEADLINE_LIMITS.idleMs,
    min: 1_000,
    max: 24 * HOUR_MS,
  },
  lifetime: {
    kind: 'durationMs',
    value: 'TIME',
    help: 'a visit ends after this, busy or not',
    default: DEADLINE_LIMITS.lifetimeMs,
    min: 1_000,
    max: 168 * HOUR_MS,
  },
  consentTimeout: {
    kind: 'durationMs',
    value: 'TIME',
    help: 'how long the customer has to answer',
    default: DEADLINE_LIMITS.consentMs,
    min: 1_000,
    max: 600_000,
  },
  waitTimeout: {
    kind: 'durationMs',
    value: 'TIME',
    help: 'a connected customer without a visit is let go after this',
    default: DEADLINE_LIMITS.waitMs,
    min: 1_000,
    max: 24 * HOUR_MS,
  },
  connectorExpiry: {
    kind: 'durationMs',
    value: 'TIME',
    help: 'a connector that stays (-persist) may come back without a password for this long; 0 not at all',
    default: CONNECTOR_EXPIRY_MS,
    min: 0,
    max: CONNECTOR_EXPIRY_MS_MAX,
  },
  verbose: { kind: 'flag', help: 'log every protocol step' },
} as const satisfies OptionTable;

export const USER_OPTIONS = {
  state: STATE,
  role: {
    kind: 'choice',
    value: 'ROLE',
    help: 'what the account may do: engineer, observer or admin',
    choices: ROLES,
    default: 'engineer',
  },
} as const satisfies OptionTable;

export const OTP_OPTIONS = {
  state: STATE,
  label: { kind: 'text', value: 'TEXT', help: 'what the session is about, shown in lists' },
  ttl: {
    kind: 'durationMs',
    value: 'TIME',
    help: 'how long the customer has to connect',
    default: PASSWORD_TTL_MS,
    min: 1_000,
    max: PASSWORD_TTL_MS_MAX,
  },
  secret: {
    kind: 'text',
    value: 'STRING',
    help: "the customer's secret, chosen instead of made (4 characters or more; - asks)",
  },
  bare: {
    kind: 'flag',
    help: 'with --secret: the password is that secret alone, as in the original; one at a time, and weaker',
  },
  owner: { kind: 'text', value: 'NAME', help: "whose session it is: an account's (default nobody's)" },
  json: { kind: 'flag', help: 'print one JSON object' },
} as const satisfies OptionTable;

export const SESSIONS_OPTIONS = {
  state: STATE,
  json: { kind: 'flag', help: 'print one JSON array' },
} as const satisfies OptionTable;

export const CLOSE_OPTIONS = { state: STATE } as const satisfies OptionTable;

export const CONNECTOR_OPTIONS = {
  state: STATE,
  json: { kind: 'flag', help: 'print one JSON array' },
} as const satisfies OptionTable;

/** Each command with its table, in the order in which the help shows them. */
export const COMMANDS = [
  { usage: 'relayapp serve', summary: 'run the relay', options: SERVE_OPTIONS },
  {
    usage: 'relayapp user add|list|passwd|disable|remove NAME',
    summary: "manage engineers' accounts (password from terminal or standard input)",
    options: USER_OPTIONS,
  },
  { usage: 'relayapp otp new', summary: 'make a one-time password for a customer', options: OTP_OPTIONS },
  { usage: 'relayapp sessions', summary: 'list sessions', options: SESSIONS_OPTIONS },
  { usage: 'relayapp close ID', summary: 'end a session', options: CLOSE_OPTIONS },
  {
    usage: 'relayapp connector list|revoke ID',
    summary: 'connectors that stay: list them, or end one and its visits for good',
    options: CONNECTOR_OPTIONS,
  },
] as const;
