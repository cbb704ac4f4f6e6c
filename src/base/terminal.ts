/**
 * Reading a secret from whoever starts a program: typed at a terminal without echo, or the first line of standard
 * input. The streams are passed in.
 */
import type { ReadStream } from 'node:tty';
import { OperatorError } from './errors.ts';

export interface Terminal {
  readonly input: NodeJS.ReadStream;
  /** Where prompts go: not standard output, which may be piped on. */
  readonly prompts: NodeJS.WritableStream;
}

const SECRET_BYTES_MAX = 4_096;
const ETX = '\u0003';
const BACKSPACES = ['\b', '\u007f'];

/** The secret, without its line end. Rejects with OperatorError on ^C, or when there is none. */
export async function readSecret({ input, prompts }: Terminal, prompt: string): Promise<string> {
  if (!input.isTTY) return firstLine(input);
  // First: switching waits until the terminal has taken what was written, and until then it echoes.
  input.setRawMode(true);
  prompts.write(prompt);
  try {
    return await typedLine(input);
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

function typedLine(input: ReadStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed: string[] = [];
    const onData = (chunk: Buffer): void => {
      for (const character of chunk.toString('utf8')) {
        if (character === '\r' || character === '\n') return done(() => resolve(typed.join('')));
        if (character === ETX) return done(() => reject(new OperatorError('interrupted')));
        if (BACKSPACES.includes(character)) typed.pop();
        else if (character === '\u0015') typed = [];
        else if (character >= ' ' && typed.length < SECRET_BYTES_MAX) typed.push(character);
      }
    };
    const done = (action: () => void): void => {
      input.off('data', onData);
      action();
    };
    input.on('data', onData);
    input.resume();
  });
}

async function firstLine(input: NodeJS.ReadableStream): Promise<string> {
  let received = '';
  for await (const chunk of input) {
    received += String(chunk);
    if (received.includes('\n')) break;
    if (received.length > SECRET_BYTES_MAX) throw new OperatorError('the line on standard input is too long');
  }
  const line = received.split('\n', 1)[0].replace(/\r$/, '');
  if (line === '') throw new OperatorError('standard input holds no password');
  return line;
}
