/**
 * Programs started by a test, each in a process group of its own, so that stopping one ends its children too.
 *
 * Invariant: whatever way the test process ends, short of SIGKILL, no group started here outlives it: `stop` for
 * the ordinary way (give it to `t.teardown`), a handler for exit and for signals as the net below.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { peerPath } from './peers.ts';

/**
 * A command line whose program is what users have. The test runner has every Node program load something of its own,
 * which changes what signals do and writes files: through NODE_OPTIONS, whatever environment it is started with.
 */
export function untouched(
  command: string,
  args: readonly string[],
): [command: string, args: readonly string[]] {
  return ['env', ['-u', 'NODE_OPTIONS', command, ...args]];
}

export interface ProcessOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Written to the program's standard input, which is then closed; absent: no input at all. */
  input?: string;
  /** Leaves the standard input open for `write`. */
  keepInputOpen?: boolean;
  /** Runs in this network namespace (test/helpers/network.ts). */
  within?: string | undefined;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

const live = new Set<RunningProcess>();

process.on('exit', endAll);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGALRM'] as const) {
  // First of all listeners: the test runner's ends the program in a way that comes to no exit handler.
  process.prependOnceListener(signal, () => {
    endAll();
    if (process.listenerCount(signal) === 0) process.exit(1);
  });
}

function endAll(): void {
  for (const running of live) running.signalGroup('SIGKILL');
}

export class RunningProcess {
  readonly pid: number;
  /** Resolves when the program has ended and its output was read to the end. */
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #name: string;
  #isOver = false;

  constructor(command: string, args: readonly string[], options: ProcessOptions = {}) {
    this.#name = [command, ...args].join(' ');
    const hasInput = options.input !== undefined || options.keepInputOpen === true;
    const [first, ...others] = [...enter(options.within), command, ...args];
    this.#child = spawn(...untouched(first, others), {
      detached: true,
      stdio: [hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      env: options.env ?? process.env,
      cwd: options.cwd,
    });
    this.pid = this.#child.pid ?? -1;
    live.add(this);
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.#child.stdin?.on('error', () => undefined); // it may end without reading
    if (options.keepInputOpen !== true) this.#child.stdin?.end(options.input);
    this.ended = this.#awaitEnd();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get stdoutStream(): Readable {
    if (!this.#child.stdout) throw new Error(`${this.#name} did not start`);
    return this.#child.stdout;
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Resolves with the match once standard output or error holds `pattern`; rejects if the program ends first. */
  async output(pattern: RegExp, withinMs = 15_000): Promise<RegExpMatchArray> {
    const find = (): RegExpMatchArray | null => this.stdout.match(pattern) ?? this.stderr.match(pattern);
    await until(
      () => find() !== null || this.#isOver,
      withinMs,
      () => this.describe(`to print ${pattern}`),
    );
    const match = find();
    if (!match) throw new Error(this.describe(`to print ${pattern}`));
    return match;
  }

  /** Ends the whole group: SIGTERM, and SIGKILL for what is left after `graceMs`; with 0 at once. */
  async stop(graceMs = 3_000): Promise<Ended> {
    if (graceMs > 0) this.signalGroup('SIGTERM');
    const timer = setTimeout(() => this.signalGroup('SIGKILL'), graceMs);
    const ended = await this.ended;
    clearTimeout(timer);
    this.signalGroup('SIGKILL');
    live.delete(this);
    return ended;
  }

  signalGroup(signal: NodeJS.Signals): void {
    if (this.pid < 0) return;
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  describe(expected: string): string {
    return `expected ${this.#name} ${expected}; it printed:\n${this.stdout}${this.stderr}`;
  }

  async #awaitEnd(): Promise<Ended> {
    const failure = once(this.#child, 'error').then(([error]) => {
      this.stderr += String(error);
      return { code: 127, signal: null };
    });
    const end = once(this.#child, 'close').then(([code, signal]) => ({ code, signal }));
    const ended = await (this.pid < 0 ? failure : end);
    this.#isOver = true;
    return ended;
  }
}

/** Resolves once `condition` holds, asked every few milliseconds; rejects with `explain()` after `withinMs`. */
export async function until(
  condition: () => boolean,
  withinMs: number,
  explain: () => string,
): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`${withinMs} ms passed: ${explain()}`);
    await delay(5);
  }
}

function enter(namespace: string | undefined): string[] {
  return namespace === undefined ? [] : [peerPath('ip'), 'netns', 'exec', namespace];
}

/** Kills all processes of the sessions with these ids, and what they start meanwhile; resolves once they are gone. */
export async function endSessions(ids: readonly number[]): Promise<void> {
  const members = (): number[] => processIds().filter((pid) => ids.includes(statusOf(pid).session));
  const areGone = (): boolean => {
    const left = members();
    for (const pid of left) killQuietly(pid);
    return left.length === 0;
  };
  await until(areGone, 5_000, () => `processes ${members().join(', ')} do not end`);
}

/** Whether a process runs; one that has ended and only waits to be reaped does not. */
export function isRunning(pid: number): boolean {
  return statusOf(pid).runs;
}

function processIds(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

/** From /proc/PID/stat: after the name in brackets come state, parent, group, session. */
function statusOf(pid: number): { runs: boolean; session: number } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? { runs: false, session: -1 } : { runs: true, session: Number(session) };
  } catch {
    return { runs: false, session: -1 };
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // already gone
  }
}
