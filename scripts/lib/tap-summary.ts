/**
 * Turns the TAP of a whole test run (standard input) into what a person reads: a line per file, every failure with
 * its full name and diagnostics, every skipped test with its reason, and last the counts.
 *
 * Invariant: each `not ok` that is not merely the sum of failures below it is printed. A run that ends before tap
 * gave its counts is itself a failure (exit status 1). Fed by scripts/test.
 */
import { createInterface } from 'node:readline';

const startedMs = performance.now();

/** Names of the open tests by depth: the file, then the tests in it. */
const open: string[] = [];
/** Per depth, whether a failure in the open test was printed already. */
const printed: boolean[] = [];
let comments: string[] = [];
let diagnosticIndent = -1;
let counts: string | null = null;
let nowPrinting = false;

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

for await (const line of createInterface({ input: process.stdin })) readLine(line);
printCounts();

function readLine(line: string): void {
  const text = line.trimStart();
  const indent = line.length - text.length;
  if (diagnosticIndent >= 0) return readDiagnostic(line, text);
  if (text === '---') return startDiagnostic(indent);
  if (text.startsWith('#')) return readComment(text, indent / 4);
  if (text.startsWith('Bail out!')) return say(text);
  const point = /^(not )?ok \d+(?: - (.*))?$/.exec(text);
  if (point) readPoint(point[1] === undefined, point[2] ?? '', indent / 4);
}

function readComment(text: string, depth: number): void {
  const subtest = /^# Subtest: (.*)$/.exec(text)?.[1];
  if (subtest !== undefined) {
    open.length = depth;
    open[depth] = subtest;
    printed[depth] = false;
    if (depth === 0) comments = [];
    return;
  }
  if (depth === 0 && text.startsWith('# { total')) counts = text;
  if (depth > 0 && !text.startsWith('# time=')) comments.push(text);
}

function readPoint(isOk: boolean, description: string, depth: number): void {
  const [, name = '', directive] = /^(.*?)(?: # (.*))?$/.exec(description) ?? [];
  const closes = open[depth] === name;
  if (/^(SKIP|TODO)/.test(directive ?? '')) say(`skipped  ${path(depth, name)} # ${directive}`);
  nowPrinting = !isOk && !(closes && printed[depth] === true);
  if (nowPrinting) {
    say(`FAILED   ${path(depth, name)}`);
    printed.fill(true, 0, depth);
  }
  if (closes && depth === 0) closeFile(isOk, name, directive);
}

function closeFile(isOk: boolean, name: string, directive = ''): void {
  const seconds = (Number(/time=([\d.]+)ms/.exec(directive)?.[1] ?? 0) / 1000).toFixed(1);
  if (!isOk) for (const comment of comments) say(`         ${comment}`);
  say(`${isOk ? 'ok      ' : 'not ok  '} ${sourceName(name)} (${seconds} s)`);
}

function path(depth: number, name: string): string {
  return [...open.slice(0, depth), name].map(sourceName).join(' > ');
}

/** Tests are run as compiled and read as written. */
function sourceName(name: string): string {
  return name.replace(/^build\/(.*)\.js$/, '$1.ts');
}

function startDiagnostic(indent: number): void {
  diagnosticIndent = indent;
}

/** Of a file as a whole only how it ended tells anything. */
function readDiagnostic(line: string, text: string): void {
  if (text === '...') diagnosticIndent = -1;
  else if (nowPrinting && (diagnosticIndent > 2 || /^(exitCode|signal|expired):/.test(text))) {
    say(`         ${line.slice(diagnosticIndent)}`);
  }
}

/** tap's own counts: "# { total: 5, pass: 3, fail: 1, skip: 1 }", without those that are 0. */
function printCounts(): void {
  if (counts === null) {
    say('the run ended before tap gave its counts');
    process.exitCode = 1;
    return;
  }
  const count = (key: string): number => Number(new RegExp(`${key}: (\\d+)`).exec(counts ?? '')?.[1] ?? 0);
  say(`the tests took ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  say(`${count('pass')} passed, ${count('fail')} failed, ${count('skip') + count('todo')} skipped`);
}
