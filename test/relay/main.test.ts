/**
 * What other users of the machine can read of a command while it runs.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { untouched } from '../helpers/processes.ts';
import { temporaryFolder } from '../helpers/rig.ts';

const RELAYAPP = fileURLToPath(new URL('../../src/relay/main.js', import.meta.url));

t.test('a secret on the command line does not stay in process lists', async (t) => {
  const state = temporaryFolder(t);
  const server = createServer();
  const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(join(state, 'control.sock'), resolve));
  t.teardown(() => server.close());
  const argv = [RELAYAPP, 'otp', 'new', '--secret', 'geheim', '--state', state];
  const child = spawn(...untouched(process.execPath, argv), { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const socket = await connected;
  t.match(readFileSync(`/proc/${child.pid}/cmdline`, 'latin1'), /^relayapp\0*$/);
  socket.end();
  t.equal(await ended, 2);
});
