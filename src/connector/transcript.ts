/**
 * The log file: start-up, events, and everything the daemon showed, time-stamped.
 *
 *     2026-11-23T09:12:41.123Z  event  The engineer is connected.
 *     2026-11-23T09:12:41.623Z  shown  login: admin
 *
 * Only what the daemon sent is recorded, never what was typed: a key that the daemon echoes is in its output, and a
 * password that it does not echo is nowhere. Control bytes are escaped (\xNN), so the file can be read with any tool.
 * Appended, mode 0600. Writes are synchronous: what happened is in the file before it goes on.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Cancel, Clock } from '../base/clock.ts';
import { errorCode, OperatorError } from '../base/errors.ts';
import { escapeText } from '../base/text.ts';
import { Ended } from './ending.ts';

/** Longest piece of output on one line of the file. */
const LINE_BYTES_MAX = 1_024;
/** A line that the daemon leaves unfinished (a prompt) is written after this. */
const UNFINISHED_MS = 1_000;
const LF = 0x0a;
const CR = 0x0d;

export class Transcript {
  readonly #clock: Clock;
  readonly #fd: number;
  #line: Uint8Array[] = [];
  #lineBytes = 0;
  #cancelFlush: Cancel | null = null;

  /** Opens `file`. Throws OperatorError: nothing is dialled without a log. */
  constructor(file: string, clock: Clock) {
    this.#clock = clock;
    try {
      this.#fd = openSync(file, 'a', 0o600);
    } catch (error) {
      throw new OperatorError(
        `log file ${file} cannot be written (${errorCode(error)}); name another with -file, or mend its folder`,
        { cause: error },
      );
    }
  }

  /** One event. Throws Ended when the file cannot be written. */
  event(text: string): void {
    this.#flush();
    this.#write('event', text);
  }

  /** Bytes that the daemon showed, without telnet commands. Throws Ended when the file cannot be written. */
  shown(bytes: Uint8Array): void {
    let from = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, from)) {
      this.#append(bytes.subarray(from, end));
      this.#flushLine();
      from = end + 1;
    }
    if (from < bytes.length) this.#append(bytes.subarray(from));
    if (this.#lineBytes > 0) this.#cancelFlush ??= this.#clock.after(UNFINISHED_MS, () => this.#flush());
  }

  close(): void {
    this.#flush();
    closeSync(this.#fd);
  }

  #append(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      const piece = bytes.subarray(from, from + LINE_BYTES_MAX - this.#lineBytes);
      this.#line.push(piece);
      this.#lineBytes += piece.length;
      from += piece.length;
      if (this.#lineBytes >= LINE_BYTES_MAX) this.#flushLine();
    }
  }

  #flush(): void {
    if (this.#lineBytes > 0) this.#flushLine();
  }

  #flushLine(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = null;
    const line = Buffer.concat(this.#line);
    this.#line = [];
    this.#lineBytes = 0;
    this.#write('shown', line.at(-1) === CR ? line.subarray(0, -1) : line);
  }

  #write(kind: 'event' | 'shown', content: string | Uint8Array): void {
    const time = new Date(this.#clock.wallNow()).toISOString();
    try {
      writeSync(this.#fd, `${time}  ${kind}  ${escapeText(content)}\n`);
    } catch (error) {
      throw new Ended('logFailed', `The log file cannot be written any more (${errorCode(error)}).`);
    }
  }
}
