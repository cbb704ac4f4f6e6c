/**
 * What goes in comes out: random bytes through a spliced visit of real processes, in both directions at once, compared
 * by their SHA-256; and half-closes, behind which the other side still has all its say.
 *
 * TEST_BULK_MIB sets the amount for each direction.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import t from 'tap';
import { escapeData } from '../wire/telnet-reader.ts';
import { openTunnel } from '../helpers/tunnel.ts';
import { Received, sendRandom } from '../helpers/bulk.ts';
import { fork, seededRandom } from '../wire/seeded.ts';

const BULK_BYTES = Number(process.env['TEST_BULK_MIB'] ?? 1_024) * 1_048_576;
const LATE_BYTES = 1_048_576;

/** For machines that are much slower than two cores of 2020. */
t.setTimeout(280_000);

t.test('bulk in both directions at once arrives bit for bit', async (t) => {
  const random = seededRandom(t);
  const { engineer, daemon, view } = await openTunnel(t);
  const [up, down] = await Promise.all([
    through(engineer, daemon, fork(random)),
    through(daemon, engineer, fork(random)),
  ]);
  t.equal(up.received, up.sent);
  t.equal(down.received, down.sent);
  const { bytesFromEngineer, bytesFromDaemon, queuedToEngineer, queuedToDaemon } = await view();
  t.equal(bytesFromEngineer, up.bytes, 'the relay counted what the engineer sent');
  t.ok(bytesFromDaemon >= down.bytes, 'and what the daemon sent, greeting included');
  t.same([queuedToEngineer, queuedToDaemon], [0, 0]);
});

async function through(from: Socket, to: Socket, random: ReturnType<typeof fork>) {
  const received = new Received(to);
  const { bytes, sha256 } = await sendRandom(from, random, BULK_BYTES);
  await received.reaches(bytes);
  return { bytes, sent: sha256, received: received.sha256() };
}

t.test('an engineer who sends no more still gets all that the daemon says', async (t) => {
  const random = seededRandom(t);
  const { engineer, daemon, connector } = await openTunnel(t);
  const late = escapeData(random.bytes(LATE_BYTES));
  const shown = new Received(engineer, { keep: true });
  const typed = new Received(daemon, { keep: true });
  engineer.end('last command\r\n');
  await once(daemon, 'end');
  t.equal(typed.kept().toString(), 'last command\r\n');
  daemon.end(late);
  await once(engineer, 'end');
  const all = shown.kept();
  t.ok(all.subarray(0, late.length).equals(late));
  t.match(all.subarray(late.length).toString(), /^\r\n.*\(engineer\)\r\n$/);
  t.equal((await connector.ended).code, 0);
});

t.test('a daemon that says no more still gets all that the engineer sends', async (t) => {
  const random = seededRandom(t);
  const { engineer, daemon, connector } = await openTunnel(t);
  const late = escapeData(random.bytes(LATE_BYTES));
  const shown = new Received(engineer, { keep: true });
  const typed = new Received(daemon, { keep: true });
  daemon.end('logout\r\n');
  await once(engineer, 'end');
  t.match(shown.kept().toString(), /^logout\r\n\r\n\[relay: .*daemon.*\]\r\n/);
  engineer.end(late);
  await once(daemon, 'end');
  t.ok(typed.kept().equals(late));
  t.equal((await connector.ended).code, 0);
});
