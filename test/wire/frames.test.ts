import { randomBytes } from 'node:crypto';
import t from 'tap';
import {
  decodeConnectorCard,
  decodeFrame,
  decodeRelayCard,
  encodeConnectorCard,
  encodeFrame,
  encodeRelayCard,
  FRAME_BYTES_MAX,
  FRAMES,
  type ConnectorCard,
  type Frame,
  type FrameName,
} from '../../src/wire/frames.ts';
import { WireError } from '../../src/wire/wire-error.ts';
import { encodeExample, EXAMPLES, VISIT } from './frame-examples.ts';

const plain = (frame: Frame): object =>
  Object.fromEntries(
    Object.entries(frame).map(([key, value]) => [key, value instanceof Uint8Array ? [...value] : value]),
  );

t.test('every kind of frame comes out as it went in', async (t) => {
  t.same(
    new Set(EXAMPLES.map(({ name }) => name)),
    new Set(Object.keys(FRAMES) as FrameName[]),
    'all are here',
  );
  for (const frame of EXAMPLES)
    t.same(plain(decodeFrame(encodeExample(frame).subarray(2))), plain(frame), frame.name);
});

t.test('types are unique and never change', async (t) => {
  t.same(Object.fromEntries(Object.entries(FRAMES).map(([name, { type }]) => [name, type])), {
    ...{
      hello: 1,
      challenge: 2,
      confirm: 3,
      accepted: 4,
      refused: 5,
      ping: 6,
      pong: 7,
      visitRequest: 8,
      consent: 9,
    },
    ...{ visitCancel: 10, visitFailed: 11, openData: 12, warning: 13, bye: 14 },
    ...{ dataHello: 16, dataAccepted: 17, dataRefused: 18 },
    ...{ enrolled: 19, visitOver: 20, visitEnd: 21 },
    ...{ resume: 22, relayProof: 23, connectorProof: 24, resumed: 25 },
  });
});

// length 19 | type 9 consent | visit 16 bytes | granted 1
t.test('the bytes are those of the protocol document', async (t) => {
  t.equal(encodeExample({ name: 'consent', visit: VISIT, granted: 1 }).toString('hex'), `001209${VISIT}01`);
  // length 9 | type 12 openData ... | host length 4, "h.de" | port 2323
  t.equal(
    encodeExample({ name: 'openData', visit: VISIT, host: 'h.de', port: 2323 }).toString('hex'),
    `00190c${VISIT}0004682e64650913`,
  );
});

t.test('every frame that is cut short or too long is refused', async (t) => {
  for (const frame of EXAMPLES) {
    const body = encodeExample(frame).subarray(2);
    for (let length = 1; length < body.length; length += 1) {
      t.throws(() => decodeFrame(body.subarray(0, length)), WireError, `${frame.name} cut at ${length}`);
    }
    t.throws(
      () => decodeFrame(Buffer.concat([body, Buffer.of(0)])),
      /1 bytes follow its last field/,
      frame.name,
    );
  }
});

t.test('unknown types, long fields and bad UTF-8 are refused', async (t) => {
  for (let type = 0; type < 256; type += 1) {
    if (Object.values(FRAMES).some((frame) => frame.type === type)) continue;
    t.throws(() => decodeFrame(Buffer.of(type)), { code: 'unknown-frame' }, `type ${type}`);
  }
  const openData = encodeExample({ name: 'openData', visit: VISIT, host: 'abc', port: 1 }).subarray(2);
  const badText = Buffer.from(openData);
  badText[20] = 0xff;
  t.throws(() => decodeFrame(badText), { code: 'malformed-frame', message: /not UTF-8/ });
  const longField = Buffer.from(openData);
  longField.writeUInt16BE(256, 17);
  t.throws(() => decodeFrame(longField), /a field of 256 bytes exceeds 255/);
});

t.test('the encoder refuses what the decoder would', async (t) => {
  t.throws(() => encodeFrame('openData', { visit: VISIT, host: 'x'.repeat(256), port: 1 }), RangeError);
  t.throws(() => encodeFrame('confirm', { tag: new Uint8Array(63) }), RangeError);
  t.throws(() => encodeFrame('consent', { visit: 'abcd', granted: 1 }), RangeError);
  t.throws(() => encodeFrame('openData', { visit: VISIT, host: '', port: 65_536 }), RangeError);
  t.ok(encodeExample(EXAMPLES[0]).length <= FRAME_BYTES_MAX + 2);
});

const CARD: ConnectorCard = {
  version: 1,
  nameplate: 'AB3D9Z',
  publicKey: randomBytes(32),
  software: 'tndconnect/0.1.0',
  target: 'localhost',
  targetAddress: '127.0.0.1',
  localAddress: '192.0.2.10',
  hostName: 'ccm1',
  features: 0,
};

t.test('cards come out as they went in', async (t) => {
  t.same(plain(decodeConnectorCard(encodeConnectorCard(CARD)) as never), plain(CARD as never));
  const relay = { version: 1, relayId: 'ab'.repeat(16), software: 'relayapp/0.1.0' };
  t.same(decodeRelayCard(encodeRelayCard(relay)), relay);
});

t.test('a card of another version is told from a malformed one', async (t) => {
  const other = Buffer.from(encodeConnectorCard(CARD));
  other[0] = 2;
  t.throws(() => decodeConnectorCard(other), { code: 'unsupported-version' });
  t.throws(() => decodeConnectorCard(Buffer.alloc(0)), { code: 'malformed-frame' });
  t.throws(() => decodeConnectorCard(encodeConnectorCard(CARD).subarray(0, -1)), { code: 'malformed-frame' });
});

t.test('random bytes never do anything but fail with a WireError', async (t) => {
  for (let round = 0; round < 20_000; round += 1) {
    const body = randomBytes(1 + (round % 90));
    body[0] = round % 20;
    try {
      decodeFrame(body);
    } catch (error) {
      if (!(error instanceof WireError)) t.fail(`${body.toString('hex')}: ${String(error)}`);
    }
  }
});
