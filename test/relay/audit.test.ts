import { appendFileSync, chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Audit } from '../../src/relay/audit.ts';
import { Log } from '../../src/base/log.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { runOnFullDisk } from '../helpers/full-disk.ts';
import { temporaryFolder } from '../helpers/rig.ts';

const clock = new FakeClock();
const silent = new Log(clock, () => {});

t.test('one line of ASCII each, in order, appended over restarts, in a private file', async (t) => {
  const file = join(temporaryFolder(t), 'audit.jsonl');
  for (const run of [1, 2]) {
    const audit = new Audit(file, clock, silent);
    t.ok(audit.record('relay-start', { run }));
    t.ok(audit.record('engineer-login', { account: 'r\u00e9\n\u001b[31m' }));
    audit.close();
  }
  const lines = readFileSync(file, 'latin1').trimEnd().split('\n');
  t.equal(lines.length, 4);
  for (const line of lines) t.match(line, /^[\x20-\x7e]*$/);
  t.match(JSON.parse(lines[3]), { event: 'engineer-login', account: 'r\u00e9\n\u001b[31m' });
  t.equal(statSync(file).mode & 0o777, 0o600);
});

t.test('a file that cannot be opened stops the start', async (t) => {
  t.throws(() => new Audit(temporaryFolder(t), clock, silent), /audit file .* cannot be written \(EISDIR\)/);
});

t.test('a write that fails shows, and throws nothing', async (t) => {
  const lines: string[] = [];
  const audit = new Audit('/dev/full', clock, new Log(clock, (line) => lines.push(line)));
  t.equal(audit.record('relay-start', {}), false);
  t.match(JSON.parse(lines[0]), { event: 'audit-failed', what: 'relay-start', error: 'ENOSPC' });
  audit.close();
  t.equal(audit.record('relay-stop', {}), false, 'closed');
});

t.test('a file of another mode is made private, and what is no file is left as it is', async (t) => {
  const file = join(temporaryFolder(t), 'audit.jsonl');
  writeFileSync(file, '');
  chmodSync(file, 0o644);
  new Audit(file, clock, silent).close();
  t.equal(statSync(file).mode & 0o777, 0o600);
  const { mode } = statSync('/dev/full');
  new Audit('/dev/full', clock, silent).close();
  t.equal(statSync('/dev/full').mode, mode);
});

/** Writes until the disk is full, then makes room so that the last line is still a part of one, and goes on. */
const FILL = `
  import { readFileSync, truncateSync } from 'node:fs';
  const [, auditModule, file] = process.argv;
  const { Audit } = await import(auditModule);
  const failures = [];
  const log = { error: (...line) => failures.push(line) };
  const audit = new Audit(file, { wallNow: () => 0 }, log);
  const results = [];
  do results.push(audit.record('relay-start', {})); while (results.at(-1));
  results.push(audit.record('relay-start', {}));
  truncateSync(file, readFileSync(file, 'utf8').lastIndexOf('{', 500) + 5);
  results.push(audit.record('relay-stop', {}));
  console.log(JSON.stringify({ failures, results: results.slice(-4) }));
`;

t.test(
  'a disk that fills up: the write counts as failed, and no line is glued to what is left of it',
  async (t) => {
    const file = join(temporaryFolder(t), 'audit.jsonl');
    const auditModule = new URL('../../src/relay/audit.js', import.meta.url).href;
    t.same(runOnFullDisk(FILL, auditModule, file), {
      failures: [
        ['audit-failed', { what: 'relay-start', error: 'short write' }],
        ['audit-failed', { what: 'relay-start', error: 'EFBIG' }],
      ],
      results: [true, false, false, true],
    });
    const [cut, last, nothing] = readFileSync(file, 'latin1').split('\n').slice(-3);
    t.throws(() => JSON.parse(cut));
    t.match(JSON.parse(last), { event: 'relay-stop' });
    t.equal(nothing, '');
  },
);

t.test('what an earlier run could not finish is a line of its own', async (t) => {
  const file = join(temporaryFolder(t), 'audit.jsonl');
  appendFileSync(file, '{"time":"20');
  for (const run of [1, 2]) {
    const audit = new Audit(file, clock, silent);
    audit.record('relay-start', { run });
    audit.close();
  }
  const [cut, ...lines] = readFileSync(file, 'latin1').trimEnd().split('\n');
  t.equal(cut, '{"time":"20');
  t.match(
    lines.map((line) => JSON.parse(line)),
    [{ run: 1 }, { run: 2 }],
  );
});
