/** The telnet decoder and scanner mean the same by a stream wherever it is cut. */
import t from 'tap';
import { seededRandom } from './seeded.ts';
import type { SeededRandom } from './seeded.ts';
import { SPECIAL_BYTES, TELNET_FRAMES, decodeAll, hex, wireOfPieces } from './telnet-frames.ts';

t.test('each frame means the same cut at any one and any two places', async (t) => {
  for (const { name, wire, decoded } of TELNET_FRAMES) {
    const bytes = hex(wire);
    for (let first = 0; first <= bytes.length; first++) {
      for (let second = first; second <= bytes.length; second++) {
        const chunks = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
        const seen = decodeAll(chunks);
        if (JSON.stringify(seen) !== JSON.stringify(decoded))
          t.same(seen, decoded, `${name} at ${first}, ${second}`);
      }
    }
    t.same(decodeAll([...bytes].map((byte) => Uint8Array.of(byte))), decoded, `${name}, byte by byte`);
  }
});

t.test('any stream means the same cut anywhere, and its pieces are the stream again', async (t) => {
  const random = seededRandom(t);
  for (let run = 0; run < 2_000; run++) {
    const bytes = randomStream(random);
    const chunks = cut(bytes, random);
    const whole = decodeAll([bytes], 16);
    const seen = decodeAll(chunks, 16);
    if (JSON.stringify(seen) !== JSON.stringify(whole)) t.same(seen, whole, bytes.toString('hex'));
    const again = wireOfPieces(chunks);
    if (!again.equals(bytes)) t.same(again, bytes, 'pieces');
  }
  t.pass('2,000 streams');
});

function randomStream(random: SeededRandom): Buffer {
  const length = 1 + random.integer(80);
  return Buffer.from(Array.from({ length }, () => SPECIAL_BYTES[random.integer(SPECIAL_BYTES.length)]));
}

function cut(bytes: Buffer, random: SeededRandom): Buffer[] {
  const chunks: Buffer[] = [];
  for (let from = 0; from < bytes.length;) {
    const to = from + 1 + random.integer(5);
    chunks.push(bytes.subarray(from, to));
    from = to;
  }
  return chunks;
}
