/**
 * The management commands of `relayapp`: each reads its options, asks the running relay, and returns what to print.
 */
import type { Clock } from '../base/clock.ts';
import { OperatorError } from '../base/errors.ts';
import { helpText, parseOptions } from '../base/options.ts';
import { readNewSecret, readSecret, type Terminal } from '../base/terminal.ts';
import { escapeText, visibleText } from '../base/text.ts';
import { BARE_ODDS, chosenSecretBits, guessOdds } from '../wire/password.ts';
import { checkName, ROLES } from './accounts.ts';
import { request, type ManagedRelay } from './control-client.ts';
import { BARE_NEEDS_SECRET } from './control-protocol.ts';
import {
  CLOSE_OPTIONS,
  COMMANDS,
  CONNECTOR_OPTIONS,
  OTP_OPTIONS,
  SESSIONS_OPTIONS,
  STYLE,
  USER_OPTIONS,
} from './options.ts';
import { locateState, type Surroundings } from './state-directory.ts';

export interface CommandSurroundings extends Surroundings {
  readonly clock: Clock;
  readonly terminal: Terminal;
}

type Command = (argv: readonly string[], surroundings: CommandSurroundings) => Promise<string>;

const COMMAND_BY_NAME: ReadonlyMap<string, Command> = new Map([
  ['user', user],
  ['otp', otp],
  ['sessions', sessions],
  ['close', close],
  ['connector', connector],
]);

/** What the command prints. Rejects with OperatorError. */
export function runCommand(
  name: string,
  argv: readonly string[],
  surroundings: CommandSurroundings,
): Promise<string> {
  const command = COMMAND_BY_NAME.get(name);
  if (!command)
    throw new OperatorError(`there is no command ${JSON.stringify(name.slice(0, 40))}; ${STYLE.hint}`);
  return command(argv, surroundings);
}

export function helpRelay(): string {
  const sections = COMMANDS.map(
    ({ usage, summary, options }) => `${usage}\n    ${summary}\n${helpText(options, STYLE)}\n`,
  );
  return `relayapp: the relay of secure-telnet\n\n${sections.join('\n')}\nTimes are written 500ms, 30s, 10m or 8h.\n`;
}

async function user(argv: readonly string[], surroundings: CommandSurroundings): Promise<string> {
  const { options, operands } = parseOptions(USER_OPTIONS, argv, STYLE);
  const [act, name, ...more] = operands;
  const relay = managedRelay(options.state, surroundings);
  if (act === 'list' && name === undefined) return userList(relay);
  if (!act || !['add', 'passwd', 'disable', 'remove'].includes(act) || !name || more.length > 0) {
    throw new OperatorError(
      `usage: relayapp user add|list|passwd|disable|remove NAME [--role ${ROLES.join('|')}]`,
    );
  }
  if (act !== 'add' && options.role !== USER_OPTIONS.role.default)
    throw new OperatorError(
      '--role goes with user add; to change a role, remove the account and add it again',
    );
  switch (act) {
    case 'add': {
      checkName(name);
      const password = await readNewSecret(surroundings.terminal, `Password for ${escapeText(name)}: `);
      await request(relay, 'user-add', { name, role: options.role, password });
      return `account ${name} added, role ${options.role}\n`;
    }
    case 'passwd':
      await request(relay, 'user-passwd', {
        name,
        password: await readNewSecret(surroundings.terminal, 'New password: '),
      });
      return `password of ${name} changed\n`;
    case 'disable':
      await request(relay, 'user-disable', { name });
      return `account ${name} disabled\n`;
    default:
      await request(relay, 'user-remove', { name });
      return `account ${name} removed\n`;
  }
}

async function userList(relay: ManagedRelay): Promise<string> {
  const accounts = await request(relay, 'user-list', {});
  const rows = accounts.map(({ name, role, disabled }) => [name, role, disabled ? 'disabled' : 'enabled']);
  return table([['NAME', 'ROLE', 'STATE'], ...rows]);
}

async function otp(argv: readonly string[], surroundings: CommandSurroundings): Promise<string> {
  const { options, operands } = parseOptions(OTP_OPTIONS, argv, STYLE);
  if (operands.length !== 1 || operands[0] !== 'new')
    throw new OperatorError(`usage: relayapp otp new; ${STYLE.hint}`);
  if (options.bare && options.secret === null) throw new OperatorError(BARE_NEEDS_SECRET);
  const { terminal } = surroundings;
  const secret = options.secret === '-' ? await readSecret(terminal, 'Secret: ') : options.secret;
  const made = await request(managedRelay(options.state, surroundings), 'otp-new', {
    label: options.label ?? '',
    ttlMs: options.ttl,
    secret,
    bare: options.bare,
    owner: options.owner,
  });
  const odds = secret === null ? undefined : guessOdds(chosenSecretBits(secret));
  if (odds !== undefined) terminal.prompts.write(`relayapp: this secret is short. ${odds}\n`);
  if (options.bare) terminal.prompts.write(`relayapp: ${BARE_ODDS}\n`);
  if (options.json) return `${JSON.stringify(made)}\n`;
  return table([
    ['session', made.session],
    ['customer password', made.customerPassword],
    ['engineer password', made.engineerPassword],
    ['good until', made.expiresAt],
  ]);
}

async function sessions(argv: readonly string[], surroundings: CommandSurroundings): Promise<string> {
  const { options, operands } = parseOptions(SESSIONS_OPTIONS, argv, STYLE);
  if (operands.length > 0) throw new OperatorError('usage: relayapp sessions [--json]');
  const list = await request(managedRelay(options.state, surroundings), 'sessions', {});
  if (options.json) return `${JSON.stringify(list)}\n`;
  const rows = list.map((view) => [
    view.session,
    view.state,
    view.owner ?? '-',
    view.customer === null ? '-' : `${view.customer} (${visibleText(view.target ?? '')})`,
    view.engineer ?? '-',
    `${view.bytesFromEngineer}/${view.bytesFromDaemon}`,
    visibleText(view.label),
  ]);
  return table([['SESSION', 'STATE', 'OWNER', 'CUSTOMER', 'ENGINEER', 'BYTES', 'LABEL'], ...rows]);
}

async function close(argv: readonly string[], surroundings: CommandSurroundings): Promise<string> {
  const { options, operands } = parseOptions(CLOSE_OPTIONS, argv, STYLE);
  const [id, ...more] = operands;
  if (!id || more.length > 0) throw new OperatorError('usage: relayapp close ID; see: relayapp sessions');
  const { session } = await request(managedRelay(options.state, surroundings), 'close', { session: id });
  return `session ${session} closed\n`;
}

async function connector(argv: readonly string[], surroundings: CommandSurroundings): Promise<string> {
  const { options, operands } = parseOptions(CONNECTOR_OPTIONS, argv, STYLE);
  const [act, id, ...more] = operands;
  const relay = managedRelay(options.state, surroundings);
  if (act === 'list' && id === undefined) return connectorList(relay, options.json);
  if (act !== 'revoke' || !id || more.length > 0 || options.json)
    throw new OperatorError('usage: relayapp connector list [--json], or relayapp connector revoke ID');
  const revoked = await request(relay, 'connector-revoke', { connector: id });
  return `connector ${revoked.connector} revoked\n`;
}

async function connectorList(relay: ManagedRelay, asJson: boolean): Promise<string> {
  const list = await request(relay, 'connector-list', {});
  if (asJson) return `${JSON.stringify(list)}\n`;
  const rows = list.map((view) => [
    view.connector,
    view.state,
    view.since,
    view.expiresAt,
    view.owner ?? '-',
    `${view.from ?? '-'} (${visibleText(view.hostName)}, ${visibleText(view.target)})`,
    visibleText(view.label),
  ]);
  return table([['CONNECTOR', 'STATE', 'SINCE', 'EXPIRES', 'OWNER', 'CUSTOMER', 'LABEL'], ...rows]);
}

function managedRelay(state: string | null, surroundings: CommandSurroundings): ManagedRelay {
  return { path: locateState(state, surroundings).controlSocket, clock: surroundings.clock };
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
