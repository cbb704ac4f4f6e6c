/**
 * Reading a secret from whoever starts a program: typed at a terminal without echo, or the first line of standard
 * input. The streams are passed in. And what a program does at its end about terminals that are gone.
 */
import { closeSync, fstatSync } from 'node:fs';
import { addAbortSignal } from 'node:stream';
import { isatty, type ReadStream } from 'node:tty';
import { OperatorError } from './errors.ts';

export interface Terminal {
  readonly input: NodeJS.ReadStream;
  /** Where prompts go: not standard output, which may be piped on. */
  readonly prompts: NodeJS.WritableStream;
  /** Ends a prompt, for signals: whoever started the program has the terminal back as it was. */
  readonly stop?: AbortSignal;
}

/** Nobody answers the prompt: ^C, ^\\, ^D on an empty line, the terminal's end, or `stop`. */
export class Interrupted extends OperatorError {
  constructor() {
    super('interrupted');
  }
}

const SECRET_BYTES_MAX = 4_096;
const EOT = '\u0004';
const INTERRUPTS = ['\u0003', '\u001c'];
const LINE_ENDS = ['\r', '\n'];
const BACKSPACES = ['\b', '\u007f'];
/** What arrow and function keys send, always in one piece: CSI, SS3, or ESC and a character. */
const FUNCTION_KEY = new RegExp('\u001b(\\[[0-?]*[ -/]*[@-~]|O.|.)?', 'gu');

const never = new AbortController().signal;

/** The secret, without its line end. Rejects with Interrupted, or with OperatorError when there is none. */
export async function readSecret(
  { input, prompts, stop = never }: Terminal,
  prompt: string,
): Promise<string> {
  if (stop.aborted) throw new Interrupted();
  if (!input.isTTY) return firstLine(input, stop);
  // First: switching waits until the terminal has taken what was written, and until then it echoes.
  input.setRawMode(true);
  prompts.write(prompt);
  try {
    return await typedLine(input, stop);
  } finally {
    input.setRawMode(false);
    input.pause();
    prompts.write('\n');
  }
}

/** A secret that is being set: asked for twice where somebody types it. Rejects with OperatorError. */
export async function readNewSecret(terminal: Terminal, prompt: string): Promise<string> {
  const secret = await readSecret(terminal, prompt);
  if (!terminal.input.isTTY) return secret;
  if ((await readSecret(terminal, 'Once more: ')) !== secret)
    throw new OperatorError('the two are not the same');
  return secret;
}

function typedLine(input: ReadStream, stop: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed: string[] = [];
    const onData = (chunk: Buffer): void => {
      for (const character of chunk.toString('utf8').replace(FUNCTION_KEY, '')) {
        if (LINE_ENDS.includes(character)) return done(() => resolve(typed.join('')));
        if (INTERRUPTS.includes(character) || (character === EOT && typed.length === 0)) return leave();
        if (BACKSPACES.includes(character)) typed.pop();
        else if (character === '\u0015') typed = [];
        else if (character >= ' ' && typed.length < SECRET_BYTES_MAX) typed.push(character);
      }
    };
    const leave = (): void => done(() => reject(new Interrupted()));
    const done = (action: () => void): void => {
      input.off('data', onData).off('end', leave).off('error', leave);
      stop.removeEventListener('abort', leave);
      action();
    };
    input.on('data', onData).on('end', leave).on('error', leave);
    stop.addEventListener('abort', leave);
    input.resume();
  });
}

async function firstLine(input: NodeJS.ReadStream, stop: AbortSignal): Promise<string> {
  let received = '';
  try {
    for await (const chunk of addAbortSignal(stop, input)) {
      received += String(chunk);
      if (received.includes('\n')) break;
      if (received.length > SECRET_BYTES_MAX)
        throw new OperatorError('the line on standard input is too long');
    }
  } catch (error) {
    throw stop.aborted ? new Interrupted() : error;
  }
  const line = received.split('\n', 1)[0].replace(/\r$/, '');
  if (line === '') throw new OperatorError('standard input holds no password');
  return line;
}

/**
 * The last thing before a program exits: closes those of descriptors 0 to 2 whose terminal is gone (a closed window,
 * a lost line). Node would try to reset them, and dump core.
 */
export function closeGoneTerminals(): void {
  for (const fd of [0, 1, 2]) {
    try {
      // A terminal that is gone is a character device still, and no terminal any more; so is /dev/null.
      if (fstatSync(fd).isCharacterDevice() && !isatty(fd)) closeSync(fd);
    } catch {
      // It is closed, or of a kind that cannot be asked (Windows has some): there is nothing to reset.
    }
  }
}
