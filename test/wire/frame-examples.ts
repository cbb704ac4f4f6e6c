/**
 * One frame of each kind, with values at home in its fields, and hands that spoil them.
 */
import { randomBytes } from 'node:crypto';
import { encodeFrame, FRAME_BYTES_MAX, type Frame } from '../../src/wire/frames.ts';

export const VISIT = '000102030405060708090a0b0c0d0e0f';

export const EXAMPLES: readonly Frame[] = [
  { name: 'hello', share: randomBytes(32), card: randomBytes(300) },
  { name: 'challenge', share: randomBytes(32), card: Buffer.alloc(0) },
  { name: 'confirm', tag: randomBytes(64) },
  {
    name: 'accepted',
    tag: randomBytes(64),
    session: '4821-9375',
    idleMs: 1_800_000,
    lifetimeMs: 4_294_967_295,
  },
  { name: 'refused', reason: 1 },
  { name: 'ping', token: 0 },
  { name: 'pong', token: 7 },
  {
    name: 'visitRequest',
    visit: VISIT,
    who: 'ren\u00e9',
    from: '2001:db8::1',
    over: 'telnet',
    answerMs: 60_000,
  },
  { name: 'consent', visit: VISIT, granted: 1 },
  { name: 'visitCancel', visit: VISIT },
  { name: 'visitFailed', visit: VISIT, reason: 2 },
  { name: 'openData', visit: VISIT, host: '', port: 0 },
  { name: 'warning', visit: VISIT, kind: 1, remainingMs: 60_000 },
  { name: 'bye', outcome: 3 },
  {
    name: 'enrolled',
    connector: '4821-9375',
    relayKey: randomBytes(91),
    goodForS: 2_592_000,
    spreadS: 10,
    clockS: 0,
  },
  { name: 'visitOver', visit: VISIT, outcome: 1 },
  { name: 'visitEnd', visit: VISIT },
  { name: 'resume', version: 1 },
  { name: 'relayProof', card: randomBytes(60), signature: randomBytes(72) },
  { name: 'connectorProof', card: randomBytes(300), signature: randomBytes(64) },
  {
    name: 'resumed',
    connector: '4821-9375',
    idleMs: 1_800_000,
    lifetimeMs: 28_800_000,
    goodForS: 0,
    spreadS: 600,
    clockS: 4_294_967_295,
  },
  { name: 'dataHello', visit: VISIT, tag: randomBytes(32) },
  { name: 'dataAccepted', tag: randomBytes(32) },
  { name: 'dataRefused' },
];

export const encodeExample = (frame: Frame): Buffer => encodeFrame(frame.name, frame as never);

/** Bytes that are no frame, whatever the stage. */
export const MALFORMED: Readonly<Record<string, Buffer>> = {
  'a frame of an unknown type': Buffer.from([0, 1, 0xff]),
  'a frame of type 0': Buffer.from([0, 1, 0]),
  'a frame of length 0': Buffer.from([0, 0]),
  'a length one above the largest': lengthOnly(FRAME_BYTES_MAX + 1),
  'the largest length there is': lengthOnly(0xffff),
  HTTP: Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  telnet: Buffer.from([0xff, 0xfb, 0x18]),
};

function lengthOnly(length: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(length);
  return bytes;
}

/** The same frame with a byte more, and with one less, and lengths to match. Frames without a field have no less. */
export function misshape(frame: Buffer): readonly Buffer[] {
  const longer = Buffer.concat([frame, Buffer.from([0])]);
  longer.writeUInt16BE(longer.length - 2);
  const shorter = Buffer.from(frame.subarray(0, -1));
  if (shorter.length === 2) return [longer];
  shorter.writeUInt16BE(shorter.length - 2);
  return [longer, shorter];
}
