/**
 * `tndconnect` as one file: what is in it, and that the file alone, in an empty folder, is the whole program.
 */
import { chmodSync, copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { helpConnector } from '../../src/connector/options.ts';
import { bundleConnector, cmdStarter, packagesIn } from '../../scripts/bundle.ts';
import { repositoryUrl } from '../helpers/peers.ts';
import { RunningProcess } from '../helpers/processes.ts';
import { makeOneTimePassword, startRelay } from '../helpers/programs.ts';
import { readRepositoryFile } from '../helpers/repository.ts';
import { startDaemon, temporaryFolder, TestSocket } from '../helpers/rig.ts';

const BUNDLE = 'build/tndconnect.mjs';
const MISTYPED = 'AB3D9Z-K7QF9-T2MX3-A';

/** The file alone in a folder; `run` starts it there. */
function copyOfBundle(t: Test) {
  const folder = temporaryFolder(t);
  const file = join(folder, 'tndconnect.mjs');
  copyFileSync(new URL(BUNDLE, repositoryUrl), file);
  const run = (...args: string[]): RunningProcess => {
    const running = new RunningProcess(process.execPath, [file, ...args], { cwd: folder });
    t.teardown(() => running.stop());
    return running;
  };
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  return { folder, file, run, write };
}

t.test('it is what the sources give, the same each time', async (t) => {
  const { text } = await bundleConnector();
  t.equal(text, (await bundleConnector()).text);
  t.ok(text === readRepositoryFile(BUNDLE), 'else run npm run build');
  t.equal(readRepositoryFile('build/tndconnect.cmd'), cmdStarter());
});

t.test('it holds the connector and its packages, and nothing of the relay', async (t) => {
  const { metafile } = await bundleConnector();
  const files = Object.keys(metafile.inputs);
  const isKnown = (path: string): boolean => /^(src\/(base|connector|stream|wire)|node_modules)\//.test(path);
  t.ok(files.includes('src/connector/connector.ts'));
  t.same(
    files.filter((path) => !isKnown(path)),
    [],
  );
  t.same(packagesIn(metafile), ['@noble/curves', '@noble/hashes']);
});

t.test('it imports nothing but what Node has, and koffi where it is', async (t) => {
  const { metafile } = await bundleConnector();
  const imports = Object.values(metafile.outputs)[0].imports.filter(({ path }) => !path.startsWith('node:'));
  t.same(imports, [{ path: 'koffi', kind: 'dynamic-import', external: true }]);
});

t.test('it can be started by its name, names its licences, and no folder of the machine', async (t) => {
  const { metafile } = await bundleConnector();
  const text = readRepositoryFile(BUNDLE);
  t.match(text, /^#!\/usr\/bin\/env node\n\/\/ tndconnect /);
  t.equal(statSync(new URL(BUNDLE, repositoryUrl)).mode & 0o111, 0o111);
  for (const name of packagesIn(metafile)) {
    const licence = readRepositoryFile(`node_modules/${name}/LICENSE`);
    t.match(licence, 'Permission is hereby granted');
    t.ok(text.includes(licence.trimEnd()), name);
  }
  t.notOk(text.includes(fileURLToPath(repositoryUrl)));
  t.notMatch(text, /sourceMappingURL/);
});

t.test('the starter for cmd.exe is two lines that end as it wants', async (t) => {
  t.match(cmdStarter(), /^@rem [^\r\n]*\r\n@node "%~dp0tndconnect\.mjs" %\*\r\n$/);
});

t.test('alone in a folder it helps, and tells a mistake in one line', async (t) => {
  const { run, folder } = copyOfBundle(t);
  const help = run('/?');
  t.same(await help.ended, { code: 0, signal: null });
  t.equal(help.stdout, helpConnector());
  const mistake = run('-hosst', 'relay');
  t.same(await mistake.ended, { code: 2, signal: null });
  t.equal(
    mistake.stderr,
    'tndconnect: unknown option "-hosst" (did you mean -host?); run `tndconnect -help`\n',
  );
  t.same(readdirSync(folder), ['tndconnect.mjs'], 'and leaves nothing behind');
});

t.test('alone in a folder it makes a whole visit, with the password from a file', async (t) => {
  const relay = await startRelay();
  t.teardown(() => relay.stop());
  const daemon = await startDaemon(t);
  const { session, customerPassword, engineerPassword } = await makeOneTimePassword(relay);
  const { run, write, folder } = copyOfBundle(t);
  const customer = run(
    ...['-host', relay.host, '-port', String(relay.port), '-consent', 'auto'],
    ...['-password-file', write('password', `${customerPassword}\n`)],
    ...['-target', `${daemon.address.host}:${daemon.address.port}`],
  );
  await customer.output(/waiting for the engineer/);
  const seen = ['cmdline', 'environ'].map((name) => readFileSync(`/proc/${customer.pid}/${name}`, 'latin1'));
  const engineer = await TestSocket.connect(t, { host: relay.host, port: relay.port });
  await engineer.logIn(session, engineerPassword);
  const site = await daemon.accepted();
  await engineer.has('daemon ready');
  engineer.write('hello\r\n');
  await site.has('hello\r\n');
  site.write('world\r\n');
  await engineer.has('world');
  site.socket.end();
  await engineer.ended;
  engineer.socket.end();
  t.same(await customer.ended, { code: 0, signal: null }, customer.stderr);
  t.match(customer.stdout, 'world');
  t.match(readFileSync(join(folder, 'tndconnect.log'), 'utf8'), /shown {2}world\n/);
  for (const text of seen) t.notOk(text.includes(customerPassword));
});

t.test('a password file that will not do is told in one line, and in the log', async (t) => {
  const { run, write, folder } = copyOfBundle(t);
  const open = write('open', `${MISTYPED}\n`);
  chmodSync(open, 0o644);
  const cases: Array<[string, RegExp]> = [
    [join(folder, 'nowhere'), /nowhere cannot be read \(ENOENT\)/],
    [write('empty', ''), /empty has no password in its first line/],
    [open, /open may be read by others \(mode 0644\); make it yours alone: chmod 600/],
    [write('mistyped', `${MISTYPED}\n`), /The password is mistyped/],
  ];
  for (const [file, message] of cases) {
    const ran = run('-host', 'h', '-password-file', file);
    t.same(await ran.ended, { code: 2, signal: null });
    t.match(ran.stderr, message);
    t.equal(ran.stderr.trimEnd().split('\n').length, 1, ran.stderr);
    t.match(readFileSync(join(folder, 'tndconnect.log'), 'utf8'), message);
  }
});
