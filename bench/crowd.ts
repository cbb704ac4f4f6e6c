/**
 * Many visits at one relay process: connectors that run inside this process, engineers as plain sockets, and one site
 * that greets and echoes. The relay is the only thing in a process of its own, so its figures are the relay's alone.
 */
import { createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { systemClock } from '../src/base/clock.ts';
import type { HostPort } from '../src/base/address.ts';
import { Connector } from '../src/connector/connector.ts';
import { Console } from '../src/connector/console.ts';
import { parseConnectorOptions } from '../src/connector/options.ts';
import { Transcript } from '../src/connector/transcript.ts';
import { request } from '../src/relay/control-client.ts';
import type { NewPassword } from '../src/relay/control-protocol.ts';
import { addressOf } from '../src/relay/listeners.ts';
import type { SessionView } from '../src/relay/sessions.ts';
import { locateState } from '../src/relay/state-directory.ts';
import { startRelay, type Relay } from '../test/helpers/programs.ts';
import { GREETING, logIn, readUntil, type Scope } from '../test/helpers/tunnel.ts';

/** A connector that has proved its password and waits for the engineer. */
export interface Waiting {
  readonly invited: NewPassword;
  /** Its exit status. */
  readonly done: Promise<number>;
}

export interface Crowd {
  readonly relay: Relay;
  /** A new session and its connector. */
  wait(): Promise<Waiting>;
  /** The same with one that stays. */
  stand(): Promise<Waiting>;
  /** The engineer of a waiting connector; resolves when the daemon was heard and has answered. */
  visit(waiting: Waiting): Promise<Socket>;
  /** The relay's own list. */
  sessions(): Promise<readonly SessionView[]>;
}

const QUESTION = 'echo\r\n';

export async function gatherCrowd(scope: Scope): Promise<Crowd> {
  const relay = await startRelay();
  scope.teardown(() => relay.stop());
  const { controlSocket } = locateState(relay.state, { env: {}, homeDirectory: '/', isRoot: false });
  const managed = { path: controlSocket, clock: systemClock };
  const site = await startEchoSite(scope);
  const invite = async (how: readonly string[]): Promise<Waiting> => {
    const invited = await request(managed, 'otp-new', { label: '', ttlMs: 600_000, secret: null });
    return { invited, ...(await runConnector(scope, relay, invited.customerPassword, site, how)) };
  };
  return {
    relay,
    wait: () => invite([]),
    stand: () => invite(['-persist']),
    visit: async ({ invited }) => {
      const engineer = await logIn(scope, relay, invited.session, invited.engineerPassword);
      engineer.write(QUESTION);
      await readUntil(engineer, QUESTION);
      return engineer;
    },
    sessions: () => request(managed, 'sessions', {}),
  };
}

/** Resolves once the connector waits for its engineer. */
async function runConnector(
  scope: Scope,
  relay: HostPort,
  password: string,
  site: HostPort,
  how: readonly string[],
): Promise<{ done: Promise<number> }> {
  const output = new PassThrough();
  const console = new Console({ input: process.stdin, output, clock: systemClock });
  const transcript = new Transcript('/dev/null', systemClock);
  const options = parseConnectorOptions([
    ...['-host', relay.host, '-port', String(relay.port), '-password', '-', '-consent', 'auto', '-noecho'],
    ...['-target', `${site.host}:${site.port}`, '-file', '/dev/null', ...how],
  ])!;
  const connector = new Connector(options, {
    clock: systemClock,
    console,
    transcript,
    urgent: { available: false, keep() {} },
    hostName: 'site.bench',
    hostsFile: '/etc/hosts',
    software: 'tndconnect/bench',
    random: () => 0,
  });
  const done = connector.run(password).finally(() => transcript.close());
  done.catch(() => {});
  scope.teardown(async () => {
    connector.interrupt();
    await done.catch(() => {});
  });
  await Promise.race([said(output, /waiting for (the engineer|engineers)/), done.then(failEarly)]);
  return { done };
}

function failEarly(status: number): never {
  throw new Error(`the connector ended with status ${status} before it waited`);
}

function said(output: PassThrough, pattern: RegExp): Promise<void> {
  let seen = '';
  return new Promise((resolve) => {
    output.on('data', (chunk: Buffer) => {
      seen = (seen + chunk.toString()).slice(-1_000);
      if (pattern.test(seen)) resolve();
    });
  });
}

/** Greets every connection and echoes; the connectors' checks hang up by themselves. */
async function startEchoSite(scope: Scope): Promise<HostPort> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    scope.teardown(() => socket.destroy());
    socket.write(GREETING);
    socket.pipe(socket);
  });
  scope.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return addressOf(server);
}
