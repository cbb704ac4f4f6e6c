/**
 * A visit through real processes, reduced to its two ends: relay and connector run as programs, the caller of this
 * holds the engineer's socket and the daemon's socket, which may be on other hosts (network.ts). What bulk,
 * back-pressure and load are measured with.
 *
 * Both sockets are handed over paused, right behind the greeting, with half-open allowed; nothing that goes through
 * is kept here. The engineer comes the original's way (session id and engineer password) and negotiates nothing but
 * the timing mark. Everything is ended by what is given to `teardown`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostPort } from '../../src/base/address.ts';
import { addressOf } from '../../src/relay/listeners.ts';
import type { SessionView } from '../../src/relay/sessions.ts';
import type { NetworkHost } from './network.ts';
import { makeOneTimePassword, runProgram, startRelay, type Relay } from './programs.ts';
import type { RunningProcess } from './processes.ts';

/** A test of tap, or anything else that ends what it began. */
export interface Scope {
  teardown(end: () => unknown): void;
}

export interface Tunnel {
  readonly relay: Relay;
  readonly connector: RunningProcess;
  readonly engineer: Socket;
  readonly daemon: Socket;
  readonly session: string;
  /** The session as the relay lists it at this moment. */
  view(): Promise<SessionView>;
}

export interface Site {
  /** Where connectors find it. */
  readonly address: HostPort;
  /** The daemon's end of the next visit, greeted. */
  nextVisit(): Promise<Socket>;
}

/** What the daemons of tunnels say first. */
export const GREETING = Buffer.from('daemon ready\r\n');
const NO_OPERATION = Buffer.of(255, 241);
const ASK_MARK = Buffer.of(255, 253, 6);
const GIVE_MARK = Buffer.of(255, 251, 6);

/** Where connections begin. */
export type Dialler = Pick<NetworkHost, 'dial'>;

export interface TunnelOptions {
  readonly relay?: Relay;
  readonly log?: string;
  /** Where connector and daemon run, and where the engineer sits; default: here. */
  readonly siteAt?: NetworkHost;
  readonly engineerAt?: Dialler;
}

/** A relay of its own unless one is given; a connector that consents and records nowhere unless `log` names a file. */
export async function openTunnel(scope: Scope, options: TunnelOptions = {}): Promise<Tunnel> {
  const relay = options.relay ?? (await startRelay());
  if (!options.relay) scope.teardown(() => relay.stop());
  const { session, customerPassword, engineerPassword } = await makeOneTimePassword(relay);
  const site = await startSite(scope, options.siteAt);
  const connector = runProgram(
    'connector',
    [
      ...['-host', relay.host, '-port', String(relay.port), '-password', '-', '-consent', 'auto', '-noecho'],
      ...['-target', `${site.address.host}:${site.address.port}`, '-file', options.log ?? '/dev/null'],
    ],
    { input: `${customerPassword}\n`, within: options.siteAt?.namespace },
  );
  scope.teardown(() => connector.stop());
  await connector.output(/waiting for the engineer/);
  const engineer = await logIn(scope, relay, session, engineerPassword, options.engineerAt);
  const daemon = await site.nextVisit();
  return { relay, connector, engineer, daemon, session, view: () => viewOf(relay, session) };
}

/** A socket at the login prompt of the relay, paused behind it. It speaks first, so that it is greeted at once. */
export async function dialPrompt(scope: Scope, { host, port }: HostPort, at?: Dialler): Promise<Socket> {
  const socket = at
    ? await at.dial({ host, port })
    : connect({ host, port, allowHalfOpen: true, noDelay: true });
  socket.on('error', () => {});
  scope.teardown(() => socket.destroy());
  socket.write(NO_OPERATION);
  await readUntil(socket, 'relay login: ');
  return socket;
}

/** Processor time that a process has used so far, in seconds; the kernel counts in hundredths. */
export function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // behind the name, which may hold anything
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Memory that a process holds at this moment, in bytes. */
export function residentBytes(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))!;
  return Number(kib) * 1_024;
}

/** A folder that is removed again. */
export function temporaryFolder(scope: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), 'telnet-tunnel-'));
  scope.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Comes the original's way and resolves behind the daemon's greeting, paused. */
export async function logIn(
  scope: Scope,
  relay: HostPort,
  name: string,
  password: string,
  at?: Dialler,
): Promise<Socket> {
  const socket = await dialPrompt(scope, relay, at);
  socket.write(`${name}\r\n`);
  await readUntil(socket, 'Password: ');
  socket.write(`${password}\r\n`);
  await readUntil(socket, ASK_MARK);
  socket.write(GIVE_MARK);
  await readUntil(socket, GREETING);
  return socket;
}

/** Reads up to and including `text` and leaves the socket paused; what comes behind it stays in the socket. */
export function readUntil(socket: Socket, text: string | Buffer): Promise<void> {
  let seen = Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    const done = (error: Error | null): void => {
      socket.off('data', onData);
      socket.off('close', onClose);
      socket.pause();
      if (error) reject(error);
      else resolve();
    };
    const onClose = (): void => done(new Error(`closed before ${String(text)}, after ${seen.toString()}`));
    const onData = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk]);
      const at = seen.indexOf(text);
      if (at < 0) return;
      const rest = seen.subarray(at + Buffer.byteLength(text));
      done(null);
      if (rest.length > 0) socket.unshift(rest);
    };
    socket.on('data', onData);
    socket.once('close', onClose);
    socket.resume();
  });
}

/** A daemon that greets whoever types to it or not; the connector's check, its first connection, is let go. */
export async function startSite(scope: Scope, at?: NetworkHost): Promise<Site> {
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
  scope.teardown(() => server.close());
  const address = at ? await at.expose(server) : await listenHere(server);
  const ready: Socket[] = [];
  const waiting: Array<(visit: Socket) => void> = [];
  let connections = 0;
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    scope.teardown(() => socket.destroy());
    connections += 1;
    if (connections === 1) return void socket.on('end', () => socket.end()).resume();
    socket.write(GREETING);
    const next = waiting.shift();
    if (next) next(socket);
    else ready.push(socket);
  });
  return {
    address,
    nextVisit: () => {
      const first = ready.shift();
      return first ? Promise.resolve(first) : new Promise((resolve) => waiting.push(resolve));
    },
  };
}

async function listenHere(server: Server): Promise<HostPort> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return addressOf(server);
}

async function viewOf(relay: Relay, session: string): Promise<SessionView> {
  const views = JSON.parse(await relay.command(['sessions', '--json'])) as SessionView[];
  const view = views.find((candidate) => candidate.session === session);
  if (!view) throw new Error(`the relay has no session ${session} any more`);
  return view;
}
