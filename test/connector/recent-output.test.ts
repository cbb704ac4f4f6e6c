/** The ring of a visit's newest output: against a naive one, and what it knows of the alternate screen, however cut. */
import t from 'tap';
import { KEPT_BYTES, RecentOutput } from '../../src/connector/recent-output.ts';
import { seededRandom } from '../wire/seeded.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const ENTER = '\u001b[?1049h';
const LEAVE = '\u001b[?1049l';

t.test('it keeps the newest bytes, as a naive one does', async (t) => {
  const random = seededRandom(t);
  const recent = new RecentOutput();
  let all = Buffer.alloc(0);
  for (let step = 0; step < 400; step += 1) {
    const length = random.integer(4) === 0 ? random.integer(3 * KEPT_BYTES) % 65_536 : random.integer(900);
    const bytes = Buffer.from(random.bytes(length)).map((byte) => byte & 0x7f);
    recent.push(bytes);
    all = Buffer.concat([all, bytes]);
    t.equal(recent.endsAt, all.length);
    const from = Math.max(0, all.length - random.integer(2 * KEPT_BYTES));
    const { bytes: kept, isCut } = recent.since(from);
    const start = Math.max(from, all.length - KEPT_BYTES);
    t.ok(all.subarray(start).equals(kept), `step ${step}`);
    t.equal(isCut, start > from);
  }
});

t.test('the alternate screen is known wherever its sequence is cut', async (t) => {
  for (const sequence of [ENTER, '\u001b[?47h', '\u001b[?25;1047h', '\u001b[?1;1049;25h']) {
    const stream = `shell$ vi\r\n${sequence}drawn`;
    for (let cut = 0; cut <= stream.length; cut += 1) {
      const recent = new RecentOutput();
      recent.push(Buffer.from(stream.slice(0, cut)));
      recent.push(Buffer.from(stream.slice(cut)));
      t.equal(recent.isAlternate, true, `${cut}`);
      t.equal(text(recent.replay().bytes), `${sequence}drawn`);
    }
    const single = new RecentOutput();
    for (const byte of Buffer.from(`${stream}${LEAVE}$ `)) single.push(Uint8Array.of(byte));
    t.equal(single.isAlternate, false, 'one byte at a time, and left again');
  }
});

t.test('other modes are none of it', async (t) => {
  const recent = new RecentOutput();
  recent.push(Buffer.from('\u001b[?25h\u001b[4h\u001b[1049h\u001b]2;?1049h\u0007[?1049h'));
  t.equal(recent.isAlternate, false);
});

t.test('a program that has drawn more than is kept is entered again, at a sequence', async (t) => {
  const recent = new RecentOutput();
  recent.push(Buffer.from(ENTER));
  recent.push(Buffer.from('x'.repeat(KEPT_BYTES)));
  recent.push(Buffer.from('\u001b[5;1Hnew'));
  t.same(
    { ...recent.replay(), bytes: text(recent.replay().bytes) },
    { bytes: `${ENTER}\u001b[5;1Hnew`, isCut: true },
  );
});

t.test('of lines some screens come back, from the beginning of one', async (t) => {
  const recent = new RecentOutput();
  for (let line = 0; line < 2_000; line += 1) recent.push(Buffer.from(`line ${line}\r\n`));
  recent.push(Buffer.from('$ '));
  const { bytes, isCut } = recent.replay();
  t.match(text(bytes), /^line \d+\r\n/);
  t.ok(text(bytes).endsWith('line 1999\r\n$ '));
  t.ok(bytes.length <= 8 * 1_024);
  t.equal(isCut, true);
  const short = new RecentOutput();
  short.push(Buffer.from('no line end'));
  t.same({ ...short.replay(), bytes: text(short.replay().bytes) }, { bytes: 'no line end', isCut: false });
});
