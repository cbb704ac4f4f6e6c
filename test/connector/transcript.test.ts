import { chmodSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { escapeText } from '../../src/base/text.ts';
import { Transcript, type VisitTranscript } from '../../src/connector/transcript.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { temporaryFolder } from '../helpers/rig.ts';

function make(t: Test) {
  const file = join(temporaryFolder(t), 'tndconnect.log');
  const clock = new FakeClock();
  const transcript = new Transcript(file, clock);
  const lines = () =>
    readFileSync(file, 'latin1')
      .replace(/\n$/, '')
      .split('\n')
      .map((line) => line.slice(26));
  const visit = transcript.visit(null);
  return { file, clock, transcript, visit, lines };
}

const shown = (visit: VisitTranscript, text: string) => visit.shown(Buffer.from(text, 'latin1'));

t.test('events and output in order, one line each, time-stamped, escaped', async (t) => {
  const { file, transcript, visit, lines } = make(t);
  transcript.event('started');
  shown(visit, 'login: adm');
  shown(visit, 'in\r\nLast \x1b[1mlogin\x1b[0m\r\n');
  transcript.event('ended');
  transcript.close();
  t.same(lines(), [
    'event  started',
    'shown  login: admin',
    'shown  Last \\x1b[1mlogin\\x1b[0m',
    'event  ended',
  ]);
  t.match(readFileSync(file, 'latin1'), /^2023-11-14T22:13:20\.000Z {2}event {2}started\n/);
});

t.test('letters of every script can be read in the file', async (t) => {
  const { file, transcript, visit } = make(t);
  const bytes = Buffer.from('ようこそ\x1b[0m \u202e\r\n');
  for (const byte of bytes) visit.shown(Uint8Array.of(byte));
  transcript.close();
  t.match(readFileSync(file, 'utf8'), 'shown  ようこそ\\x1b[0m \\xe2\\x80\\xae\n');
});

t.test('an unfinished line is written after a second, before an event, and at the end', async (t) => {
  const { clock, transcript, visit, lines } = make(t);
  shown(visit, 'login: ');
  clock.advance(999);
  t.same(lines(), ['']);
  clock.advance(1);
  t.same(lines(), ['shown  login: ']);
  shown(visit, 'before event');
  transcript.event('e');
  shown(visit, 'at the end');
  transcript.close();
  t.same(lines().slice(1), ['shown  before event', 'event  e', 'shown  at the end']);
  t.equal(clock.armed, 0, 'no timer is left');
});

t.test('endless lines are cut, and every byte is there', async (t) => {
  const { transcript, visit, lines } = make(t);
  for (let i = 0; i < 100; i += 1) shown(visit, 'x'.repeat(777));
  transcript.close();
  const written = lines().map((line) => line.replace('shown  ', ''));
  t.ok(written.every((line) => line.length <= 1_024));
  t.equal(written.join('').length, 77_700);
});

t.test('appended to, and private', async (t) => {
  const { file, clock, transcript, lines } = make(t);
  transcript.event('first');
  transcript.close();
  const second = new Transcript(file, clock);
  second.event('second');
  second.close();
  t.same(lines(), ['event  first', 'event  second']);
  t.equal(statSync(file).mode & 0o777, 0o600);
});

t.test('a file of ours that others could read becomes private; one of somebody else stays', async (t) => {
  const { file, clock } = make(t);
  chmodSync(file, 0o644);
  const { uid } = statSync(file);
  for (const [ownUid, mode] of [
    [uid + 1, 0o644],
    [undefined, 0o644],
    [uid, 0o600],
  ] as const) {
    new Transcript(file, clock, ownUid).close();
    t.equal(statSync(file).mode & 0o777, mode);
  }
});

t.test('a file that cannot be opened stops the start; one that fails later ends the visit', async (t) => {
  const clock = new FakeClock();
  t.throws(
    () => new Transcript(temporaryFolder(t), clock),
    /cannot be written \(EISDIR\); name another with -file/,
  );
  const full = new Transcript('/dev/full', clock);
  t.throws(() => full.event('x'), { name: 'Ended', ending: { status: 27 } });
});

t.test('a prompt that cannot be written ends the visit with what comes next', async (t) => {
  const clock = new FakeClock();
  const full = new Transcript('/dev/full', clock).visit(null);
  full.shown(Buffer.from('login: '));
  clock.advance(1_000);
  t.throws(() => full.shown(Buffer.from('x')), { name: 'Ended', ending: { status: 27 } });
});

t.test('a flood of output is recorded whole, with every byte escaped', async (t) => {
  const { transcript, visit, lines } = make(t);
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10));
  const row = Buffer.concat([everyByte, Buffer.from('\n')]);
  visit.shown(Buffer.concat(Array.from({ length: 1_000 }, () => row)));
  transcript.close();
  t.same(
    lines(),
    Array.from({ length: 1_000 }, () => `shown  ${escapeText(everyByte)}`),
  );
});

t.test('output of several visits is told apart, each with lines of its own', async (t) => {
  const { clock, transcript, lines } = make(t);
  const [first, second] = [transcript.visit(1), transcript.visit(12)];
  shown(first, 'log');
  shown(second, 'one\r\ntw');
  shown(first, 'in:\r\n');
  second.close();
  shown(first, 'left');
  transcript.event('e');
  shown(first, 'more');
  transcript.close();
  t.same(lines(), [
    'shown 12  one',
    'shown 1  login:',
    'shown 12  tw',
    'shown 1  left',
    'event  e',
    'shown 1  more',
  ]);
  t.equal(clock.armed, 0, 'no timer is left');
});
