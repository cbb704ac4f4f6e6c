/** tndconnect in a process as Windows and macOS give it: no user ids, other signals, other files. */
import dns from 'node:dns';
import { EventEmitter } from 'node:events';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import t, { type Test } from 'tap';
import { runProgram } from '../../src/connector/program.ts';
import { inviteFor } from '../helpers/people.ts';
import { startDaemon, startRig, temporaryFolder, until } from '../helpers/rig.ts';

interface Machine {
  readonly platform: NodeJS.Platform;
  readonly env?: NodeJS.ProcessEnv;
  /** Of the process; absent on Windows. */
  readonly uid?: number;
}

/** Starts the program with a password file of mode 644, which Windows does not know. */
function start(t: Test, { platform, env = {}, uid }: Machine, password: string, argv: readonly string[]) {
  const folder = temporaryFolder(t);
  const passwordFile = join(folder, 'password.txt');
  writeFileSync(passwordFile, `\ufeff${password}\r\n`);
  chmodSync(passwordFile, 0o644);
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const log = join(folder, 'tndconnect.log');
  const system = Object.assign(new EventEmitter(), {
    ...{ platform, env, stdin, stdout, stderr },
    ...(uid === undefined ? {} : { geteuid: () => uid }),
    argv: ['node', 'tndconnect.mjs', '-password-file', passwordFile, '-file', log, ...argv],
  });
  let shown = '';
  for (const stream of [stdout, stderr])
    stream.on('data', (chunk: Buffer) => (shown += chunk.toString('utf8')));
  const status = runProgram(system as unknown as NodeJS.Process);
  return { system, status, shown: () => shown, log: () => readFileSync(log, 'utf8') };
}

t.test('Windows: Ctrl+Break ends it as Ctrl+C does, and the relay is told', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const { customerPassword } = await inviteFor(rig, 'session');
  const where = ['-host', rig.address.host, '-port', String(rig.address.port)];
  const target = ['-target', `${daemon.address.host}:${daemon.address.port}`];
  const program = start(t, { platform: 'win32' }, customerPassword, [...where, ...target]);
  await until(() => program.shown().includes('waiting for the engineer'));
  program.system.emit('SIGBREAK');
  t.equal(await program.status, 4);
  t.match(program.log(), /event {2}You ended the session\. \(customer\)\n$/);
  await rig.settled();
});

t.test('a name that is not found: the hosts file is the one of the system', async (t) => {
  const daemon = await startDaemon(t);
  const fail = (_host: string, _options: unknown, done: (error: Error) => void): void =>
    done(Object.assign(new Error('no'), { code: 'ENOTFOUND' }));
  t.capture(dns, 'lookup', fail as never);
  const argv = ['-host', 'relay.test', '-target', `${daemon.address.host}:${daemon.address.port}`];
  const machines: Array<[Machine, string]> = [
    [{ platform: 'win32', env: { SystemRoot: 'D:\\Win' } }, 'D:\\Win\\System32\\drivers\\etc\\hosts'],
    [{ platform: 'win32' }, 'C:\\Windows\\System32\\drivers\\etc\\hosts'],
    [{ platform: 'darwin', uid: process.geteuid!() + 1 }, '/etc/hosts'],
  ];
  for (const [machine, hostsFile] of machines) {
    const program = start(t, machine, 'AB3D9Z-K7QF9-T2MX3-H', argv);
    t.equal(await program.status, 21);
    t.ok(program.shown().includes(`name to ${hostsFile}.`), program.shown());
  }
});

t.test('macOS: a password file of ours that others may read is refused', async (t) => {
  const machine: Machine = { platform: 'darwin', uid: process.geteuid!() };
  const program = start(t, machine, 'AB3D9Z-K7QF9-T2MX3-H', ['-host', 'relay.test']);
  t.equal(await program.status, 2);
  t.match(program.shown(), /password\.txt may be read by others \(mode 0644\)/);
});
