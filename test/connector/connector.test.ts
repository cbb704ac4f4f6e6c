/**
 * What tndconnect does when something is wrong before there is a visit: one clear line, the documented status, and
 * nothing dialled that need not be.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { HostPort } from '../../src/base/address.ts';
import { addressOf } from '../../src/relay/listeners.ts';
import { BARE_ODDS } from '../../src/wire/password.ts';
import { holdVisit } from '../helpers/people.ts';
import { startDaemon, startRig } from '../helpers/rig.ts';

/** A server on port 0 that does `onConnection`, and counts. */
async function startServer(
  t: Test,
  onConnection: (socket: Socket) => void,
): Promise<{ address: HostPort; dials: () => number }> {
  let dials = 0;
  const server: Server = createServer((socket) => {
    dials += 1;
    socket.on('error', () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return { address: addressOf(server), dials: () => dials };
}

/** A port that nobody listens on. */
async function freeAddress(): Promise<HostPort> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = addressOf(server);
  await new Promise((resolve) => server.close(resolve));
  return address;
}

t.test('a mistyped password is caught before any packet', async (t) => {
  const rig = await startRig(t);
  const daemon = await startServer(t, (socket) => socket.end());
  const { customerPassword } = await rig.invite();
  for (let at = 0; at < customerPassword.length; at += 1) {
    if (customerPassword[at] === '-') continue;
    const wrong = customerPassword[at] === 'X' ? 'Y' : 'X';
    const typo = customerPassword.slice(0, at) + wrong + customerPassword.slice(at + 1);
    await t.rejects(
      rig.connect(typo, daemon.address).done,
      { name: 'OperatorError', status: 2 },
      `position ${at}`,
    );
    const dropped = customerPassword.slice(0, at) + customerPassword.slice(at + 1);
    await t.rejects(
      rig.connect(dropped, daemon.address).done,
      { name: 'OperatorError', status: 2 },
      `without position ${at}`,
    );
  }
  t.equal(daemon.dials(), 0);
  t.equal(rig.relay.connections, 0);
});

t.test('no daemon: the relay is not dialled', async (t) => {
  const relay = await startServer(t, (socket) => socket.end());
  const rig = await startRig(t);
  const customer = rig.connect(`AAAAAA-cisco`, await freeAddress(), { relay: relay.address });
  t.equal(await customer.done, 20);
  t.match(
    customer.screen(),
    /No telnet daemon answers at 127\.0\.0\.1:\d+ \(ECONNREFUSED\); start it, or name another/,
  );
  t.equal(relay.dials(), 0);
});

t.test('no relay there', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const customer = rig.connect('AAAAAA-cisco', daemon.address, { relay: await freeAddress() });
  t.equal(await customer.done, 22);
  t.match(customer.screen(), /cannot be reached \(ECONNREFUSED\); check -host and -port, or try -port 80/);
});

t.test('a name that DNS cannot find names the hosts file', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const customer = rig.connect('AAAAAA-cisco', daemon.address, {
    relay: { host: 'relay.invalid', port: 23 },
  });
  t.equal(await customer.done, 21);
  t.match(
    customer.screen(),
    /DNS does not find relay\.invalid; check -host, or add a line .* to \/etc\/hosts/,
  );
});

t.test('a relay that answers in plain text is dialled once more, and no more', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const plain = await startServer(t, (socket) => void socket.write('220 mail.example ESMTP\r\n'));
  const customer = rig.connect('AAAAAA-cisco', daemon.address, { relay: plain.address });
  t.equal(await customer.done, 23);
  t.match(customer.screen(), /is reached but is no relay \(it answers in plain text\)/);
  t.equal(plain.dials(), 2);
});

for (const [what, greeted] of [
  ['control', 1],
  ['data', 2],
] as const) {
  t.test(`a relay that greeted before it saw TLS is reached by the second dial (${what})`, async (t) => {
    const rig = await startRig(t);
    const daemon = await startDaemon(t);
    const slowLine = await startServer(t, (socket) => {
      if (slowLine.dials() === greeted)
        return void socket.write('\xff\xfb\x01\xff\xfb\x03relay login: ', 'latin1');
      const onward = connect(rig.address);
      socket.pipe(onward).pipe(socket);
      onward.on('error', () => {});
    });
    const { engineer } = await holdVisit(rig, daemon, 'session', { relay: slowLine.address });
    t.match(engineer.text, /daemon ready/);
    t.equal(slowLine.dials(), 3);
  });
}

t.test('a server that hangs up at once', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const server = await startServer(t, (socket) => socket.destroy());
  const customer = rig.connect('AAAAAA-cisco', daemon.address, { relay: server.address });
  t.equal(await customer.done, 23);
});

t.test('a wrong, unknown, expired or used password: one answer, one dial', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const answers: string[] = [];
  const expect = async (password: string): Promise<void> => {
    const customer = rig.connect(password, daemon.address);
    t.equal(await customer.done, 24);
    answers.push(customer.screen().split('\n').at(-2)!);
  };
  const { customerPassword } = await rig.invite({ secret: 'cisco' });
  await expect(customerPassword.replace('cisco', 'cisca'));
  await expect(`${customerPassword[0] === 'A' ? 'B' : 'A'}${customerPassword.slice(1)}`);
  const used = rig.connect(customerPassword, daemon.address);
  await used.shows('waiting for the engineer');
  await expect(customerPassword);
  const expired = await rig.invite({ secret: 'cisco' });
  rig.relay.sessions.close(expired.session);
  await expect(expired.customerPassword);
  t.equal(new Set(answers).size, 1);
  t.match(
    answers[0],
    /was not accepted: it is wrong, expired or used, or somebody is between you and the relay/,
  );
  used.connector.interrupt();
  t.equal(await used.done, 4);
  await rig.settled();
});

t.test('a short chosen secret is told its odds, a made one is not', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const chosen = await rig.invite({ secret: 'cisco' });
  const first = rig.connect(chosen.customerPassword, daemon.address);
  await first.shows('waiting for the engineer');
  t.match(first.screen(), /This password is short\. .* at most 12,000,000 secrets/);
  const made = await rig.invite();
  const second = rig.connect(made.customerPassword, daemon.address);
  await second.shows('waiting for the engineer');
  t.notMatch(second.screen(), /short/);
});

t.test('a bare password is told what it is, short or not', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  for (const secret of ['cisco', 'correct horse battery']) {
    await rig.invite({ secret, bare: true });
    const customer = rig.connect(secret, daemon.address);
    await customer.shows('waiting for the engineer');
    t.match(customer.screen(), BARE_ODDS);
    t.equal(customer.screen().includes('This password is short.'), secret === 'cisco');
  }
});

t.test('without a visit it ends by itself', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const { customerPassword } = await rig.invite();
  const customer = rig.connect(customerPassword, daemon.address, {
    args: ['-consent', 'auto', '-wait', '1s'],
  });
  t.equal(await customer.done, 12);
  await rig.settled();
});

t.test('without a terminal every visit is refused, unless -consent auto was given', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const { session, customerPassword, engineerPassword } = await rig.invite();
  const customer = rig.connect(customerPassword, daemon.address, { args: ['-consent', 'ask'] });
  await customer.shows('waiting for the engineer');
  const engineer = await rig.dial();
  await engineer.logIn(session.id, engineerPassword);
  await engineer.has('(refused)');
  t.equal(await customer.done, 7);
  t.match(customer.screen(), /There is no terminal to ask at: use -consent auto/);
});

t.test('-noecho silences the console, the log keeps everything', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t, 'for your eyes\r\n');
  const { session, customerPassword, engineerPassword } = await rig.invite();
  const customer = rig.connect(customerPassword, daemon.address, { args: ['-consent', 'auto', '-noecho'] });
  await customer.shows('waiting for the engineer');
  const engineer = await rig.dial();
  await engineer.logIn(session.id, engineerPassword);
  const site = await daemon.accepted();
  await engineer.has('for your eyes');
  site.socket.end();
  await engineer.ended;
  engineer.socket.end();
  t.equal(await customer.done, 0);
  t.notMatch(customer.screen(), /for your eyes/);
  t.match(customer.log(), /shown {2}for your eyes/);
});

t.test('what hides the visit is refused, and the visit goes on', async (t) => {
  const rig = await startRig(t);
  // WILL ENCRYPT, DO ENCRYPT, then text
  const daemon = await startDaemon(t, Buffer.from('\xff\xfb\x26\xff\xfd\x26hello\r\n', 'latin1'));
  const { session, customerPassword, engineerPassword } = await rig.invite();
  const customer = rig.connect(customerPassword, daemon.address);
  await customer.shows('waiting for the engineer');
  const engineer = await rig.dial();
  await engineer.logIn(session.id, engineerPassword);
  const site = await daemon.accepted();
  await site.has('\xff\xfe\x26\xff\xfc\x26');
  await engineer.has('hello');
  t.notOk(engineer.text.includes('\x26'), 'the engineer never hears of it');
  site.socket.end();
  await engineer.ended;
});
