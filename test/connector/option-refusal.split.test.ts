/**
 * Wherever the network cuts the stream, the connector passes on, shows and answers the same. Streams are made of the
 * bytes that matter to telnet, so that every state of the scanner meets every kind of cut.
 */
import t from 'tap';
import { OptionRefusal } from '../../src/connector/option-refusal.ts';
import { COMMAND, DO, DONT, IAC, OPTION, WILL, WONT } from '../../src/wire/telnet.ts';
import { seededRandom, type SeededRandom } from '../wire/seeded.ts';

/** A stream of these is mostly commands, whole, cut off and wrong. */
const ALPHABET = [
  ...[IAC, IAC, IAC, WILL, WONT, DO, DONT, COMMAND.SB, COMMAND.SB, COMMAND.SE, COMMAND.SE, COMMAND.NOP],
  ...[OPTION.AUTHENTICATION, OPTION.ENCRYPT, OPTION.START_TLS, OPTION.COMPRESS, OPTION.COMPRESS2],
  ...[OPTION.ECHO, OPTION.NAWS, 0x00, 0x0d, 0x0a, 0x41],
];

/** Finishes whatever was begun: what is held back at the end of a stream never goes on. */
const WHOLE = [0x41, IAC, COMMAND.SE];

t.test('byte by byte as in one piece, for thousands of streams', (t) => {
  const random = seededRandom(t);
  for (let run = 0; run < 5_000; run += 1) {
    const stream = randomStream(random, 1 + random.integer(60));
    const whole = refuse([stream]);
    const bytes = refuse(Array.from(stream, (byte) => Uint8Array.of(byte)));
    const pieces = refuse(randomCuts(random, stream));
    if (whole !== bytes || whole !== pieces)
      return void t.same(
        { bytes, pieces },
        { bytes: whole, pieces: whole },
        Buffer.from(stream).toString('hex'),
      );
  }
  t.pass('5,000 streams');
  t.end();
});

t.test('what goes on reads the same to whoever gets it: nothing is left to refuse', (t) => {
  const random = seededRandom(t);
  for (let run = 0; run < 5_000; run += 1) {
    const stream = Uint8Array.from([...randomStream(random, 60), ...WHOLE]);
    const passed = Buffer.concat(passedOn(randomCuts(random, stream)));
    const again = Buffer.concat(passedOn([passed]));
    if (!again.equals(passed)) return void t.same(again, passed, Buffer.from(stream).toString('hex'));
  }
  t.pass('5,000 streams');
  t.end();
});

/** All that came of a stream, as text to compare. A command that the end cuts off does not count. */
function refuse(chunks: readonly Uint8Array[]): string {
  const shown: Uint8Array[] = [];
  const answers: Uint8Array[] = [];
  const refusal = new OptionRefusal({
    shown: (bytes) => shown.push(Uint8Array.from(bytes)),
    answer: (bytes) => answers.push(Uint8Array.from(bytes)),
  });
  const passed = chunks.map((chunk) => Uint8Array.from(refusal.push(chunk)));
  return [passed, shown, answers].map((parts) => Buffer.concat(parts).toString('hex')).join(' ');
}

function passedOn(chunks: readonly Uint8Array[]): Uint8Array[] {
  const refusal = new OptionRefusal({ answer() {} });
  return chunks.map((chunk) => Uint8Array.from(refusal.push(chunk)));
}

function randomStream(random: SeededRandom, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => ALPHABET[random.integer(ALPHABET.length)]);
}

function randomCuts(random: SeededRandom, stream: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let from = 0; from < stream.length;) {
    const to = from + 1 + random.integer(9);
    chunks.push(stream.subarray(from, to));
    from = to;
  }
  return chunks;
}
