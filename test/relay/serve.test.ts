/**
 * How a relay comes up and goes down, in this process; test/e2e/cli.test.ts does it with real ones.
 */
import { copyFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { Log } from '../../src/base/log.ts';
import { request } from '../../src/relay/control-client.ts';
import { LABEL_CHARACTERS_MAX, LINGER_MS } from '../../src/relay/limits.ts';
import { serve } from '../../src/relay/serve.ts';
import { temporaryFolder, TestSocket } from '../helpers/rig.ts';

function start(state: string, platform: string = process.platform, lines: string[] = []) {
  return serve(['--listen', '127.0.0.1:0', '--state', state, '--greet-after', '50ms'], {
    ...{ clock: systemClock, log: new Log(systemClock, (line) => lines.push(line)) },
    ...{ credentials: {}, platform, hostName: 'relay.test', software: 'relayapp/test' },
    ...{ env: {}, homeDirectory: '/', isRoot: false },
  });
}

/** Sessions whose list is more than a socket holds. */
async function openManySessions(controlSocket: string): Promise<void> {
  const relay = { path: controlSocket, clock: systemClock };
  const order = { label: '\u{1f4de}'.repeat(LABEL_CHARACTERS_MAX), ttlMs: 60_000, secret: null };
  for (let i = 0; i < 1_000; i += 1) await request(relay, 'otp-new', order);
}

/** A management client that asks for the sessions and reads and ends nothing; resolves when it has the answer waiting. */
function askAndStay(t: Test, controlSocket: string): Promise<Socket> {
  const socket = connect({ path: controlSocket, allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  socket.write('{"name":"sessions","request":{}}\n');
  return new Promise((resolve) => socket.once('readable', () => resolve(socket)));
}

t.test('whatever a management client does, people are told at once that the relay ends', async (t) => {
  const state = join(temporaryFolder(t), 'state');
  const controlSocket = join(state, 'control.sock');
  const serving = await start(state);
  await openManySessions(controlSocket);
  const engineer = await TestSocket.connect(t, serving.addresses[0]);
  await engineer.has('relay login: ');
  const client = await askAndStay(t, controlSocket);
  const begin = performance.now();
  const stopped = serving.stop();
  await engineer.has('the relay is shutting down');
  t.ok(performance.now() - begin < LINGER_MS / 2, 'not after the client was cut');
  engineer.socket.end();
  client.destroy();
  await stopped;
});

t.test('what cannot be done where there is no FFI is said at start', async (t) => {
  const lines: string[] = [];
  await (await start(join(temporaryFolder(t), 'state'), 'plan9', lines)).stop();
  t.match(lines.join(''), /"warn","event":"urgent-data-lossy"/);
  t.match(lines.join(''), /"warn","event":"dead-peers-late"/);
});

t.test('a damaged key, or one of another relay, is one line with the fix', async (t) => {
  const [state, other] = [join(temporaryFolder(t), 'state'), join(temporaryFolder(t), 'state')];
  for (const path of [state, other]) await (await start(path)).stop();
  const isRefused = () =>
    t.rejects(start(state), {
      name: 'OperatorError',
      status: 2,
      message: /^the relay's key or certificate in .*; restore both files, or remove both.*$/,
    });
  copyFileSync(join(other, 'relay-key.pem'), join(state, 'relay-key.pem'));
  await isRefused();
  writeFileSync(join(state, 'relay-key.pem'), 'damaged');
  await isRefused();
});
