/**
 * What a program meets on a full disk, without one: a process whose files may have 1 KiB. A write beyond that is cut
 * short, the next one fails (EFBIG; on a full disk it is ENOSPC).
 */
import { spawnSync } from 'node:child_process';

/** Runs an ES module's text so, with `argv`; returns what it printed, as JSON. Throws with its errors if it fails. */
export function runOnFullDisk(script: string, ...argv: readonly string[]): unknown {
  // The shell counts in blocks of 512 bytes.
  const limited = 'ulimit -f 2 && exec "$0" --input-type=module -e "$@"';
  const ran = spawnSync('sh', ['-c', limited, process.execPath, script, ...argv], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  if (ran.status !== 0) throw new Error(`status ${ran.status}: ${ran.stderr}`);
  return JSON.parse(ran.stdout);
}
