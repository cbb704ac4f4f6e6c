/**
 * Connectors that stand (`tndconnect -persist`) as real processes, whoever visits them by an account, and the daemons
 * that they lead to: what the proofs of section 8 of the protocol are built from.
 *
 * The relay is asked over its management socket, without a process for each question. Everything is ended by what is
 * given to `teardown`; sockets are handed over paused, with half-open allowed.
 */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/base/clock.ts';
import type { HostPort } from '../../src/base/address.ts';
import { request } from '../../src/relay/control-client.ts';
import type { NewPassword, RequestName, Requests } from '../../src/relay/control-protocol.ts';
import type { ConnectorView } from '../../src/relay/standing-connectors.ts';
import { locateState } from '../../src/relay/state-directory.ts';
import type { NetworkHost } from './network.ts';
import type { RunningProcess } from './processes.ts';
import { runProgram, type Relay } from './programs.ts';
import {
  dialPrompt,
  GREETING,
  readUntil,
  startSite,
  temporaryFolder,
  type Scope,
  type Site,
} from './tunnel.ts';

const ASK_MARK = Buffer.of(255, 253, 6);
const GIVE_MARK = Buffer.of(255, 251, 6);
const LOOK_MS = 20;

/** Somebody with an account; administrators may visit every connector. */
export interface Person {
  readonly name: string;
  readonly password: string;
}

export interface Standing {
  readonly id: string;
  readonly connector: RunningProcess;
  readonly site: Site;
  /** What is in its log file. */
  log(): string;
}

export interface StandingOptions {
  /** Default: one of its own. */
  readonly site?: Site;
  /** Where it dials; default: the relay itself. */
  readonly dials?: HostPort;
  /** Where connector and daemon run; default: here. */
  readonly at?: NetworkHost;
  /** More arguments; without `-consent auto` and `-persist` when given as `only`. */
  readonly args?: readonly string[];
  readonly logFile?: string;
}

/** Asks the relay something over its management socket. */
export function ask<N extends RequestName>(
  relay: Relay,
  name: N,
  fields: Requests[N]['request'],
): Promise<Requests[N]['answer']> {
  const { controlSocket } = locateState(relay.state, { env: {}, homeDirectory: '/', isRoot: false });
  return request({ path: controlSocket, clock: systemClock }, name, fields);
}

export function invite(relay: Relay): Promise<NewPassword> {
  return ask(relay, 'otp-new', { label: '', ttlMs: 600_000, secret: null });
}

export async function addAdministrator(relay: Relay, name: string): Promise<Person> {
  const password = randomBytes(9).toString('hex');
  await ask(relay, 'user-add', { name, role: 'admin', password });
  return { name, password };
}

export async function connectorView(relay: Relay, id: string): Promise<ConnectorView | undefined> {
  return (await ask(relay, 'connector-list', {})).find(({ connector }) => connector === id);
}

/** Resolves once the relay shows the connector in this state; rejects after `withinMs`. */
export async function isListed(
  relay: Relay,
  id: string,
  state: ConnectorView['state'],
  withinMs: number,
): Promise<void> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const seen = (await connectorView(relay, id))?.state;
    if (seen === state) return;
    if (performance.now() > endMs)
      throw new Error(`${withinMs} ms passed: connector ${id} is ${seen}, not ${state}`);
    await delay(LOOK_MS);
  }
}

/** Starts `tndconnect -persist` with consent given ahead; resolves when it waits for engineers. */
export async function stand(scope: Scope, relay: Relay, options: StandingOptions = {}): Promise<Standing> {
  const site = options.site ?? (await startSite(scope, options.at));
  const invited = await invite(relay);
  const logFile = options.logFile ?? join(temporaryFolder(scope), 'tndconnect.log');
  const connector = startStanding(scope, options.dials ?? relay, invited.customerPassword, {
    ...options,
    site,
    logFile,
  });
  await connector.output(/waiting for engineers/);
  return { id: invited.session, connector, site, log: () => readFileSync(logFile, 'utf8') };
}

/** The same, without waiting for what comes of it. */
export function startStanding(
  scope: Scope,
  dials: HostPort,
  password: string,
  { site, logFile, at, args = [] }: StandingOptions & { site: Site; logFile: string },
): RunningProcess {
  const { host, port } = site.address;
  const connector = runProgram(
    'connector',
    [
      ...['-host', dials.host, '-port', String(dials.port), '-password', '-', '-noecho'],
      ...['-persist', '-consent', 'auto', '-target', `${host}:${port}`, '-file', logFile, ...args],
    ],
    { input: `${password}\n`, within: at?.namespace },
  );
  scope.teardown(() => connector.stop(0));
  return connector;
}

/** Somebody's connection at the `relay> ` prompt. */
export async function logInAs(
  scope: Scope,
  relay: HostPort,
  { name, password }: Person,
  at?: NetworkHost,
): Promise<Socket> {
  const socket = await dialPrompt(scope, relay, at);
  socket.write(`${name}\r\n`);
  await readUntil(socket, 'Password: ');
  socket.write(`${password}\r\n`);
  await readUntil(socket, 'relay> ');
  return socket;
}

/** From the prompt into a visit of the connector; resolves behind the daemon's greeting. */
export async function openVisit(engineer: Socket, id: string): Promise<void> {
  engineer.write(`open ${id}\r\n`);
  await readUntil(engineer, ASK_MARK);
  engineer.write(GIVE_MARK);
  await readUntil(engineer, GREETING);
}

/** A visit by an account with its two ends. */
export async function visitAs(
  scope: Scope,
  relay: Relay,
  person: Person,
  { id, site }: Pick<Standing, 'id' | 'site'>,
  at?: NetworkHost,
): Promise<{ engineer: Socket; daemon: Socket }> {
  const engineer = await logInAs(scope, relay, person, at);
  await openVisit(engineer, id);
  return { engineer, daemon: await site.nextVisit() };
}

/** Says something each way, and hears it at the other end. */
export async function exchange(engineer: Socket, daemon: Socket, word: string): Promise<void> {
  engineer.write(`${word}?\r\n`);
  await readUntil(daemon, `${word}?\r\n`);
  daemon.write(`${word}!\r\n`);
  await readUntil(engineer, `${word}!\r\n`);
}

/** Lines of the relay's audit file. */
export function auditedAt(relay: Relay, event: string): readonly Readonly<Record<string, unknown>>[] {
  // What stands behind the last line end is being written at this moment.
  const lines = readFileSync(join(relay.state, 'audit.jsonl'), 'utf8').split('\n').slice(0, -1);
  return lines
    .filter((line) => line.includes(`"event":"${event}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Rejects when `promise` takes longer. */
export async function withinTime<T>(
  promise: Promise<T>,
  withinMs: number,
  explain: () => string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${withinMs} ms passed: ${explain()}`)), withinMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
