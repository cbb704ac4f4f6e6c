/**
 * A connector that is killed: the system ends its connections in whatever order, and none of them says why. It must
 * not look like a daemon that ended the visit.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startRelay } from '../helpers/programs.ts';
import { openTunnel } from '../helpers/tunnel.ts';

t.test('both people and the audit file have one word for it', async (t) => {
  const relay = await startRelay();
  t.teardown(() => relay.stop());
  for (let round = 1; round <= 3; round += 1) {
    const { connector, engineer } = await openTunnel(t, { relay });
    let said = '';
    engineer.on('data', (chunk: Buffer) => (said += chunk.toString())).resume();
    process.kill(connector.pid, 'SIGKILL');
    await new Promise((resolve) => engineer.once('end', resolve));
    engineer.end();
    t.match(said, /\(failure\)/);
    t.notMatch(said, /\(daemon\)/);
    const lines = readFileSync(join(relay.state, 'audit.jsonl'), 'utf8').split('\n');
    const ends = lines.filter((line) => line.includes('"session-end"'));
    t.equal(ends.length, round);
    t.match(ends.at(-1), '"outcome":"failure"');
  }
});
