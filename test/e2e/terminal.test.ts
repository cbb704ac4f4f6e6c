/**
 * tndconnect as a real process on a real terminal: one that is not read, one that goes away, one that the daemon
 * leaves in disorder; keys, signals and the password prompt. And the demo, whose terminal goes away.
 */
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { dialEngineer, inviteFor, outcomesOf } from '../helpers/people.ts';
import { freePort } from '../helpers/daemons.ts';
import { skipUnless } from '../helpers/peers.ts';
import { isRunning } from '../helpers/processes.ts';
import { startDaemon, startRig, temporaryFolder, until } from '../helpers/rig.ts';
import { Terminal } from '../helpers/terminal.ts';

const program = fileURLToPath(new URL('../../src/connector/main.js', import.meta.url));
const relay = fileURLToPath(new URL('../../src/relay/main.js', import.meta.url));
const demo = fileURLToPath(new URL('../../scripts/lib/demo.js', import.meta.url));
const CUSTOMER_ENDED = 4;
const CUT = '[some output was not shown here; the log has all of it]';
const skip = skipUnless('expect');

interface Setting {
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Starts the program; `$@` is its command line. Default: the program alone. */
  readonly shell?: string;
  readonly greeting?: string | Uint8Array;
}

async function startCustomer(t: Test, setting: Setting = {}) {
  const rig = await startRig(t);
  const daemon = await startDaemon(t, setting.greeting);
  const invited = await inviteFor(rig, 'session');
  const folder = temporaryFolder(t);
  chmodSync(folder, 0o777); // for whomever the program runs as
  const log = join(folder, 'tndconnect.log');
  const command = [
    ...[
      process.execPath,
      program,
      '-host',
      rig.address.host,
      '-port',
      String(rig.address.port),
      '-file',
      log,
    ],
    ...['-target', `${daemon.address.host}:${daemon.address.port}`, '-password'],
    ...(setting.args ?? [invited.customerPassword]),
  ];
  // No status line, which would come in between: only one test is about it.
  const env = { FOLDER: folder, TERM: 'vt220', ...setting.env };
  const shell = setting.shell === undefined ? [] : ['/bin/sh', '-c', setting.shell, 'sh'];
  const terminal = await Terminal.run([...shell, ...command], { env });
  t.teardown(() => terminal.stop());
  return { rig, daemon, invited, terminal, folder, log: () => readFileSync(log, 'utf8') };
}

type Customer = Awaited<ReturnType<typeof startCustomer>>;

/** The engineer comes; the customer is asked. */
async function askFor({ rig, terminal, invited }: Customer) {
  await terminal.await('waiting for the engineer');
  const engineer = await dialEngineer(rig);
  await engineer.logIn(invited.session.id, invited.engineerPassword);
  return engineer;
}

async function startVisit(customer: Customer) {
  const engineer = await askFor(customer);
  await customer.terminal.await('(y/n, 60 s) ');
  customer.terminal.send('y');
  const site = await customer.daemon.accepted();
  await customer.terminal.await('Ctrl+C ends the visit.');
  return { engineer, site };
}

const ROW = `${'x'.repeat(78)}\r\n`;
const ROWS = 20_000;
const FLOOD = ROW.repeat(ROWS);

const isRoot = process.getuid?.() === 0;

for (const [whose, shell, options] of [
  ['', 'exec "$@"', { skip }],
  [
    ", also when it is somebody else's",
    'exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"',
    { skip: skip || (!isRoot && 'needs root') },
  ],
] as const) {
  t.test(
    `a terminal that nobody reads holds up neither the visit nor its end${whose}`,
    options,
    async (t) => {
      const customer = await startCustomer(t, { shell });
      const { engineer, site } = await startVisit(customer);
      site.write(`${FLOOD}end of flood`);
      await engineer.has('end of flood');
      await until(() => customer.log().includes('end of flood'));
      // A row that had to wait is in two lines.
      const shown = customer
        .log()
        .split('\n')
        .filter((line) => !line.includes('  event  '));
      t.equal(shown.join('').split('x').length, ROWS * 78 + 1, 'the log has all of it');
      process.kill(customer.terminal.pid, 'SIGTERM');
      await engineer.ended;
      await until(() => !isRunning(customer.terminal.pid));
      t.same(outcomesOf(customer.rig, customer.invited), ['customer']);
    },
  );
}

t.test('a terminal that is read shows all of it, at its own speed', { skip }, async (t) => {
  const customer = await startCustomer(t);
  const { engineer, site } = await startVisit(customer);
  site.write(`${FLOOD}end of flood`);
  const shown = await customer.terminal.await('end of flood', 60);
  t.equal(shown.split('x'.repeat(78)).length, ROWS + 1);
  t.notMatch(shown, CUT);
  await engineer.has('end of flood');
  site.socket.end();
  await engineer.ended;
  engineer.socket.end();
  t.equal(await customer.terminal.awaitEnd(), 0);
});

t.test(
  'a terminal that is read again says that output is missing, and shows the rest',
  { skip },
  async (t) => {
    const customer = await startCustomer(t);
    const { engineer, site } = await startVisit(customer);
    site.write(`\x1b[31m${FLOOD}end of flood`);
    await engineer.has('end of flood');
    const shown = await customer.terminal.await(`${CUT}\r\n`);
    t.ok(shown.endsWith(`\x1b[0m\r\r\n${CUT}\r\n`), 'colours are back');
    site.write('shown again');
    await customer.terminal.await('shown again');
    site.socket.end();
    await engineer.ended;
    engineer.socket.end();
    t.equal(await customer.terminal.awaitEnd(), 0);
  },
);

t.test('the last line is shown, before it the terminal is as it was', { skip }, async (t) => {
  const greeting = '\x1b[?1049h\x1b[?25l\x1b[31m\x1b[5;10rdisorder';
  const customer = await startCustomer(t, { greeting, env: { TERM: 'xterm' } });
  const { engineer, site } = await startVisit(customer);
  await customer.terminal.await('disorder');
  site.socket.end();
  await engineer.ended;
  engineer.socket.end();
  const undone = '\x1b7\x1b[r\x1b8\x1b[?1049l\x1b[?25h\x1b[0m';
  const ownTitle = '\x1b]2;\x07\x1b[23;2t';
  await customer.terminal.await(`${undone}${ownTitle}\r\r\n`);
  await customer.terminal.await('(daemon)\r\n');
  t.equal(await customer.terminal.awaitEnd(), 0);
});

for (const [locale, shown] of [
  ['de_DE.ISO-8859-1', '[2Jgr\xfc\xdfe'],
  ['C.UTF-8', '\xef\xbf\xbd[2Jgr\xef\xbf\xbd\xef\xbf\xbde'],
] as const) {
  t.test(`no control of the terminal's own character set: ${locale}`, { skip }, async (t) => {
    const greeting = Buffer.from('>\x9b[2Jgr\xfc\xdfe<', 'latin1');
    const customer = await startCustomer(t, { greeting, env: { LC_ALL: locale } });
    await startVisit(customer);
    t.match(await customer.terminal.await('<'), `>${shown}<`);
    customer.terminal.send('\x03');
    t.equal(await customer.terminal.awaitEnd(), CUSTOMER_ENDED);
  });
}

for (const [how, onHangUp] of [
  ['a hang-up signal', 'kill -HUP $!'],
  ['no signal, only the end of the input', ':'],
] as const) {
  t.test(`closing the terminal ends the visit in good order: ${how}`, { skip }, async (t) => {
    const shell = `trap '${onHangUp}' HUP; "$@" < /dev/tty & wait $!; wait $!; echo $? > "$FOLDER/status"`;
    const customer = await startCustomer(t, { shell });
    const { engineer } = await startVisit(customer);
    await customer.terminal.hangUp();
    await engineer.ended;
    t.equal(await fileOf(customer, 'status'), `${CUSTOMER_ENDED}\n`);
    t.same(outcomesOf(customer.rig, customer.invited), ['customer']);
    t.match(customer.log(), /You ended the session/);
  });
}

t.test('a second Ctrl+C ends at once what the first has to wait for', { skip }, async (t) => {
  const customer = await startCustomer(t, { shell: `trap : INT; "$@"; echo $? > "$FOLDER/status"` });
  const { engineer } = await startVisit(customer);
  customer.terminal.send('\x03');
  // The daemon does not close its side, so last bytes may still come.
  await customer.terminal.await('You ended the session. (customer)');
  customer.terminal.send('\x03');
  t.equal(await fileOf(customer, 'status'), '130\n', 'killed by the signal');
  await engineer.ended;
});

for (const [what, act] of [
  ['Ctrl+C', ({ terminal }: Customer) => terminal.send('\x03')],
  ['Ctrl+D', ({ terminal }: Customer) => terminal.send('\x04')],
  ['SIGTERM', (_: Customer, pid: number) => process.kill(pid, 'SIGTERM')],
  ['SIGHUP', (_: Customer, pid: number) => process.kill(pid, 'SIGHUP')],
  ['SIGQUIT', (_: Customer, pid: number) => process.kill(pid, 'SIGQUIT')],
] as const) {
  t.test(`${what} at the password prompt: the usual status, and a usable terminal`, { skip }, async (t) => {
    const customer = await startCustomer(t, {
      args: ['-'],
      shell:
        '"$@" < /dev/tty & echo $! > "$FOLDER/pid"; wait $!; echo $? > "$FOLDER/status"; stty -a > "$FOLDER/modes"',
    });
    await customer.terminal.await('One-time password: ');
    act(customer, Number(await fileOf(customer, 'pid')));
    t.match(await fileOf(customer, 'modes'), /\sicanon .*\secho /s);
    t.equal(await fileOf(customer, 'status'), `${CUSTOMER_ENDED}\n`);
    t.match(customer.log(), /event {2}interrupted/);
  });
}

for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT'] as const) {
  t.test(`${signal} at a prompt of the relay's commands: a usable terminal`, { skip }, async (t) => {
    const folder = temporaryFolder(t);
    const shell =
      '"$@" < /dev/tty & echo $! > "$FOLDER/pid"; wait $!; echo $? > "$FOLDER/status"; stty -a > "$FOLDER/modes"';
    const command = [process.execPath, relay, 'user', 'add', 'alice', '--state', folder];
    const terminal = await Terminal.run(['/bin/sh', '-c', shell, 'sh', ...command], {
      env: { FOLDER: folder },
    });
    t.teardown(() => terminal.stop());
    await terminal.await('Password for alice: ');
    process.kill(Number(await fileOf({ folder }, 'pid')), signal);
    t.match(await fileOf({ folder }, 'modes'), /\sicanon .*\secho /s);
    t.equal(await fileOf({ folder }, 'status'), `${128 + constants.signals[signal]}\n`);
  });
}

const skipDemo = skipUnless('expect', 'busybox');

t.test('closing the terminal of the demo leaves nothing behind', { skip: skipDemo }, async (t) => {
  const folder = temporaryFolder(t);
  chmodSync(folder, 0o711); // started as root, the relay becomes somebody else
  const command = [process.execPath, demo, '--port', String(await freePort())];
  const terminal = await Terminal.run(command, { env: { TMPDIR: folder } });
  t.teardown(() => terminal.stop());
  await terminal.await('Ctrl+C ends the demo');
  t.equal(readdirSync(folder).length, 1);
  await terminal.hangUp();
  await until(() => !isRunning(terminal.pid));
  t.same(readdirSync(folder), []);
});

/** What the shell around the program writes, once it is there. */
async function fileOf({ folder }: Pick<Customer, 'folder'>, name: string): Promise<string> {
  const read = (): string => {
    try {
      return readFileSync(join(folder, name), 'latin1');
    } catch {
      return '';
    }
  };
  await until(() => read().endsWith('\n'));
  return read();
}
