/**
 * The management commands against a running relay, over the real socket.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { PassThrough } from 'node:stream';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { Log } from '../../src/base/log.ts';
import { helpRelay, runCommand } from '../../src/relay/commands.ts';
import { BARE_NEEDS_SECRET } from '../../src/relay/control-protocol.ts';
import { ControlServer } from '../../src/relay/control-server.ts';
import { CONFIRMATION_TRIES_MAX } from '../../src/relay/limits.ts';
import { audited, dialEngineer } from '../helpers/people.ts';
import { startRig } from '../helpers/rig.ts';

const silent = new Log(systemClock, () => {});

async function startManaged(t: Test) {
  const rig = await startRig(t);
  const control = new ControlServer(rig.relay, systemClock, silent);
  await control.listen(rig.state.controlSocket);
  t.teardown(() => control.close());
  const folder = dirname(rig.state.controlSocket);
  const prompts = new PassThrough({ encoding: 'utf8' });
  const run = (line: string, typed = ''): Promise<string> => {
    const input = new PassThrough();
    input.end(typed);
    const [name = '', ...argv] = line.split(' ');
    return runCommand(name, [...argv, '--state', folder], {
      ...{ env: {}, homeDirectory: '/', isRoot: false, clock: systemClock },
      terminal: { input: input as never, prompts },
    });
  };
  /** What was said besides the output. */
  const said = () => String(prompts.read() ?? '');
  return { rig, run, said, control };
}

t.test('accounts: add, list, passwd, disable, remove', async (t) => {
  const { rig, run } = await startManaged(t);
  t.equal(await run('user add alice --role admin', 'correct horse\n'), 'account alice added, role admin\n');
  t.ok(await rig.relay.accounts.check('alice', 'correct horse', '127.0.0.1'));
  t.match(await run('user list'), /NAME +ROLE +STATE\nalice +admin +enabled\n/);
  await run('user passwd alice', 'battery staple\n');
  t.ok(await rig.relay.accounts.check('alice', 'battery staple', '127.0.0.1'));
  await run('user disable alice');
  t.match(await run('user list'), /alice +admin +disabled/);
  t.match(audited(rig, 'account-changed')[0], { act: 'add', name: 'alice', role: 'admin' });
  await run('user remove alice');
  t.equal(await run('user list'), 'NAME  ROLE  STATE\n');
});

t.test('otp new prints what both people need, as text and as JSON', async (t) => {
  const { run } = await startManaged(t);
  t.match(
    await run('otp new --label printer'),
    /session +\d{4}-\d{4}\ncustomer password +[0-9A-Z]{6}-[0-9A-Z]{5}-/,
  );
  const made = JSON.parse(await run('otp new --json --ttl 2m')) as Record<string, string>;
  t.same(Object.keys(made), ['session', 'customerPassword', 'engineerPassword', 'expiresAt']);
  t.match(made['engineerPassword'], /^[0-9A-Z]{5}-[0-9A-Z]{5}$/);
  const remaining = Date.parse(made['expiresAt']) - Date.now();
  t.ok(remaining > 60_000 && remaining <= 120_000);
});

t.test('a chosen secret is printed behind its nameplate, and read from standard input', async (t) => {
  const { run } = await startManaged(t);
  t.match(await run('otp new --secret cisco'), /customer password +[0-9A-Z]{6}-cisco\n/);
  t.match(await run('otp new --secret -', 'geheim\n'), /-geheim\n/);
  await t.rejects(run('otp new --secret abc'), { name: 'OperatorError', status: 2 });
});

t.test('whoever chooses a short secret learns the odds, apart from the output', async (t) => {
  const { run, said } = await startManaged(t);
  for (const form of ['', ' --json']) {
    await run(`otp new --secret cisco${form}`);
    t.match(said(), /^relayapp: this secret is short\. .* one guess .* at most 12,000,000 secrets .*\n$/);
  }
  await run('otp new --secret correct-horse-battery');
  await run('otp new');
  t.equal(said(), '');
});

t.test('a bare password is the secret alone, and whoever makes it learns what that means', async (t) => {
  const { run, said } = await startManaged(t);
  await t.rejects(run('otp new --bare'), { message: BARE_NEEDS_SECRET });
  t.equal(said(), '', 'no secret was asked for');
  const made = JSON.parse(await run('otp new --bare --secret cisco --json')) as Record<string, string>;
  t.equal(made['customerPassword'], 'cisco');
  t.match(said(), /^relayapp: this secret is short\. .*\nrelayapp: This password is bare, .* burn it\.\n$/);
  t.equal(CONFIRMATION_TRIES_MAX, 3, 'as it says');
  await t.rejects(run('otp new --bare --secret -', 'geheim\n'), {
    message: new RegExp(
      `^session ${made['session']} has a bare password, .* relayapp close ${made['session']}$`,
    ),
  });
  t.equal(said(), '');
  await run(`close ${made['session']}`);
  t.match(await run('otp new --bare --secret -', 'correct horse battery\n'), / +correct horse battery\n/);
  t.match(said(), /^relayapp: This password is bare, .*\n$/, 'also of a long one');
});

t.test('a session that is made for an account is as if that account had made it', async (t) => {
  const { rig, run } = await startManaged(t);
  for (const name of ['alice', 'carol']) await run(`user add ${name}`, 'correct horse\n');
  await run('user disable carol');
  const made = JSON.parse(await run('otp new --owner alice --json')) as { session: string };
  const other = JSON.parse(await run('otp new --json')) as { session: string };
  t.match(audited(rig, 'password-made'), [
    { session: made.session, owner: 'alice' },
    { session: other.session, owner: null },
  ]);
  const engineer = await dialEngineer(rig);
  await engineer.logIn('alice', 'correct horse');
  engineer.write('list\r\n');
  await engineer.has(made.session);
  t.notMatch(engineer.text, other.session);
  engineer.write(`open ${made.session}\r\n`);
  await engineer.has('Waiting for the customer');
  await run('user add olga --role observer', 'correct horse\n');
  const watched = JSON.parse(await run('otp new --owner olga --json')) as { session: string };
  const observer = await dialEngineer(rig);
  await observer.logIn('olga', 'correct horse');
  observer.write('list\r\n');
  await observer.has(watched.session);
  t.notMatch(observer.text, made.session);
  await t.rejects(run('otp new --owner bob'), {
    message: 'there is no account "bob"; see: relayapp user list',
  });
  await t.rejects(run('otp new --owner carol'), {
    message: 'account carol is disabled; name another one, see: relayapp user list',
  });
  t.equal(rig.relay.sessions.size, 3, 'those that were refused made none');
});

t.test('sessions and close', async (t) => {
  const { rig, run } = await startManaged(t);
  const { session } = await rig.invite({ label: 'Büro \u001b[31m' });
  t.match(await run('sessions'), new RegExp(`${session.id} +awaitingCustomer .*Büro \\[31m`));
  t.match(JSON.parse(await run('sessions --json')), [{ session: session.id, state: 'awaitingCustomer' }]);
  t.equal(await run(`close ${session.id.replace('-', '')}`), `session ${session.id} closed\n`);
  t.match(audited(rig, 'session-closed'), [{ session: session.id }]);
  t.equal(JSON.parse(await run('sessions --json')).length, 0);
  await t.rejects(run(`close ${session.id}`), /there is no session/);
});

t.test('what is mistyped is one line that names the fix', async (t) => {
  const { run } = await startManaged(t);
  await t.rejects(async () => run('sesions'), /there is no command "sesions"; run `relayapp help`/);
  await t.rejects(run('user add'), /usage: relayapp user add/);
  await t.rejects(run('user frobnicate alice'), /usage: relayapp user add/);
  await t.rejects(run('user add alice --role king', 'x'), /--role must be one of/);
  await t.rejects(run('user add alice', ''), /holds no password/);
  await t.rejects(run('otp'), /usage: relayapp otp new/);
  await t.rejects(run('otp new --ttl 2h'), /from 1s to 1h/);
  await t.rejects(run('close'), /usage: relayapp close ID/);
  t.match(helpRelay(), /relayapp serve\n[^]*relayapp close ID/);
});

t.test('without a relay, or without the right to ask it', async (t) => {
  const { run, control } = await startManaged(t);
  await control.close();
  await t.rejects(
    run('sessions'),
    /no relay answers at .* \(ENOENT\); start one with relayapp serve, or name its --state/,
  );
});

t.test('the socket is private, and a second relay does not take it over', async (t) => {
  const { rig } = await startManaged(t);
  t.equal(statSync(rig.state.controlSocket).mode & 0o777, 0o600);
  const second = new ControlServer(rig.relay, systemClock, silent);
  await t.rejects(second.listen(rig.state.controlSocket), /another relay runs with this state directory/);
});

t.test('a socket that a crash left behind is replaced', async (t) => {
  const { rig, run, control } = await startManaged(t);
  await control.close();
  const script =
    'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))';
  spawnSync(process.execPath, ['-e', script, rig.state.controlSocket]);
  t.ok(existsSync(rig.state.controlSocket), 'left behind');
  const next = new ControlServer(rig.relay, systemClock, silent);
  await next.listen(rig.state.controlSocket);
  t.teardown(() => next.close());
  t.equal(await run('sessions --json'), '[]\n');
});

t.test('hostile requests are answered or dropped, and the relay goes on', async (t) => {
  const { rig, run } = await startManaged(t);
  const ask = (bytes: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(rig.state.controlSocket);
      let answer = '';
      socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
      socket.on('error', () => {});
      socket.on('close', () => resolve(answer));
      socket.write(bytes);
    });
  for (const request of [
    '{}',
    '[]',
    'null',
    '{"name":"__proto__","request":{}}',
    '{"name":"constructor","request":{}}',
  ]) {
    t.match(JSON.parse(await ask(`${request}\n`)), { ok: false }, request);
  }
  for (const name of ['user-add', 'user-passwd', 'user-disable', 'user-remove', 'otp-new', 'close']) {
    t.match(JSON.parse(await ask(`${JSON.stringify({ name, request: {} })}\n`)), { ok: false }, name);
  }
  const order = { label: '', ttlMs: 60_000, secret: null };
  for (const more of [{ bare: true }, { bare: 1 }, { owner: 7 }, { owner: 'nobody' }]) {
    const request = { name: 'otp-new', request: { ...order, ...more } };
    t.match(JSON.parse(await ask(`${JSON.stringify(request)}\n`)), { ok: false }, JSON.stringify(more));
  }
  t.match(JSON.parse(await ask('not json\n')), { ok: false });
  t.equal(await ask('x'.repeat(200_000)), '', 'endless: dropped');
  t.equal(JSON.parse(await run('sessions --json')).length, 0);
});

t.test('what a command does not take is refused before anything is asked or done', async (t) => {
  const { run, said } = await startManaged(t);
  await t.rejects(run('user add 4821-9375'), /account names begin with a letter/);
  await t.rejects(run('user passwd alice --role admin'), /--role goes with user add/);
  await t.rejects(run('sessions extra'), /usage: relayapp sessions/);
  t.equal(said(), '', 'no password was asked for');
});
