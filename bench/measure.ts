/**
 * Measures one bench case: correctness first, then warm-up, then samples; median and spread.
 *
 * A case is judged against its *floor*: the plain way of doing the same (a Map of objects, a timer each). A case without a
 * check cannot be written, and run.ts refuses one whose floor does not exist. Each case is measured in a fresh
 * process, so that no case inherits the heap or the optimised code of another. Called by run.ts.
 */
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';

export interface BenchCase {
  /** Unique in its file. */
  readonly name: string;
  /** The case of the same file that does the same in the plain way; null for such a floor itself. */
  readonly floor: string | null;
  /** Operations that one call of the prepared body performs. */
  readonly operations: number;
  /** Throws unless what will be measured works. */
  check(): void | Promise<void>;
  /** Builds what is needed; the body is called once a sample and leaves things as it found them. */
  prepare(): () => void | Promise<void>;
}

/** How long to measure. `short` proves that a case runs; its numbers mean little. */
export type Effort = 'full' | 'short';

export interface Measurement {
  readonly samples: number;
  /** Nanoseconds an operation: the middle sample, and the middle half of all. */
  readonly medianNs: number;
  readonly lowNs: number;
  readonly highNs: number;
  /** Heap bytes an operation, where no collection came between; null if one always did. */
  readonly heapBytes: number | null;
}

/** One number of a case. */
export interface Reading {
  /** The floor's reading of the same name is what it is judged against. */
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** The middle half of all samples, where there are many. */
  readonly spread?: { readonly low: number; readonly high: number };
}

export interface MachineFacts {
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly commit: string;
  readonly startedAt: string;
}

const EFFORTS = {
  full: { warmUpMs: 400, measureMs: 1_500, samplesMin: 15, samplesMax: 2_000 },
  short: { warmUpMs: 10, measureMs: 30, samplesMin: 3, samplesMax: 20 },
} as const;

/** Checks, warms up and measures. Throws what the check throws. */
export async function measure(bench: BenchCase, effort: Effort): Promise<Measurement> {
  const { warmUpMs, measureMs, samplesMin, samplesMax } = EFFORTS[effort];
  await bench.check();
  const body = bench.prepare();
  for (const endMs = performance.now() + warmUpMs; performance.now() < endMs;) await sample(body);
  const samples: Sample[] = [];
  const endMs = performance.now() + measureMs;
  while (samples.length < samplesMax && (samples.length < samplesMin || performance.now() < endMs)) {
    samples.push(await sample(body));
  }
  return summarise(samples, bench.operations);
}

export function readingsOf({ medianNs, lowNs, highNs, heapBytes }: Measurement): readonly Reading[] {
  const time = { what: 'time', value: medianNs, unit: 'ns/op', spread: { low: lowNs, high: highNs } };
  return heapBytes === null ? [time] : [time, { what: 'heap', value: heapBytes, unit: 'B/op' }];
}

interface Sample {
  readonly elapsedNs: number;
  readonly heapBytes: number;
}

async function sample(body: () => void | Promise<void>): Promise<Sample> {
  const heapBefore = process.memoryUsage().heapUsed;
  const startMs = performance.now();
  const pending = body();
  if (pending) await pending;
  const elapsedNs = (performance.now() - startMs) * 1e6;
  return { elapsedNs, heapBytes: process.memoryUsage().heapUsed - heapBefore };
}

function summarise(samples: readonly Sample[], operations: number): Measurement {
  const times = samples.map(({ elapsedNs }) => elapsedNs / operations).toSorted((a, b) => a - b);
  const heaps = samples.map(({ heapBytes }) => heapBytes / operations).filter((bytes) => bytes >= 0);
  return {
    samples: samples.length,
    medianNs: quantile(times, 0.5),
    lowNs: quantile(times, 0.25),
    highNs: quantile(times, 0.75),
    heapBytes:
      heaps.length === 0
        ? null
        : quantile(
            heaps.toSorted((a, b) => a - b),
            0.5,
          ),
  };
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.round((sorted.length - 1) * part)];
}

export function machineFacts(): MachineFacts {
  return {
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    commit: commit(),
    startedAt: new Date().toISOString(),
  };
}

function commit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim();
  } catch {
    return 'unknown';
  }
}
