/**
 * Runs the benches: every `*.bench.js` (functions) and `*.load.js` (whole processes) beside this file, each case in a
 * process of its own.
 *
 *     node build/bench/run.js [WORD...] [--list] [--short] [--json FILE]
 *
 * A WORD keeps the cases in whose `file: name` it occurs, with the floors they are judged against. The table goes to
 * standard output, the numbers with the machine's facts to FILE. Fails when a case's check or its floor does. A bench file
 * exports `cases: readonly BenchCase[]`, a load file `loads: readonly LoadCase[]`; nothing more is needed to add one.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runLoad, type LoadCase } from './load.ts';
import { machineFacts, measure, readingsOf, type BenchCase, type Effort, type Reading } from './measure.ts';

interface Entry {
  readonly file: string;
  readonly name: string;
  readonly floor: string | null;
  read(effort: Effort): Promise<readonly Reading[]>;
}

interface Result extends Reading {
  readonly file: string;
  readonly name: string;
  readonly floor: string | null;
  /** This value in values of the floor's reading; null for a floor and for what a floor has not. */
  readonly ofFloor: number | null;
}

const FOLDER = new URL('.', import.meta.url);
const CASE_FILE = /\.(bench|load)\.js$/;

/** How a parent asks a child for one case: title, effort. */
const ONE_CASE = '--one-case';

if (process.argv[2] === ONE_CASE) await runChild(process.argv[3], process.argv[4] as Effort);
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
  const read = new Map(
    entries.map((entry) => [title(entry), readInChild(entry, values.short ? 'short' : 'full')]),
  );
  const results = entries.flatMap((entry) => resultsOf(entry, read));
  print(tableOf(results));
  if (values.json !== undefined)
    writeFileSync(values.json, JSON.stringify({ facts, results }, null, 2) + '\n');
}

async function loadAll(): Promise<readonly Entry[]> {
  const files = readdirSync(FOLDER).filter((file) => CASE_FILE.test(file));
  const loaded = await Promise.all(files.toSorted().map((file) => load(file)));
  return loaded.flat();
}

async function load(path: string): Promise<readonly Entry[]> {
  const { cases = [], loads = [] } = (await import(new URL(path, FOLDER).href)) as {
    cases?: readonly BenchCase[];
    loads?: readonly LoadCase[];
  };
  const file = path.replace(CASE_FILE, '');
  const functions = cases.map((bench) => ({
    ...{ file, name: bench.name, floor: bench.floor },
    read: async (effort: Effort) => readingsOf(await measure(bench, effort)),
  }));
  const processes = loads.map((whole) => ({
    ...{ file, name: whole.name, floor: whole.floor },
    read: (effort: Effort) => runLoad(whole, effort),
  }));
  return withKnownFloors([...functions, ...processes]);
}

/** Throws if a floor is missing: a number without one says nothing. */
function withKnownFloors(entries: readonly Entry[]): readonly Entry[] {
  const floors = new Set(entries.filter(({ floor }) => floor === null).map(({ name }) => name));
  for (const { file, name, floor } of entries) {
    if (floor !== null && !floors.has(floor))
      throw new Error(`${file}: the floor of '${name}' does not exist`);
  }
  return entries;
}

function withFloors(entries: readonly Entry[], words: readonly string[]): readonly Entry[] {
  const kept = entries.filter((entry) => words.every((word) => title(entry).includes(word)));
  const needed = new Set(kept.flatMap((entry) => [title(entry), floorTitle(entry) ?? title(entry)]));
  return entries.filter((entry) => needed.has(title(entry)));
}

function readInChild(entry: Entry, effort: Effort): readonly Reading[] {
  const self = fileURLToPath(import.meta.url);
  const output = execFileSync(process.execPath, [self, ONE_CASE, title(entry), effort], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(output) as readonly Reading[];
}

/** Exits when the result is written: a case may leave timers armed. */
async function runChild(wanted: string, effort: Effort): Promise<void> {
  const entry = (await loadAll()).find((candidate) => title(candidate) === wanted);
  if (!entry) throw new Error(`there is no case '${wanted}'`);
  const readings = await entry.read(effort);
  process.stdout.write(JSON.stringify(readings), () => process.exit(0));
}

function resultsOf(entry: Entry, read: ReadonlyMap<string, readonly Reading[]>): readonly Result[] {
  const { file, name, floor } = entry;
  const floorTitled = floorTitle(entry);
  const floorReadings = floorTitled === null ? [] : read.get(floorTitled)!;
  return read.get(title(entry))!.map((reading) => {
    const below = floorReadings.find(({ what }) => what === reading.what);
    return { file, name, floor, ...reading, ofFloor: below ? reading.value / below.value : null };
  });
}

function title({ file, name }: Entry): string {
  return `${file}: ${name}`;
}

function floorTitle({ file, floor }: Entry): string | null {
  return floor === null ? null : `${file}: ${floor}`;
}

function tableOf(results: readonly Result[]): string[] {
  const head = ['case', 'reading', 'value', 'spread', 'of floor'];
  const rows = results.map(({ file, name, floor, what, value, unit, spread, ofFloor }) => [
    `${file}: ${name}`,
    what,
    `${value.toFixed(1)} ${unit}`,
    spread ? `${spread.low.toFixed(1)}..${spread.high.toFixed(1)}` : '',
    floor === null ? 'floor' : ofFloor === null ? '' : `${ofFloor.toFixed(2)}x`,
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  '),
  );
}

function print(lines: readonly string[]): void {
  process.stdout.write(lines.join('\n') + '\n');
}
