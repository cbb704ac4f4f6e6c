import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { request } from '../../src/relay/control-client.ts';
import { CONTROL_ANSWER_DEADLINE_MS } from '../../src/relay/limits.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { temporaryFolder, until } from '../helpers/rig.ts';

t.test('an answer that does not come, or not to its end, is not waited for any longer', async (t) => {
  const clock = new FakeClock();
  const path = join(temporaryFolder(t), 'control.sock');
  for (const part of ['', '{"ok":true,']) {
    const server = createServer((socket) => void socket.once('data', () => socket.write(part)));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const asked = request({ path, clock }, 'sessions', {});
    clock.advance(CONTROL_ANSWER_DEADLINE_MS);
    await t.rejects(asked, {
      name: 'OperatorError',
      status: 2,
      message: `the relay at ${path} has not answered for 30 s; see its log, or restart it`,
    });
    await until(() => clock.armed === 0);
    await new Promise((resolve) => server.close(resolve));
  }
});
