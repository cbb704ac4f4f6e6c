/**
 * The customer's terminal as a stream that takes or queues what is written and never waits: Node lets writes to a
 * terminal block, and one that is not read (a stopped window, a stuck line) would stop Ctrl+C, signals and the visit.
 * Pipes and files are as Node has them. Whoever writes bounds the queue.
 */
import { accessSync, constants, openSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { WriteStream } from 'node:tty';

/** On Windows a console that is not read blocks whatever is asked for; it has no other names either. */
export function screenOutput(stdout: WriteStream, platform: string): Writable {
  const output = stdout.isTTY && platform !== 'win32' ? ownTerminal(stdout) : null;
  if (output === null) return stdout;
  const { _handle } = output as { _handle?: { setBlocking?(isBlocking: boolean): number } | null };
  _handle?.setBlocking?.(false);
  return output;
}

/**
 * The terminal on a descriptor that is shared with nobody, or null. Node has opened it anew for us, where it may. It
 * may not where the terminal is somebody else's (after `su`), and would then try in a loop what would block; but
 * /dev/tty opens for everybody.
 */
function ownTerminal(stdout: WriteStream): WriteStream | null {
  try {
    accessSync('/dev/fd/1', constants.W_OK);
    return stdout;
  } catch {
    return openTerminal();
  }
}

function openTerminal(): WriteStream | null {
  try {
    return new WriteStream(openSync('/dev/tty', 'w')).on('error', () => {});
  } catch {
    return null;
  }
}
