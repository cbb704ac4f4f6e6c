/**
 * Runs the benches: every `*.bench.js` beside this file, each case in a process of its own.
 *
 *     node build/bench/run.js [WORD...] [--list] [--short] [--json FILE]
 *
 * A WORD keeps the cases in whose `file: name` it occurs, with the floors they are judged against. The table goes to
 * standard output, the numbers with the machine's facts to FILE. Fails when a case's check or its floor does. A bench file
 * exports `cases: readonly BenchCase[]`, and nothing more is needed to add one.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machineFacts, measure, type BenchCase, type Effort, type Measurement } from './measure.ts';

interface Entry {
  readonly file: string;
  readonly bench: BenchCase;
}

interface Result extends Measurement {
  readonly file: string;
  readonly name: string;
  readonly floor: string | null;
  /** Median in medians of the floor; null for a floor. */
  readonly ofFloor: number | null;
}

const FOLDER = new URL('.', import.meta.url);
const SUFFIX = '.bench.js';

/** How a parent asks a child for one case: file, name, effort. */
const ONE_CASE = '--one-case';

if (process.argv[2] === ONE_CASE) await runChild(process.argv[3], process.argv[4], process.argv[5] as Effort);
else await runAll();

async function runAll(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { list: { type: 'boolean' }, short: { type: 'boolean' }, json: { type: 'string' } },
  });
  const entries = withFloors(await loadAll(), positionals);
  if (entries.length === 0) throw new Error(`no case has ${positionals.join(' and ')} in its name`);
  if (values.list) return print(entries.map(title));
  const facts = machineFacts();
  print([`Node ${facts.node}, ${facts.cores} cores, ${facts.cpu}, commit ${facts.commit}`]);
  const measured = new Map(
    entries.map((entry) => [title(entry), runInChild(entry, values.short ? 'short' : 'full')]),
  );
  const results = entries.map((entry) => resultOf(entry, measured));
  print(tableOf(results));
  if (values.json !== undefined)
    writeFileSync(values.json, JSON.stringify({ facts, results }, null, 2) + '\n');
}

async function loadAll(): Promise<readonly Entry[]> {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(SUFFIX));
  const loaded = await Promise.all(files.toSorted().map((file) => load(file)));
  return loaded.flat();
}

/** Throws if a floor is missing: a number without one says nothing. */
async function load(file: string): Promise<readonly Entry[]> {
  const { cases } = (await import(new URL(file, FOLDER).href)) as { cases: readonly BenchCase[] };
  const floors = new Set(cases.filter((bench) => bench.floor === null).map((bench) => bench.name));
  for (const { name, floor } of cases) {
    if (floor !== null && !floors.has(floor))
      throw new Error(`${file}: the floor of '${name}' does not exist`);
  }
  return cases.map((bench) => ({ file: file.slice(0, -SUFFIX.length), bench }));
}

function withFloors(entries: readonly Entry[], words: readonly string[]): readonly Entry[] {
  const kept = entries.filter((entry) => words.every((word) => title(entry).includes(word)));
  const needed = new Set(kept.flatMap((entry) => [title(entry), floorTitle(entry) ?? title(entry)]));
  return entries.filter((entry) => needed.has(title(entry)));
}

function runInChild({ file, bench }: Entry, effort: Effort): Measurement {
  const self = fileURLToPath(import.meta.url);
  const output = execFileSync(process.execPath, [self, ONE_CASE, file, bench.name, effort], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(output) as Measurement;
}

/** Exits when the result is written: a case may leave timers armed. */
async function runChild(file: string, name: string, effort: Effort): Promise<void> {
  const entry = (await load(file + SUFFIX)).find(({ bench }) => bench.name === name);
  if (!entry) throw new Error(`${file} has no case '${name}'`);
  const measurement = await measure(entry.bench, effort);
  process.stdout.write(JSON.stringify(measurement), () => process.exit(0));
}

function resultOf(entry: Entry, measured: ReadonlyMap<string, Measurement>): Result {
  const own = measured.get(title(entry))!;
  const floor = floorTitle(entry);
  const ofFloor = floor === null ? null : own.medianNs / measured.get(floor)!.medianNs;
  return { file: entry.file, name: entry.bench.name, floor: entry.bench.floor, ...own, ofFloor };
}

function title({ file, bench }: Entry): string {
  return `${file}: ${bench.name}`;
}

function floorTitle({ file, bench }: Entry): string | null {
  return bench.floor === null ? null : `${file}: ${bench.floor}`;
}

function tableOf(results: readonly Result[]): string[] {
  const head = ['case', 'ns/op', 'spread', 'heap B/op', 'of floor'];
  const rows = results.map((result) => [
    `${result.file}: ${result.name}`,
    result.medianNs.toFixed(1),
    `${result.lowNs.toFixed(1)}..${result.highNs.toFixed(1)}`,
    result.heapBytes === null ? '?' : result.heapBytes.toFixed(1),
    result.ofFloor === null ? 'floor' : `${result.ofFloor.toFixed(2)}x`,
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join('  '),
  );
}

function print(lines: readonly string[]): void {
  process.stdout.write(lines.join('\n') + '\n');
}
