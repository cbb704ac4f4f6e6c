/**
 * Both programs as their users start them: real processes, exit statuses, one clear line for what is wrong.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { HostPort } from '../../src/base/address.ts';
import { addressOf } from '../../src/relay/listeners.ts';
import { untouched } from '../helpers/processes.ts';
import { startDaemon, temporaryFolder, TestSocket, until } from '../helpers/rig.ts';

const RELAYAPP = fileURLToPath(new URL('../../src/relay/main.js', import.meta.url));
const TNDCONNECT = fileURLToPath(new URL('../../src/connector/main.js', import.meta.url));
const isRoot = process.getuid?.() === 0;

interface Run {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  readonly status: Promise<number | null>;
}

function run(
  t: Test,
  program: string,
  argv: readonly string[],
  options: { cwd?: string; typed?: string; uid?: number } = {},
): Run {
  const child = spawn(...untouched(process.execPath, [program, ...argv]), {
    cwd: options.cwd ?? temporaryFolder(t),
    stdio: 'pipe',
    ...(options.uid === undefined ? {} : { uid: options.uid }),
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.on('error', () => {});
  child.stdin.end(options.typed ?? '');
  t.teardown(() => child.kill('SIGKILL'));
  return {
    child,
    out: () => out,
    err: () => err,
    status: new Promise((resolve) => child.once('close', resolve)),
  };
}

async function startRelay(t: Test, ...argv: string[]): Promise<Run & { address: HostPort; state: string }> {
  const state = join(temporaryFolder(t), 'state');
  chmodSync(join(state, '..'), 0o711);
  const relay = run(t, RELAYAPP, ['serve', '--listen', '127.0.0.1:0', '--state', state, ...argv]);
  await until(() => relay.err().includes('relay-listening') || relay.child.exitCode !== null);
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(relay.err())?.[1]);
  return { ...relay, address: { host: '127.0.0.1', port }, state };
}

async function relayapp(
  t: Test,
  line: string,
  typed = '',
): Promise<{ status: number | null; out: string; err: string }> {
  const ran = run(t, RELAYAPP, line.split(' '), { typed });
  return { status: await ran.status, out: ran.out(), err: ran.err() };
}

t.test('every mistake of the command line: exit 2 and one line', async (t) => {
  const folder = temporaryFolder(t);
  const cases: Array<[string, string[], RegExp]> = [
    [
      RELAYAPP,
      ['serve', '--listne', 'x'],
      /unknown option "--listne" \(did you mean --listen\?\); run `relayapp help`/,
    ],
    [RELAYAPP, ['serve', '--listen', 'nowhere'], /--listen takes HOST:PORT/],
    [RELAYAPP, ['serve', '--telnet-from', '10.0.0.0/99'], /"10\.0\.0\.0\/99" is not an address or a network/],
    [
      RELAYAPP,
      ['serve', '--user', 'no-such-user'],
      isRoot ? /there is no user "no-such-user"/ : /needs a start as root/,
    ],
    [RELAYAPP, ['serve', 'extra'], /serve takes no operand "extra"/],
    [RELAYAPP, ['frob'], /there is no command "frob"/],
    [RELAYAPP, ['sessions', '--state', folder], /no relay answers at/],
    [TNDCONNECT, [], /-host RELAY is required/],
    [TNDCONNECT, ['-host', 'h'], /-password PASSWORD is required/],
    [TNDCONNECT, ['-host', 'h', '-password', 'x', '-prot', '80'], /unknown option "-prot"/],
    [
      TNDCONNECT,
      ['-host', 'h', '-password', 'AAAAAA-cisco', '-file', folder],
      /log file .* cannot be written \(EISDIR\)/,
    ],
    [TNDCONNECT, ['-host', 'h', '-password', 'AAAAAA cisco'], /password/],
    [TNDCONNECT, ['-host', 'h', '-password', '-'], /standard input holds no password/],
  ];
  await Promise.all(
    cases.map(async ([program, argv, message]) => {
      const ran = run(t, program, argv);
      t.equal(await ran.status, 2, argv.join(' '));
      t.match(ran.err(), message);
      t.equal(ran.err().trimEnd().split('\n').length, 1, ran.err());
      t.equal(ran.out(), '');
    }),
  );
});

t.test('help, in every spelling', async (t) => {
  for (const [program, argv, text] of [
    [TNDCONNECT, ['/?'], /-host RELAY/],
    [TNDCONNECT, ['-help'], /-noecho/],
    [RELAYAPP, ['help'], /relayapp serve/],
    [RELAYAPP, ['--help'], /relayapp otp new/],
    [RELAYAPP, ['serve', '--help'], /--listen HOST:PORT/],
    [RELAYAPP, ['user', 'add', '--help'], /--role ROLE/],
    [RELAYAPP, [], /relayapp user/],
  ] as const) {
    const ran = run(t, program, argv);
    t.equal(await ran.status, 0);
    t.match(ran.out(), text);
  }
});

t.test('help that nobody reads is no error', async (t) => {
  const ran = run(t, TNDCONNECT, ['-help']);
  ran.child.stdout!.destroy();
  t.equal(await ran.status, 0);
  t.equal(ran.err(), '');
});

t.test('the password is hidden before anything is loaded', async (t) => {
  t.notMatch(readFileSync(TNDCONNECT, 'utf8'), /^import /m);
});

t.test('what is wrong once there is a log is in it, without the password', async (t) => {
  const folder = temporaryFolder(t);
  const mistyped = 'AB3D9Z-K7QF9-T2MX3-A';
  const ran = run(t, TNDCONNECT, ['-host', 'h', '-password', mistyped], { cwd: folder });
  t.equal(await ran.status, 2);
  const log = readFileSync(join(folder, 'tndconnect.log'), 'utf8');
  t.match(log, /event {2}The password is mistyped/);
  t.notMatch(log, 'K7QF9');
});

t.test('a port in use, and a state directory that cannot be used', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const folder = temporaryFolder(t);
  const taken = await relayapp(t, `serve --listen 127.0.0.1:${addressOf(server).port} --state ${folder}/s`);
  t.match(taken, {
    status: 2,
    err: /is in use by another program; stop that, or listen elsewhere with --listen/,
  });
  writeFileSync(join(folder, 'file'), '');
  const unusable = await relayapp(t, `serve --listen 127.0.0.1:0 --state ${folder}/file`);
  t.match(unusable, {
    status: 2,
    err: /state directory .* cannot be used \(EEXIST\); give another with --state/,
  });
  t.match(await relayapp(t, `serve --listen 127.0.0.1:0 --state ${folder}/s --telnet-from x`), { status: 2 });
});

const mayAllBind = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')) <= 23;

t.test('port 23 without permission', { skip: mayAllBind && 'everybody may bind port 23 here' }, async (t) => {
  const argv = ['serve', '--listen', '127.0.0.1:23', '--state', '/tmp/never-made'];
  const ran = run(t, RELAYAPP, argv, { cwd: '/', ...(isRoot ? { uid: 65_534 } : {}) });
  const refused = { status: await ran.status, err: ran.err() };
  t.match(refused, { status: 2, err: /no permission to listen on 127\.0\.0\.1:23: start as root/ });
});

t.test('root is given up, the state directory is private', { skip: !isRoot && 'needs root' }, async (t) => {
  const relay = await startRelay(t);
  const status = readFileSync(`/proc/${relay.child.pid}/status`, 'utf8');
  t.notMatch(status, /^[UG]id:.*\b0\b/m);
  t.match(status, /^Groups:\t(?!.*\b0\b)/m);
  t.equal(statSync(relay.state).mode & 0o777, 0o700);
  t.not(statSync(relay.state).uid, 0);
  for (const file of readdirSync(relay.state))
    t.equal(statSync(join(relay.state, file)).mode & 0o77, 0, file);
});

t.test(
  'a state directory behind a folder that only root passes',
  { skip: !isRoot && 'needs root' },
  async (t) => {
    const refused = await relayapp(t, `serve --listen 127.0.0.1:0 --state ${temporaryFolder(t)}/state`);
    const fix = 'give another with --state DIR, or open its parent folders';
    t.equal(refused.status, 2);
    t.match(refused.err, new RegExp(`^relayapp: .* cannot reach state directory .* \\(EACCES\\); ${fix}\n$`));
  },
);

t.test('a whole visit; nothing secret in process lists, environments, log and audit', async (t) => {
  const relay = await startRelay(t, '--verbose');
  const daemon = await startDaemon(t);
  t.match(await relayapp(t, `user add alice --state ${relay.state}`, 'correct horse\n'), { status: 0 });
  const made = await relayapp(t, `otp new --json --state ${relay.state}`);
  const { session, customerPassword, engineerPassword } = JSON.parse(made.out) as Record<string, string>;
  const folder = temporaryFolder(t);
  const customer = run(
    t,
    TNDCONNECT,
    ['-host', '127.0.0.1', '-port', String(relay.address.port), '-password', customerPassword].concat([
      '-target',
      `127.0.0.1:${daemon.address.port}`,
      '-consent',
      'auto',
      '-verbose',
    ]),
    { cwd: folder },
  );
  await until(() => customer.out().includes('waiting for the engineer') || customer.child.exitCode !== null);
  t.match(await relayapp(t, `sessions --state ${relay.state}`), { out: /awaitingEngineer/ });
  const engineer = await TestSocket.connect(t, relay.address);
  await engineer.logIn(session, engineerPassword);
  const site = await daemon.accepted();
  await engineer.has('daemon ready');
  const secrets = [customerPassword, customerPassword.slice(7, 18), engineerPassword, 'correct horse'];
  const seen = [relay.child.pid, customer.child.pid]
    .flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`])
    .map((file) => readFileSync(file, 'latin1'));
  site.socket.end();
  await engineer.ended;
  engineer.socket.end();
  t.equal(await customer.status, 0, customer.out() + customer.err());
  relay.child.kill('SIGTERM');
  t.equal(await relay.status, 0);
  const files = [
    join(folder, 'tndconnect.log'),
    join(relay.state, 'audit.jsonl'),
    join(relay.state, 'accounts.json'),
  ];
  const texts = [...seen, ...files.map((file) => readFileSync(file, 'latin1')), relay.err(), customer.out()];
  for (const secret of secrets)
    t.notOk(
      texts.some((text) => text.includes(secret)),
      secret,
    );
  t.match(readFileSync(files[0], 'utf8'), /shown {2}daemon ready/);
  t.match(readFileSync(files[1], 'utf8'), /"event":"session-end".*"outcome":"daemon"/);
});

t.test('SIGTERM with a visit: both people are told, both sides close, exit 0', async (t) => {
  const relay = await startRelay(t);
  const daemon = await startDaemon(t);
  const { session, customerPassword, engineerPassword } = JSON.parse(
    (await relayapp(t, `otp new --json --state ${relay.state}`)).out,
  ) as Record<string, string>;
  const customer = run(t, TNDCONNECT, [
    ...['-host', '127.0.0.1', '-port', String(relay.address.port), '-password', customerPassword],
    ...['-target', `127.0.0.1:${daemon.address.port}`, '-consent', 'auto'],
  ]);
  const engineer = await TestSocket.connect(t, relay.address);
  await engineer.logIn(session, engineerPassword);
  const site = await daemon.accepted();
  await engineer.has('daemon ready');
  relay.child.kill('SIGTERM');
  await engineer.has('(shutdown)');
  await Promise.all([engineer.ended, site.ended]);
  engineer.socket.end();
  site.socket.end();
  t.equal(await customer.status, 5);
  t.match(customer.out(), /the relay is shutting down/);
  t.equal(await relay.status, 0);
  t.notOk(readdirSync(relay.state).includes('control.sock'));
});

t.test('SIGINT ends tndconnect cleanly', async (t) => {
  const relay = await startRelay(t);
  const daemon = await startDaemon(t);
  const { customerPassword } = JSON.parse(
    (await relayapp(t, `otp new --json --secret cisco --state ${relay.state}`)).out,
  ) as Record<string, string>;
  const customer = run(
    t,
    TNDCONNECT,
    ['-host', '127.0.0.1', '-port', String(relay.address.port), '-password', '-'].concat([
      '-target',
      `127.0.0.1:${daemon.address.port}`,
    ]),
    { typed: `${customerPassword}\n` },
  );
  await until(() => customer.out().includes('waiting for the engineer') || customer.child.exitCode !== null);
  customer.child.kill('SIGINT');
  t.equal(await customer.status, 4);
  await until(() => relay.err().includes('"outcome":"customer"'));
});

t.test('a second relay does not take the state directory of the first', async (t) => {
  const relay = await startRelay(t);
  const second = await relayapp(t, `serve --listen 127.0.0.1:0 --state ${relay.state}`);
  t.match(second, { status: 2, err: /another relay runs with this state directory/ });
});
