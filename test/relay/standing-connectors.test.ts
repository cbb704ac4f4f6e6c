/** Connectors that stand: what outlives a restart, what a key is worth and how long, and what a full disk does to it. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { CONNECTOR_REMEMBERED_MS, CONNECTORS_MAX } from '../../src/relay/limits.ts';
import { StandingConnectors, type Enrolment } from '../../src/relay/standing-connectors.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { temporaryFolder } from '../helpers/rig.ts';

const HOUR_MS = 3_600_000;

function make(t: Test, expiryMs = HOUR_MS) {
  const file = join(temporaryFolder(t), 'connectors.json');
  const clock = new FakeClock();
  const open = () => new StandingConnectors(file, clock, expiryMs);
  return { file, clock, open, connectors: open() };
}

function enrolment(id: string, more: Partial<Enrolment> = {}): Enrolment {
  const publicKey = randomBytes(32).toString('base64');
  return {
    id,
    publicKey,
    label: 'case',
    owner: 'alice',
    hostName: 'site',
    target: 'localhost',
    link: null,
    ...more,
  };
}

const keyOf = ({ publicKey }: { publicKey: string }) => Buffer.from(publicKey, 'base64');

t.test('what was enrolled is known after a restart, by id and by key; the file is private', async (t) => {
  const { file, connectors, open } = make(t);
  const { connector, problem } = connectors.enroll(enrolment('1234-5678'));
  t.equal(problem, null);
  t.equal(connectors.goodForMs(connector), HOUR_MS);
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.notMatch(readFileSync(file, 'utf8'), /"link"|"sinceWallMs"/);
  const again = open();
  const found = again.byId('1234-5678')!;
  t.match(found, { label: 'case', owner: 'alice', hostName: 'site', target: 'localhost', link: null });
  t.equal(again.byKey(keyOf(connector)), found);
  t.equal(again.stateOf(found), 'away');
  t.equal(again.goodForMs(found), HOUR_MS);
});

t.test('a key is good for its time, whoever comes and goes meanwhile', async (t) => {
  const { clock, connectors, open } = make(t);
  const { connector } = connectors.enroll(enrolment('1234-5678'));
  clock.advance(HOUR_MS - 1);
  t.equal(connectors.stateOf(connector), 'away');
  connectors.away(connector);
  clock.advance(1);
  t.equal(connectors.goodForMs(connector), 0);
  t.equal(connectors.stateOf(connector), 'expired');
  t.equal(open().stateOf(open().byId('1234-5678')!), 'expired', 'also after a restart');
});

t.test('one that was revoked stays so, and is told from one that was never here', async (t) => {
  const { connectors, open } = make(t);
  const { connector } = connectors.enroll(enrolment('1234-5678'));
  connectors.revoke(connector);
  for (const registry of [connectors, open()]) {
    const found = registry.byKey(keyOf(connector))!;
    t.equal(registry.stateOf(found), 'revoked');
    t.equal(registry.goodForMs(found), 0);
  }
  t.equal(connectors.byKey(randomBytes(32)), null);
});

t.test('one whose customer ended it is forgotten', async (t) => {
  const { connectors, open } = make(t);
  const { connector } = connectors.enroll(enrolment('1234-5678'));
  connectors.forget(connector);
  t.equal(connectors.flush(), null);
  for (const registry of [connectors, open()]) {
    t.notOk(registry.has('1234-5678'));
    t.equal(registry.byKey(keyOf(connector)), null);
  }
});

t.test('those whose time is over are forgotten after a while', async (t) => {
  const { clock, connectors } = make(t);
  connectors.enroll(enrolment('1111-1111'));
  clock.advance(HOUR_MS + CONNECTOR_REMEMBERED_MS - 1);
  connectors.enroll(enrolment('2222-2222'));
  t.ok(connectors.has('1111-1111'));
  clock.advance(1);
  connectors.enroll(enrolment('3333-3333'));
  t.notOk(connectors.has('1111-1111'));
});

t.test('a relay that keeps none promises nothing, and writes nothing', async (t) => {
  const { file, connectors, open } = make(t, 0);
  const { connector, problem } = connectors.enroll(enrolment('1234-5678'));
  t.equal(problem, null, 'that is no problem');
  t.equal(connectors.goodForMs(connector), 0);
  t.ok(connectors.has('1234-5678'), 'it serves while it is here');
  t.throws(() => statSync(file));
  connectors.away(connector);
  t.notOk(connectors.has('1234-5678'), 'and is forgotten when it is not');
  t.notOk(open().has('1234-5678'));
});

t.test('a relay that was told to keep none lets none back in that it kept before', async (t) => {
  const { file, clock, connectors } = make(t);
  connectors.enroll(enrolment('1234-5678'));
  const strict = new StandingConnectors(file, clock, 0);
  const found = strict.byId('1234-5678')!;
  t.equal(strict.goodForMs(found), 0);
  t.equal(strict.stateOf(found), 'expired');
});

t.test('one that cannot be written is not promised what a restart would break', async (t) => {
  const { file, connectors } = make(t);
  rmSync(dirname(file), { recursive: true });
  const { connector, problem } = connectors.enroll(enrolment('1234-5678'));
  t.equal(problem, 'ENOENT');
  t.equal(connectors.goodForMs(connector), 0);
  mkdirSync(dirname(file));
  t.equal(connectors.enroll(enrolment('2222-2222')).problem, null, 'the next one is');
  t.notMatch(readFileSync(file, 'utf8'), '1234-5678');
});

t.test('a revocation that cannot be written holds, and says what to do', async (t) => {
  const { file, connectors } = make(t);
  const { connector } = connectors.enroll(enrolment('1234-5678'));
  rmSync(dirname(file), { recursive: true });
  t.throws(
    () => connectors.revoke(connector),
    /1234-5678 is revoked until the relay restarts, but not in its file \(ENOENT\);.* revoke it again/,
  );
  t.equal(connectors.stateOf(connector), 'revoked');
});

t.test('there is a most', async (t) => {
  const { file, connectors, open } = make(t);
  const first = connectors.enroll(enrolment('0000-0000')).connector;
  const [stored] = JSON.parse(readFileSync(file, 'utf8')) as object[];
  const many = Array.from({ length: CONNECTORS_MAX }, (_, n) => ({
    ...stored,
    id: `1000-${String(n).padStart(4, '0')}`,
    publicKey: randomBytes(32).toString('base64'),
  }));
  writeFileSync(file, JSON.stringify(many));
  const full = open();
  t.match(full.enroll(enrolment('2222-2222')).problem, /already 10000 connectors/);
  t.equal(full.spreadS, 500);
  t.ok(first);
  full.revoke(full.byId('1000-0000')!);
  t.equal(full.enroll(enrolment('3333-3333')).problem, null, 'those that may not come back make room');
  t.notOk(full.has('1000-0000'));
});

t.test('a file that holds something else stops the start with its fix', async (t) => {
  const { file, connectors, open } = make(t);
  connectors.enroll(enrolment('1234-5678'));
  const [stored] = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>[];
  const wrong = ['', '{', '{}', 'null', '[null]', '[1]', '[{}]'];
  const spoiled = Object.keys(stored).flatMap((key) =>
    [undefined, null, 7.5, 'x', {}]
      .filter(
        (value) =>
          !(key === 'owner' && value !== undefined) &&
          !(typeof stored[key] === 'string' && value === 'x' && !['id', 'publicKey'].includes(key)),
      )
      .filter((value) => !(key === 'owner' && (value === null || typeof value === 'string')))
      .map((value) => JSON.stringify([{ ...stored, [key]: value }])),
  );
  for (const text of [...wrong, ...spoiled]) {
    writeFileSync(file, text);
    t.throws(
      open,
      /connectors file .* cannot be read .*; restore it from a copy, or remove it/,
      text.slice(0, 120),
    );
  }
});
