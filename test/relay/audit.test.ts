import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Audit } from '../../src/relay/audit.ts';
import { Log } from '../../src/base/log.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
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
  const audit = new Audit('/dev/full', clock, silent);
  t.equal(audit.record('relay-start', {}), false);
  t.equal(audit.isWritable, false);
  audit.close();
  t.equal(audit.record('relay-stop', {}), false, 'closed');
});
