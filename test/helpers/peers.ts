/**
 * Which telnet clients, daemons and tools this machine has for tests: reads what `scripts/install-peers` found.
 *
 * A test names the peers it needs and passes `skipUnless(...)` to tap: a missing one skips the test with its name.
 * In CI nothing is skipped: the test runs and fails at the missing peer.
 */
import { readFileSync } from 'node:fs';

const peerNames = ['telnet', 'busybox', 'plink', 'expect', 'socat', 'telnetd', 'ip'] as const;
export type PeerName = (typeof peerNames)[number];

/** The repository's root, from build/test/helpers/peers.js. */
export const repositoryUrl = new URL('../../../', import.meta.url);

const paths = readPaths();

/** The full path of a peer; throws an Error naming it and the remedy if the machine has none. */
export function peerPath(name: PeerName): string {
  const path = paths[name];
  if (!path) throw new Error(`${name} is missing on this machine: run scripts/install-peers`);
  return path;
}

export function isThere(...names: readonly PeerName[]): boolean {
  return names.every((name) => paths[name]);
}

/** For tap's `skip`: false if every peer is there (or in CI, where missing is failing), else which is missing. */
export function skipUnless(...names: readonly PeerName[]): string | false {
  const missing = names.filter((name) => !paths[name]);
  if (missing.length === 0 || process.env['CI']) return false;
  return `missing: ${missing.join(', ')} (run scripts/install-peers)`;
}

function readPaths(): Partial<Record<PeerName, string | null>> {
  try {
    return JSON.parse(readFileSync(new URL('build/peers/peers.json', repositoryUrl), 'utf8')) as typeof paths;
  } catch {
    return {};
  }
}
