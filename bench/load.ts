/**
 * Loads: what is measured on whole processes and not on a function. A load checks that what it measures works, then
 * gives readings; run.ts sets them beside those of its floor, reading by reading.
 *
 * Clients, relay and floor share one machine, so rates are those of the machine with everything on it; processor time
 * and memory are those of the one process named, taken from the kernel.
 */
import type { Scope } from '../test/helpers/tunnel.ts';
import type { Effort, Reading } from './measure.ts';

export interface LoadCase {
  /** Unique in its file. */
  readonly name: string;
  /** The load of the same file that does the same in the plain way; null for such a floor itself. */
  readonly floor: string | null;
  /** Throws unless what it measures works. `scope` ends what it begins. */
  run(effort: Effort, scope: Scope): Promise<readonly Reading[]>;
}

/** Runs one load and ends all that it began, the last thing first. */
export async function runLoad(load: LoadCase, effort: Effort): Promise<readonly Reading[]> {
  const ends: Array<() => unknown> = [];
  try {
    return await load.run(effort, { teardown: (end) => ends.unshift(end) });
  } finally {
    for (const end of ends) await end();
  }
}

/** The value below which `part` of all are. */
export function quantileOf(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round((sorted.length - 1) * part)];
}
