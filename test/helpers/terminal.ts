/**
 * A real telnet client, or another program, on a terminal of 33 rows and 101 columns, with expect as the hands and eyes
 * in front of it. The eyes are open only during an `await`: in between nobody reads the terminal.
 *
 * `await` resolves with everything that came since the last one, up to and including the awaited text; bytes are
 * shown as Latin-1 characters, so nothing is lost or merged. Nothing waits for time to pass: the seconds are upper
 * bounds, and one that runs out tells what was awaited and what came instead.
 */
import { createInterface } from 'node:readline';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { peerPath, repositoryUrl, type PeerName } from './peers.ts';
import { endSessions, RunningProcess } from './processes.ts';

export const clientKinds = ['inetutils', 'busybox', 'plink'] as const;
export type ClientKind = (typeof clientKinds)[number];

/** What a client needs on the machine, for `skipUnless`. */
export const clientPeers: Record<ClientKind, readonly PeerName[]> = {
  inetutils: ['telnet', 'expect'],
  busybox: ['busybox', 'expect'],
  plink: ['plink', 'expect'],
};

export const windowSize = { rows: 33, columns: 101 };

const script = fileURLToPath(new URL('test/helpers/expect/terminal.exp', repositoryUrl));

export type OnShown = (text: string) => void;

export interface TerminalOptions {
  /** Called with what came on the terminal whenever it was read. */
  readonly onShown?: OnShown;
  /** Added to the program's environment. */
  readonly env?: NodeJS.ProcessEnv;
}

export class Terminal {
  /** Everything that came on the terminal and was read by `await` or `awaitEnd`. */
  transcript = '';
  readonly #expect: RunningProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #home: string;
  readonly #onShown: OnShown;
  #clientPid = 0;
  #lastSent = '';

  /** Starts the client. */
  static open(
    client: ClientKind,
    host: string,
    port: number,
    onShown: OnShown = () => {},
  ): Promise<Terminal> {
    return Terminal.run(clientCommand(client, host, port), { onShown });
  }

  /** Starts any program. */
  static async run(command: readonly string[], options: TerminalOptions = {}): Promise<Terminal> {
    const terminal = new Terminal(command, options);
    const [, pid] = await terminal.#answer();
    terminal.#clientPid = Number(pid);
    return terminal;
  }

  private constructor(command: readonly string[], { onShown = () => {}, env: more }: TerminalOptions) {
    // No settings of the person who runs the tests: ~/.telnetrc and ~/.putty are looked for under HOME.
    this.#home = mkdtempSync(join(tmpdir(), 'telnet-visit-'));
    const env = { ...process.env, TERM: 'xterm', LC_ALL: 'C.UTF-8', HOME: this.#home, ...more };
    this.#expect = new RunningProcess(peerPath('expect'), [script, ...command], { env, keepInputOpen: true });
    this.#answers = createInterface(this.#expect.stdoutStream)[Symbol.asyncIterator]();
    this.#onShown = onShown;
  }

  /** The program's process; 0 once `awaitEnd` has seen its end. */
  get pid(): number {
    return this.#clientPid;
  }

  send(text: string | Buffer): void {
    const bytes = Buffer.from(text);
    this.#lastSent = bytes.toString('latin1');
    this.#expect.write(`send ${bytes.toString('hex')}\n`);
  }

  /** Sends a line as the Enter key ends it. */
  sendLine(line: string | Buffer): void {
    this.send(Buffer.concat([Buffer.from(line), Buffer.from('\r')]));
  }

  /** Resolves with what came up to and including `text`; rejects if it does not come, or the client ends before. */
  async await(text: string | Buffer, withinS = 20): Promise<string> {
    const bytes = Buffer.from(text);
    this.#expect.write(`await ${bytes.toString('hex')} ${withinS}\n`);
    const [kind, hex] = await this.#answer();
    const shown = this.#show(hex);
    if (kind === 'got') return shown;
    throw new Error(this.#describe(JSON.stringify(bytes.toString('latin1')), kind, shown));
  }

  /** Resolves with the client's exit status once it has ended by itself. */
  async awaitEnd(withinS = 20): Promise<number> {
    this.#expect.write(`end ${withinS}\n`);
    const [kind, first, second] = await this.#answer();
    const shown = this.#show(kind === 'status' ? second : first);
    if (kind === 'status') {
      this.#clientPid = 0;
      return Number(first);
    }
    throw new Error(this.#describe('the end of the client', kind, shown));
  }

  /** Closes the terminal, as a window is closed. */
  async hangUp(): Promise<void> {
    await this.#expect.stop(0);
  }

  /** Ends the client if it still runs. */
  async stop(): Promise<void> {
    await this.hangUp();
    if (this.#clientPid > 0) await endSessions([this.#clientPid]);
    rmSync(this.#home, { recursive: true, force: true });
  }

  async #answer(): Promise<[string, string, string]> {
    const answer = await this.#answers.next();
    if (answer.done) throw new Error(this.#expect.describe('to answer'));
    const [kind = '', first = '', second = ''] = answer.value.split(' ');
    return [kind, first, second];
  }

  #show(hex: string): string {
    const shown = Buffer.from(hex, 'hex').toString('latin1');
    this.transcript += shown;
    this.#onShown(shown);
    return shown;
  }

  #describe(wanted: string, kind: string, shown: string): string {
    const reason = kind === 'eof' ? 'the client ended' : 'time ran out';
    const before = this.transcript.slice(0, this.transcript.length - shown.length);
    return [
      `waited for ${wanted} after sending ${JSON.stringify(this.#lastSent)} but ${reason}`,
      `shown since: ${quoteEnd(shown)}`,
      `shown before: ${quoteEnd(before)}`,
    ].join('\n');
  }
}

/** The end of what was shown, quoted: enough to see what happened, whatever the length. */
export function quoteEnd(shown: string): string {
  return (shown.length > 600 ? '… ' : '') + JSON.stringify(shown.slice(-600));
}

/** Escape characters are off where the client can: what a test sends is for the far side, never a local command. */
function clientCommand(client: ClientKind, host: string, port: number): string[] {
  const commands: Record<ClientKind, () => string[]> = {
    inetutils: () => [peerPath('telnet'), '-E', host, String(port)],
    busybox: () => [peerPath('busybox'), 'telnet', host, String(port)],
    plink: () => [peerPath('plink'), '-telnet', '-batch', '-P', String(port), host],
  };
  return commands[client]();
}
