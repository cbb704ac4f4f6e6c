/** Tags of data connections: bound to key, role, visit and connection, and pinned so that both programs keep agreeing. */
import { createHmac } from 'node:crypto';
import t from 'tap';
import { dataTag, deriveDataKey, verifyDataTag } from '../../src/wire/data-auth.ts';
import { seededRandom } from './seeded.ts';

const KEY = Buffer.alloc(32, 1);
const VISIT = Buffer.alloc(16, 2);
const EXPORTER = Buffer.alloc(32, 3);

t.test('the data key is HKDF-SHA256 of the CPace key without salt, as RFC 5869 spells it out', (t) => {
  const isk = seededRandom(t).bytes(64);
  const extracted = createHmac('sha256', Buffer.alloc(32)).update(isk).digest();
  const expanded = createHmac('sha256', extracted)
    .update('secure-telnet/1 data')
    .update(Buffer.of(1))
    .digest();
  t.same(Buffer.from(deriveDataKey(isk)), expanded);
  t.end();
});

t.test('a tag is HMAC-SHA256 over role, visit and exporter, each after its length', (t) => {
  const message = Buffer.concat([
    Buffer.from('\u0009connector'),
    Buffer.of(16),
    VISIT,
    Buffer.of(32),
    EXPORTER,
  ]);
  t.same(dataTag(KEY, 'connector', VISIT, EXPORTER), createHmac('sha256', KEY).update(message).digest());
  t.end();
});

t.test('a tag is accepted for exactly the key, role, visit and connection that it was made for', (t) => {
  const tag = dataTag(KEY, 'connector', VISIT, EXPORTER);
  t.ok(verifyDataTag(tag, KEY, 'connector', VISIT, EXPORTER));
  t.notOk(verifyDataTag(tag, KEY, 'relay', VISIT, EXPORTER), 'reflected');
  t.notOk(verifyDataTag(tag, Buffer.alloc(32, 9), 'connector', VISIT, EXPORTER), 'another key');
  t.notOk(verifyDataTag(tag, KEY, 'connector', Buffer.alloc(16, 9), EXPORTER), 'another visit');
  t.notOk(
    verifyDataTag(tag, KEY, 'connector', VISIT, Buffer.alloc(32, 9)),
    'relayed over another connection',
  );
  t.notOk(verifyDataTag(tag.subarray(1), KEY, 'connector', VISIT, EXPORTER), 'cut short');
  t.notOk(verifyDataTag(new Uint8Array(0), KEY, 'connector', VISIT, EXPORTER), 'none');
  t.end();
});

t.test('every single changed bit of a tag is refused', (t) => {
  const tag = dataTag(KEY, 'relay', VISIT, EXPORTER);
  for (let bit = 0; bit < tag.length * 8; bit++) {
    const changed = Uint8Array.from(tag);
    changed[bit >> 3] ^= 1 << (bit & 7);
    t.notOk(verifyDataTag(changed, KEY, 'relay', VISIT, EXPORTER));
  }
  t.end();
});

t.test('parts of any other length are a mistake of the caller', (t) => {
  t.throws(() => deriveDataKey(Buffer.alloc(32)), RangeError);
  t.throws(() => dataTag(Buffer.alloc(31), 'relay', VISIT, EXPORTER), RangeError);
  t.throws(() => dataTag(KEY, 'relay', Buffer.alloc(15), EXPORTER), RangeError);
  t.throws(() => dataTag(KEY, 'relay', VISIT, Buffer.alloc(0)), RangeError);
  t.end();
});
