/**
 * A relay whose log nobody reads any more: it serves on, and stops when it is told to.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { untouched } from '../helpers/processes.ts';
import { temporaryFolder } from '../helpers/rig.ts';
import { readUntil } from '../helpers/tunnel.ts';

const program = fileURLToPath(new URL('../../src/relay/main.js', import.meta.url));

t.test('a log that was closed stops neither the relay nor its end', async (t) => {
  const folder = temporaryFolder(t);
  chmodSync(folder, 0o711);
  const args = [program, 'serve', '--verbose', '--listen', '127.0.0.1:0', '--state', join(folder, 'state')];
  const relay = spawn(...untouched(process.execPath, args), { stdio: ['ignore', 'ignore', 'pipe'] });
  t.teardown(() => relay.kill('SIGKILL'));
  const ended = once(relay, 'exit');
  const [, port] = await printed(relay.stderr, /127\.0\.0\.1:(\d+)/);
  relay.stderr.destroy();
  await once(relay.stderr, 'close');
  for (let caller = 0; caller < 3; caller += 1) {
    const socket = connect({ host: '127.0.0.1', port: Number(port) });
    socket.write('\r\n');
    await readUntil(socket, 'relay login: ');
    socket.destroy();
  }
  relay.kill('SIGTERM');
  t.same(await ended, [0, null]);
});

function printed(stream: NodeJS.ReadableStream, pattern: RegExp): Promise<RegExpExecArray> {
  let seen = '';
  return new Promise((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      const match = pattern.exec(seen);
      if (match) resolve(match);
    });
  });
}
