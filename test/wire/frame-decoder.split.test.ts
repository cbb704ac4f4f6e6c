import t from 'tap';
import { FrameDecoder } from '../../src/wire/frame-decoder.ts';
import { encodeFrame, FRAME_BYTES_MAX, type Frame } from '../../src/wire/frames.ts';
import { seededRandom } from './seeded.ts';

const VISIT = '000102030405060708090a0b0c0d0e0f';
const STREAM: readonly Frame[] = [
  { name: 'ping', token: 1 },
  { name: 'visitRequest', visit: VISIT, who: 'alice', from: '192.0.2.1', over: 'telnet', answerMs: 60_000 },
  { name: 'dataRefused' },
  { name: 'openData', visit: VISIT, host: 'h', port: 23 },
  { name: 'bye', outcome: 2 },
];
const BYTES = Buffer.concat(STREAM.map((frame) => encodeFrame(frame.name, frame as never)));

function decode(chunks: readonly Buffer[]): Frame[] {
  const decoder = new FrameDecoder();
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let frame = decoder.next(); frame; frame = decoder.next()) frames.push(frame);
  }
  t.equal(decoder.takeRest().length, 0);
  return frames;
}

t.test('a stream cut at every byte gives the same frames', async (t) => {
  for (let cut = 0; cut <= BYTES.length; cut += 1) {
    t.same(decode([BYTES.subarray(0, cut), BYTES.subarray(cut)]), STREAM, `cut at ${cut}`);
  }
});

t.test('byte by byte, and all at once', async (t) => {
  t.same(decode([...BYTES].map((byte) => Buffer.of(byte))), STREAM);
  t.same(decode([BYTES]), STREAM);
});

t.test('random cuts', async (t) => {
  const random = seededRandom(t);
  for (let round = 0; round < 500; round += 1) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < BYTES.length;) {
      const end = at + 1 + random.integer(40);
      chunks.push(BYTES.subarray(at, end));
      at = end;
    }
    t.same(decode(chunks), STREAM);
  }
});

t.test('a length is judged as soon as its two bytes are there', async (t) => {
  for (const length of [0, FRAME_BYTES_MAX + 1, 0xffff]) {
    const decoder = new FrameDecoder();
    decoder.push(Buffer.of(length >> 8));
    t.equal(decoder.next(), null);
    decoder.push(Buffer.of(length & 0xff));
    t.throws(() => decoder.next(), { code: 'oversized-frame' }, `length ${length}`);
  }
});

t.test('what follows the last frame taken is handed on', async (t) => {
  for (let cut = 0; cut <= 5; cut += 1) {
    const raw = Buffer.from('raw bytes');
    const frame = encodeFrame('dataAccepted', { tag: new Uint8Array(32) });
    const bytes = Buffer.concat([frame, raw]);
    const decoder = new FrameDecoder();
    decoder.push(bytes.subarray(0, frame.length + cut));
    t.equal(decoder.next()?.name, 'dataAccepted');
    const rest = Buffer.concat([decoder.takeRest(), bytes.subarray(frame.length + cut)]);
    t.equal(rest.toString(), 'raw bytes');
  }
});
