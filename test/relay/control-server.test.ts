/**
 * Management clients that are silent, stay, or do not read: none keeps its place, and none holds up the relay's end.
 */
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Log } from '../../src/base/log.ts';
import type { AdministrationHost } from '../../src/relay/administration.ts';
import { ControlServer } from '../../src/relay/control-server.ts';
import { LINGER_MS } from '../../src/relay/limits.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { temporaryFolder, TestSocket, until } from '../helpers/rig.ts';

const SESSIONS_REQUEST = '{"name":"sessions","request":{}}\n';

/** A server whose list of sessions is `answer`. */
async function startServer(t: Test, answer: unknown = []) {
  const clock = new FakeClock();
  const host = { sessions: { list: () => answer } } as unknown as AdministrationHost;
  const server = new ControlServer(host, clock, new Log(clock, () => {}));
  const path = join(temporaryFolder(t), 'control.sock');
  await server.listen(path);
  return { server, clock, path };
}

/** A client that never closes its end by itself. */
function dial(t: Test, path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true }, () => resolve(socket)).once('error', reject);
    t.teardown(() => socket.destroy());
  });
}

t.test('a client that stays after its answer is let go', async (t) => {
  const { server, clock, path } = await startServer(t);
  const socket = await dial(t, path);
  const client = new TestSocket(t, socket);
  socket.write(SESSIONS_REQUEST);
  await client.ended;
  t.equal(client.text, '{"ok":true,"answer":[]}\n');
  await until(() => clock.armed === 0);
  // What is written to a socket that is closed at its other end fails; to one that is only half closed it does not.
  const failed = new Promise((resolve) => socket.once('error', resolve));
  socket.write('still here\n');
  t.match(await failed, { code: 'EPIPE' });
  await server.close();
});

t.test('a client may end its side with its request', async (t) => {
  const { server, path } = await startServer(t);
  const socket = await dial(t, path);
  const client = new TestSocket(t, socket);
  socket.end(SESSIONS_REQUEST);
  await client.ended;
  t.equal(client.text, '{"ok":true,"answer":[]}\n');
  await server.close();
});

t.test('a silent client does not hold up the end', async (t) => {
  const { server, clock, path } = await startServer(t);
  await dial(t, path);
  await until(() => clock.armed === 1);
  await server.close();
  await until(() => clock.armed === 0);
});

t.test('an answer that is not read is cut at the end, one that is read arrives whole', async (t) => {
  const answer = 'x'.repeat(4_000_000);
  const { server, clock, path } = await startServer(t, answer);
  const [deaf, slow] = [await dial(t, path), await dial(t, path)];
  deaf.pause();
  for (const socket of [deaf, slow]) socket.write(SESSIONS_REQUEST);
  await until(() => clock.armed === 0);
  const closed = server.close();
  const client = new TestSocket(t, slow);
  await client.ended;
  t.equal(client.bytes.length, JSON.stringify({ ok: true, answer }).length + 1);
  clock.advance(LINGER_MS);
  await closed;
});
