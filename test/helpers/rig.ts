/**
 * A relay, connectors and daemons in one process, over real sockets on port 0: what end-to-end tests are built from.
 *
 * Everything is ended in teardown, and `settled` waits until the relay holds no connection and no session, so that a
 * test can show that nothing is left. Events are awaited; nothing sleeps.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Test } from 'tap';
import type { HostPort } from '../../src/base/address.ts';
import { systemClock, type Clock } from '../../src/base/clock.ts';
import { Log } from '../../src/base/log.ts';
import { Connector } from '../../src/connector/connector.ts';
import { Console } from '../../src/connector/console.ts';
import { parseConnectorOptions } from '../../src/connector/options.ts';
import { Transcript } from '../../src/connector/transcript.ts';
import { DEADLINE_LIMITS } from '../../src/relay/limits.ts';
import { loadIdentity, type Identity } from '../../src/relay/identity.ts';
import type { InviteRequest } from '../../src/relay/inviter.ts';
import { addressOf, listen } from '../../src/relay/listeners.ts';
import { Relay, type RelaySettings } from '../../src/relay/relay.ts';
import type { SessionLimits } from '../../src/relay/sessions.ts';
import { locateState, type StateDirectory } from '../../src/relay/state-directory.ts';
import { loadSocketCalls, type PeerSilence } from '../../src/stream/socket-calls.ts';

export interface RigSettings {
  readonly limits?: Partial<SessionLimits>;
  readonly greetAfterMs?: number;
  readonly telnetFrom?: readonly string[];
  readonly connectorExpiryMs?: number;
  /** That of a relay that was stopped. */
  readonly state?: StateDirectory;
  /** The relay's, and that of the connectors that run here. */
  readonly clock?: Clock;
  /** What the relay is told of peers that do not answer; default: what the system says. */
  readonly silence?: PeerSilence;
}

export interface ConnectOptions {
  readonly args?: readonly string[];
  readonly keyboard?: boolean;
  readonly clock?: Clock;
  /** Of the back-off; zeros make every wait the shortest. */
  readonly random?: () => number;
}

export interface ConnectOptions {
  readonly args?: readonly string[];
  readonly keyboard?: boolean;
  readonly clock?: Clock;
  /** Of the back-off; zeros make every wait the shortest. */
  readonly random?: () => number;
}

export interface RunningConnector {
  readonly connector: Connector;
  /** Exit status; rejects with OperatorError. */
  readonly done: Promise<number>;
  /** All that its console showed so far. */
  readonly screen: () => string;
  /** What is in its log file. */
  readonly log: () => string;
  /** Resolves when the console has shown `text`. */
  shows(text: string): Promise<void>;
  /** Presses keys at its terminal; only for connectors made with `keyboard`. */
  press(keys: string): void;
}

export class Rig {
  readonly relay: Relay;
  readonly address: HostPort;
  readonly identity: Identity;
  readonly state: StateDirectory;
  readonly log: () => string;
  readonly #t: Test;
  readonly #clock: Clock;

  constructor(
    t: Test,
    clock: Clock,
    parts: { relay: Relay; address: HostPort; identity: Identity; state: StateDirectory; log: () => string },
  ) {
    this.#t = t;
    this.#clock = clock;
    this.relay = parts.relay;
    this.address = parts.address;
    this.identity = parts.identity;
    this.state = parts.state;
    this.log = parts.log;
  }

  /** A new session with its passwords. */
  invite(options: Partial<InviteRequest> = {}) {
    return this.relay.inviter.invite({ label: '', owner: null, ...options });
  }

  /** Runs tndconnect in this process. `args` as on its command line, without host, port, file and password. */
  connect(
    password: string,
    target: HostPort,
    options: Omit<ConnectOptions, 'clock'> & { relay?: HostPort } = {},
  ): RunningConnector {
    return connectTo(this.#t, options.relay ?? this.address, password, target, {
      ...options,
      clock: this.#clock,
    });
  }

  /** Connects as a raw TCP client. */
  async dial(): Promise<TestSocket> {
    return TestSocket.connect(this.#t, this.address);
  }

  /** Resolves once the relay holds no session and no connection. */
  async settled(): Promise<void> {
    await until(() => this.relay.sessions.size === 0 && this.relay.connections === 0);
  }
}

/** A relay on port 0 with a state directory of its own; stopped in teardown. */
export async function startRig(t: Test, settings: RigSettings = {}): Promise<Rig> {
  const clock = settings.clock ?? systemClock;
  const state =
    settings.state ?? locateState(temporaryFolder(t), { env: {}, homeDirectory: '/', isRoot: false });
  const lines: string[] = [];
  const log = new Log(clock, (line) => lines.push(line), 'debug');
  const identity = await loadIdentity(state, clock.wallNow());
  const relaySettings: RelaySettings = {
    relayName: 'relay.test',
    software: 'relayapp/test',
    telnetFrom: settings.telnetFrom ?? ['127.0.0.0/8'],
    greetAfterMs: settings.greetAfterMs ?? 100,
    connectorExpiryMs: settings.connectorExpiryMs ?? 3_600_000,
    limits: { ...DEADLINE_LIMITS, sessionsMax: 1_024, ...settings.limits },
  };
  const calls = await loadSocketCalls(process.platform);
  const { urgent, silence } = { ...calls, ...settings };
  const relay = new Relay(relaySettings, { clock, log, urgent, silence, state, identity });
  const server = await listen({ host: '127.0.0.1', port: 0 });
  relay.serve(server);
  t.teardown(() => relay.stop());
  return new Rig(t, clock, { relay, address: addressOf(server), identity, state, log: () => lines.join('') });
}

/** Runs tndconnect in this process, at any relay. */
export function connectTo(
  t: Test,
  relay: HostPort,
  password: string,
  target: HostPort,
  { args, keyboard = false, clock = systemClock, random = Math.random }: ConnectOptions = {},
): RunningConnector {
  const options = parseConnectorOptions([
    ...['-host', relay.host, '-port', String(relay.port), '-password', '-'],
    ...['-file', join(temporaryFolder(t), 'tndconnect.log'), '-target', `${target.host}:${target.port}`],
    ...(args ?? (keyboard ? [] : ['-consent', 'auto'])),
  ])!;
  const input = new PassThrough();
  const output = new PassThrough();
  const shown = new Collected(output);
  Object.assign(input, { isTTY: keyboard, setRawMode: () => input });
  const console = new Console({ input: input as unknown as NodeJS.ReadStream, output, clock });
  const transcript = new Transcript(options.file, clock);
  const connector = new Connector(options, {
    clock,
    console,
    transcript,
    urgent: { available: false, keep() {} },
    hostName: 'site.test',
    hostsFile: '/etc/hosts',
    software: 'tndconnect/test',
    random,
  });
  console.onInterrupt = () => connector.interrupt();
  console.open();
  const done = connector.run(password).finally(async () => {
    await console.close();
    transcript.close();
  });
  done.catch(() => {});
  t.teardown(async () => {
    connector.interrupt();
    await done.catch(() => {});
  });
  return {
    connector,
    done,
    screen: () => shown.text,
    log: () => readFileSync(options.file, 'utf8'),
    shows: (text) => shown.has(text),
    press: (keys) => input.write(keys),
  };
}

/** A raw client or server end whose received bytes can be waited for. */
export class TestSocket {
  readonly socket: Socket;
  readonly #received: Collected;
  readonly closed: Promise<void>;
  readonly ended: Promise<void>;

  constructor(t: Test, socket: Socket) {
    this.socket = socket;
    this.#received = new Collected(socket);
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    this.ended = new Promise((resolve) => socket.once('end', () => resolve()));
    t.teardown(() => socket.destroy());
  }

  static connect(t: Test, address: HostPort): Promise<TestSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ ...address, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new TestSocket(t, socket)));
    });
  }

  get text(): string {
    return this.#received.text;
  }

  get bytes(): Buffer {
    return this.#received.bytes;
  }

  /** Resolves when `text` has been received, counted from the start. */
  has(text: string): Promise<void> {
    return this.#received.has(text);
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Walks through the login of the original's way; resolves when the customer is being asked or further. */
  async logIn(name: string, password: string): Promise<void> {
    await this.has('relay login: ');
    this.write(`${name}\r\n`);
    await this.has('Password: ');
    this.write(`${password}\r\n`);
  }
}

export interface TestDaemon {
  readonly address: HostPort;
  /** The next connection that a visit (not the connector's check) makes. */
  accepted(): Promise<TestSocket>;
}

/**
 * A daemon on port 0 that sends `greeting` and leaves the rest to the test. Connections that end without a byte, as
 * the connector's check does, are not reported.
 */
export async function startDaemon(
  t: Test,
  greeting: string | Uint8Array = 'daemon ready\r\n',
): Promise<TestDaemon> {
  const waiting: Array<(socket: TestSocket) => void> = [];
  const ready: TestSocket[] = [];
  let checks = 0;
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    checks += 1;
    if (checks === 1) return void socket.on('end', () => socket.end()).resume();
    socket.write(greeting);
    const accepted = new TestSocket(t, socket);
    const next = waiting.shift();
    if (next) next(accepted);
    else ready.push(accepted);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return {
    address: addressOf(server),
    accepted: () => {
      const first = ready.shift();
      return first ? Promise.resolve(first) : new Promise((resolve) => waiting.push(resolve));
    },
  };
}

/** Collects a stream and lets a test wait for a text in it. */
class Collected {
  readonly #chunks: Buffer[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(stream: NodeJS.ReadableStream) {
    stream.on('data', (chunk: Buffer) => {
      this.#chunks.push(Buffer.from(chunk));
      for (const check of [...this.#waiting]) check();
    });
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.bytes.toString('latin1');
  }

  has(text: string): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!this.text.includes(text)) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }
}

/** Resolves when `condition` holds, judged once a loop turn; a test's own timeout is the bound. */
export function until(condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (condition()) resolve();
      else setTimeout(check, 5);
    };
    check();
  });
}

export function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'secure-telnet-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
