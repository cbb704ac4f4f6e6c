/**
 * The hand-over against models: a client and a daemon by the book (RFC 1143), bytes on the way in random order.
 *
 * Whatever the daemon does and when, negotiation dies down, both ends come to the same view of ECHO and SGA, and all
 * other bytes arrive unchanged. The seed is printed.
 */
import t from 'tap';
import { EngineerTelnet } from '../../src/relay/engineer-telnet.ts';
import { DONT, OPTION, encodeOption } from '../../src/wire/telnet.ts';
import { seededRandom } from '../wire/seeded.ts';
import type { SeededRandom } from '../wire/seeded.ts';
import { SPECIAL_BYTES, TELNET_FRAMES, hex } from '../wire/telnet-frames.ts';
import { OPTIONS, World } from './telnet-world.ts';

const RUNS = 3_000;

t.test(
  'both ends agree when a visit comes to rest, whatever the daemon does and however bytes interleave',
  async (t) => {
    const random = seededRandom(t);
    for (let run = 0; run < RUNS; run++) {
      const problem = oneVisit(random);
      if (problem) t.fail(`run ${run}: ${problem}`);
    }
    t.pass(`${RUNS} visits`);
  },
);

t.test('a visit after one that broke off anywhere begins as agreed as the first', async (t) => {
  const random = seededRandom(t);
  for (let run = 0; run < RUNS; run++) {
    const world = new World(random, true);
    world.beginVisit();
    world.leave();
    if (!world.telnet.echoing || !world.client.isOn(OPTION.ECHO) || !world.client.isOn(OPTION.SGA)) {
      t.fail(`run ${run}: no echo after the visit`);
    }
    const problem = world.visit();
    if (problem) t.fail(`run ${run}: ${problem}`);
  }
  t.pass(`${RUNS} pairs of visits`);
});

t.test('a hand-over that is never settled passes any bytes on unchanged', async (t) => {
  const random = seededRandom(t);
  // No DONT, so that the relay goes on waiting for the client's two.
  const alphabet = SPECIAL_BYTES.filter((byte) => byte !== DONT);
  for (let run = 0; run < RUNS; run++) {
    const { telnet, out } = yielding();
    const fromClient = randomBytes(random, alphabet);
    const fromDaemon = randomBytes(random, alphabet);
    for (const chunk of cut(fromClient, random)) telnet.fromClient(chunk);
    for (const chunk of cut(fromDaemon, random)) telnet.fromDaemon(chunk);
    if (!isAllButACommand(fromClient, out.toDaemon())) t.same(out.toDaemon(), fromClient, 'to the daemon');
    if (!isAllButACommand(fromDaemon, out.toClient())) t.same(out.toClient(), fromDaemon, 'to the client');
  }
  t.pass(`${RUNS} streams`);
});

t.test('a hand-over that settles in mid-stream takes out the two DONTs and nothing else', async (t) => {
  const random = seededRandom(t);
  const frames = TELNET_FRAMES.map(({ wire }) => hex(wire));
  for (let run = 0; run < RUNS; run++) {
    const { telnet, out } = yielding();
    const before = Buffer.concat([
      frames[random.integer(frames.length)],
      frames[random.integer(frames.length)],
    ]);
    const after = randomBytes(random, SPECIAL_BYTES);
    const daemon = randomBytes(random, SPECIAL_BYTES);
    const sent = Buffer.concat([before, ...OPTIONS.map((option) => encodeOption(DONT, option)), after]);
    const daemonChunks = cut(daemon, random);
    for (const chunk of cut(sent, random)) {
      telnet.fromClient(chunk);
      for (const piece of daemonChunks.splice(0, 2)) telnet.fromDaemon(piece);
    }
    for (const piece of daemonChunks) telnet.fromDaemon(piece);
    if (!out.toDaemon().equals(Buffer.concat([before, after])))
      t.same(out.toDaemon(), Buffer.concat([before, after]));
    if (!out.toClient().equals(daemon)) t.same(out.toClient(), daemon);
  }
  t.pass(`${RUNS} streams`);
});

/** Returns what is wrong, if anything. */
function oneVisit(random: SeededRandom): string | undefined {
  return new World(random, random.integer(4) > 0).visit();
}

/** A visit whose daemon spoke first: the client's two DONTs are still to be swallowed. */
function yielding(): { telnet: EngineerTelnet; out: { toClient(): Buffer; toDaemon(): Buffer } } {
  let toClient: Uint8Array[] = [];
  const toDaemon: Uint8Array[] = [];
  const telnet = new EngineerTelnet({
    toClient: (bytes) => toClient.push(bytes),
    toDaemon: (bytes) => toDaemon.push(bytes),
    typed() {},
    interrupt() {},
    synced() {},
    settled() {},
    overflow() {},
  });
  telnet.greet();
  telnet.fromClient(hex('ff fd 01 ff fd 03'));
  telnet.startSync();
  telnet.fromClient(hex('ff fc 06'));
  telnet.beginVisit();
  telnet.fromDaemon(hex('78'));
  toClient = [];
  return {
    telnet,
    out: { toClient: () => Buffer.concat(toClient), toDaemon: () => Buffer.concat(toDaemon) },
  };
}

/** Whether `seen` is `sent`, but for at most two bytes at the end: a command of which the rest has not come. */
function isAllButACommand(sent: Buffer, seen: Buffer): boolean {
  return sent.length - seen.length <= 2 && sent.subarray(0, seen.length).equals(seen);
}

function randomBytes(random: SeededRandom, alphabet: readonly number[]): Buffer {
  return Buffer.from(Array.from({ length: 60 }, () => alphabet[random.integer(alphabet.length)]));
}

function cut(bytes: Buffer, random: SeededRandom): Buffer[] {
  const chunks: Buffer[] = [];
  for (let from = 0; from < bytes.length;) {
    const to = from + 1 + random.integer(6);
    chunks.push(bytes.subarray(from, to));
    from = to;
  }
  return chunks;
}
