/** One engineer's telnet connection: example dialogues, every way of cutting them, and hostile clients. */
import t from 'tap';
import { EngineerTelnet } from '../../src/relay/engineer-telnet.ts';
import { HELD_LIMIT_BYTES } from '../../src/relay/held-commands.ts';
import { CLIENT_RESET } from '../../src/relay/telnet-reset.ts';
import { DO, WILL, encodeOption } from '../../src/wire/telnet.ts';
import { decodeAll, hex } from '../wire/telnet-frames.ts';
import { DIALOGUES, expected, play } from './engineer-dialogues.ts';

for (const dialogue of DIALOGUES) {
  t.test(dialogue.name, async (t) => {
    t.same(
      play(dialogue, (bytes) => [bytes]),
      expected(dialogue),
    );
  });
}

t.test('every dialogue comes out the same with its inputs cut at any byte', async (t) => {
  for (const dialogue of DIALOGUES) {
    const whole = JSON.stringify(expected(dialogue));
    const longest = Math.max(...dialogue.rows.map((row) => hex(row.client ?? row.daemon ?? '').length));
    for (let at = 1; at < longest; at++) {
      const outcomes = play(dialogue, (bytes) => [bytes.subarray(0, at), bytes.subarray(at)]);
      if (JSON.stringify(outcomes) !== whole)
        t.same(outcomes, expected(dialogue), `${dialogue.name}, cut at ${at}`);
    }
    const outcomes = play(dialogue, (bytes) => [...bytes].map((byte) => Uint8Array.of(byte)));
    t.same(outcomes, expected(dialogue), `${dialogue.name}, byte by byte`);
  }
});

t.test('the reset reaches a client that a daemon left in the middle of anything', async (t) => {
  const commands = decodeAll([CLIENT_RESET]).slice(2);
  t.match(commands, ['DONT BINARY', 'DONT ECHO']);
  for (const begun of ['ff', 'ff fb', 'ff fa', 'ff fa 18', 'ff fa 18 00 78', 'ff fa 18 00 ff', '0d']) {
    t.same(decodeAll([hex(begun), CLIENT_RESET]).slice(-commands.length), commands, begun);
  }
});

t.test('what is passed on raw is the chunk itself', async (t) => {
  const { telnet, seen } = inVisit();
  const chunk = hex('61 ff fb 01 ff');
  telnet.fromClient(chunk);
  t.equal(seen.toDaemon.at(-1), chunk);
  telnet.fromDaemon(chunk);
  t.equal(seen.toClient.at(-1), chunk);
});

t.test('as many options as fit are held and replayed, one more closes', async (t) => {
  const { telnet, seen } = recorded();
  const fits = Math.floor(HELD_LIMIT_BYTES / 3);
  const options = Buffer.concat(Array.from({ length: fits }, (_, i) => encodeOption(WILL, 40 + (i % 100))));
  telnet.fromClient(options);
  t.equal(seen.overflows, 0);
  telnet.fromClient(encodeOption(DO, 99));
  t.equal(seen.overflows, 1);
  t.equal(telnet.phase, 'closed');
});

t.test(
  'a hundred thousand options, and a subnegotiation without end, are one overflow and no answer',
  async (t) => {
    for (const flood of [encodeOption(WILL, 99), hex('ff fa 18 78 78 78')]) {
      const { telnet, seen } = recorded();
      telnet.greet();
      const greeting = seen.toClient.length;
      for (let i = 0; i < 1_000; i++)
        telnet.fromClient(Buffer.concat(new Array<Uint8Array>(100).fill(flood)));
      t.equal(seen.overflows, 1);
      t.equal(seen.toClient.length, greeting);
    }
  },
);

t.test('a closed connection reads and answers nothing any more', async (t) => {
  const { telnet, seen } = recorded();
  telnet.greet();
  telnet.fromClient(Buffer.concat(new Array<Uint8Array>(200).fill(encodeOption(WILL, 99))));
  const answers = seen.toClient.length;
  // IAC DO ECHO, IAC DONT ECHO, IAC AYT, IAC DO TIMING-MARK, "x", IAC IP
  telnet.fromClient(hex('ff fd 01 ff fe 01 ff f6 ff fd 06 78 ff f4'));
  t.equal(seen.toClient.length, answers);
  t.equal(seen.typed, 0);
  t.equal(seen.interrupts, 0);
});

t.test('each negotiation of a client that toggles gets at most one answer', async (t) => {
  const { telnet, seen } = recorded();
  telnet.greet();
  const before = seen.toClient.length;
  for (let i = 0; i < 1_000; i++) telnet.fromClient(hex('ff fd 01 ff fe 01'));
  t.equal(seen.toClient.length - before, 1_999, 'the first DO answers the greeting');
});

t.test('steps out of order are mistakes of the caller', async (t) => {
  const { telnet } = recorded();
  t.throws(() => telnet.beginVisit(), /invariant/);
  t.throws(() => telnet.endVisit(), /invariant/);
  t.throws(() => telnet.startSync(), /invariant/, 'not greeted');
  telnet.greet();
  telnet.startSync();
  t.throws(() => telnet.startSync(), /invariant/);
});

t.test('a deadline that fires late changes nothing', async (t) => {
  const { telnet } = inVisit();
  telnet.syncExpired();
  t.equal(telnet.phase, 'raw');
});

interface Seen {
  toClient: Uint8Array[];
  toDaemon: Uint8Array[];
  typed: number;
  interrupts: number;
  overflows: number;
}

function recorded(): { telnet: EngineerTelnet; seen: Seen } {
  const seen: Seen = { toClient: [], toDaemon: [], typed: 0, interrupts: 0, overflows: 0 };
  const telnet = new EngineerTelnet({
    toClient: (bytes) => seen.toClient.push(bytes),
    toDaemon: (bytes) => seen.toDaemon.push(bytes),
    typed: (bytes) => (seen.typed += bytes.length),
    interrupt: () => seen.interrupts++,
    synced() {},
    settled() {},
    overflow: () => seen.overflows++,
  });
  return { telnet, seen };
}

/** A raw client's visit. */
function inVisit(): { telnet: EngineerTelnet; seen: Seen } {
  const made = recorded();
  made.telnet.greet();
  made.telnet.startSync();
  made.telnet.syncExpired();
  made.telnet.beginVisit();
  return made;
}
