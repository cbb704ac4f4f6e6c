/**
 * tndconnect's option table: every option of the original in its own spelling, and what was added.
 */
import { parseHostPort, type HostPort } from '../base/address.ts';
import { OperatorError } from '../base/errors.ts';
import {
  helpText,
  parseDurationMs,
  parseOptions,
  type Options,
  type OptionStyle,
  type OptionTable,
} from '../base/options.ts';

export const STYLE: OptionStyle = { dashes: '-', hint: 'run `tndconnect -help`' };

const DAEMON_PORT = 23;
const DAY_MS = 86_400_000;
const UNTIL_MS_MIN = 1_000;
/** Longer than a week is `-consent auto` without an end. */
const UNTIL_MS_MAX = 7 * DAY_MS;

export const CONNECTOR_OPTIONS = {
  host: {
    kind: 'text',
    value: 'RELAY',
    help: "the relay's DNS name or address, as the engineer told you",
    required: true,
  },
  password: {
    kind: 'text',
    value: 'PASSWORD',
    help: 'the one-time password that the engineer told you (required); - asks for it, so that nobody sees it',
  },
  passwordFile: {
    kind: 'text',
    value: 'FILE',
    help: 'take the password from the first line of this file instead, which nobody else may read',
  },
  file: {
    kind: 'text',
    value: 'LOGFILE',
    help: 'where the visit is recorded; appended to',
    default: 'tndconnect.log',
  },
  port: {
    kind: 'integer',
    value: 'PORT',
    help: "the relay's port; try 80 when your firewall blocks 23",
    default: 23,
    min: 1,
    max: 65_535,
  },
  verbose: { kind: 'flag', help: 'tell every step, on the console and in the log' },
  target: {
    kind: 'text',
    value: 'HOST[:PORT]',
    help: 'the telnet daemon to connect, when it runs elsewhere or on another port than 23',
    default: 'localhost',
  },
  noecho: { kind: 'flag', help: 'do not show the visit on the console; the log keeps it' },
  consent: {
    kind: 'choice',
    value: 'ask|auto',
    help: 'ask before each visit, or let every engineer in who knows the session',
    choices: ['ask', 'auto'],
    default: 'ask',
  },
  until: {
    kind: 'text',
    value: 'HH:MM|TIME',
    help: 'with -consent auto: only until this hour, or for this long; then ask (default: until you take it back)',
  },
  persist: {
    kind: 'flag',
    help: 'stay after a visit, serve several at once, and come back when the connection is lost',
  },
  wait: {
    kind: 'durationMs',
    value: 'TIME',
    help: 'end when no visit began after this (without -persist)',
    default: 1_800_000,
    min: 1_000,
    max: DAY_MS,
  },
  help: { kind: 'flag', help: 'show this text; so does /?' },
} as const satisfies OptionTable;

/** When consent that is given ahead ends: at an hour of the customer's clock, or after a time. */
export type Until = { readonly hour: number; readonly minute: number } | { readonly afterMs: number };

/** Exactly one of `password` and `passwordFile` is not null. */
export type ConnectorOptions = Omit<Options<typeof CONNECTOR_OPTIONS>, 'target' | 'until'> & {
  readonly target: HostPort;
  readonly until: Until | null;
  /** As typed. */
  readonly targetText: string;
};

/** `/?` may come as a path: shells of the MSYS family (Git Bash) put the folder in front that is their root. */
const HELP = /^(-{1,2}help|-h|-\?|([A-Za-z]:[^]*)?[\\/]\?)$/;

/** The options, or null when help is asked for. Throws OperatorError. */
export function parseConnectorOptions(argv: readonly string[]): ConnectorOptions | null {
  if (argv.some((argument) => HELP.test(argument))) return null;
  const { options, operands } = parseOptions(CONNECTOR_OPTIONS, argv, STYLE);
  if (operands.length > 0) {
    // The word itself may be part of a password, so only its place is told.
    throw new OperatorError(
      `argument ${argv.indexOf(operands[0]) + 1} is neither an option nor its value (one with spaces needs quotes); ${STYLE.hint}`,
    );
  }
  checkPasswordOptions(options);
  const relay = parseHostPort(options.host, options.port);
  if (!relay || relay.host !== options.host) {
    throw new OperatorError(
      '-host takes a DNS name or an address, such as relay.example.com; the port goes to -port',
    );
  }
  const target = parseHostPort(options.target, DAEMON_PORT);
  if (!target || target.port === 0) {
    throw new OperatorError('-target takes HOST or HOST:PORT, such as localhost or 192.168.1.5:2323');
  }
  if (options.until !== null && options.consent !== 'auto')
    throw new OperatorError('-until goes with -consent auto: without it you are asked before each visit');
  const until = options.until === null ? null : parseUntil(options.until);
  return { ...options, target, targetText: options.target, until };
}

/** The end of consent given ahead, on the calendar: the next time that it is this hour, or so long from now. */
export function untilWallMs(until: Until | null, nowWallMs: number): number | null {
  if (until === null) return null;
  if ('afterMs' in until) return nowWallMs + until.afterMs;
  const end = new Date(nowWallMs);
  end.setHours(until.hour, until.minute, 0, 0);
  if (end.getTime() <= nowWallMs) end.setDate(end.getDate() + 1);
  return end.getTime();
}

function parseUntil(text: string): Until {
  const [, hour, minute] = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  if (hour !== undefined) return { hour: Number(hour), minute: Number(minute) };
  // A bare number could be an hour or seconds.
  const afterMs = /[a-z]$/.test(text) ? parseDurationMs(text) : null;
  if (afterMs === null || afterMs < UNTIL_MS_MIN || afterMs > UNTIL_MS_MAX)
    throw new OperatorError('-until takes an hour such as 18:00, or a time such as 2h, from 1s to 168h');
  return { afterMs };
}

function checkPasswordOptions({ password, passwordFile }: Options<typeof CONNECTOR_OPTIONS>): void {
  if (password === null && passwordFile === null)
    throw new OperatorError(`-password PASSWORD is required, or -password-file FILE; ${STYLE.hint}`);
  if (password !== null && passwordFile !== null)
    throw new OperatorError('-password and -password-file are both given: leave one of them out');
}

export function helpConnector(): string {
  return `tndconnect: lets a support engineer work on a telnet daemon here, through a relay, while you watch

tndconnect -host RELAY -password PASSWORD [options]

${helpText(CONNECTOR_OPTIONS, STYLE)}

Options may be written with one dash or two. Times are written 30s, 10m or 8h. Ctrl+C ends tndconnect and any visit.
`;
}
