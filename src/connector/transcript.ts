/**
 * The log file: start-up, events, and everything the daemon showed, time-stamped.
 *
 *     2026-11-23T09:12:41.123Z  event  The engineer is connected.
 *     2026-11-23T09:12:41.623Z  shown  login: admin
 *
 * Only what the daemon sent is recorded, never what was typed: a key that the daemon echoes is in its output, and a
 * password that it does not echo is nowhere. Control bytes are escaped (\xNN), so the file can be read with any tool.
 * Appended, mode 0600. Writes are synchronous, one for each chunk: what happened is in the file before it goes on.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Cancel, Clock } from '../base/clock.ts';
import { errorCode, OperatorError } from '../base/errors.ts';
import { ESCAPED_BYTES_MAX, escapeInto, escapeText } from '../base/text.ts';
import { Ended } from './ending.ts';

type Kind = 'event' | 'shown';

/** Longest piece of output on one line of the file. */
const LINE_BYTES_MAX = 1_024;
/** A line that the daemon leaves unfinished (a prompt) is written after this. */
const UNFINISHED_MS = 1_000;
/** Lines are gathered up to this before they are written. */
const GATHERED_BYTES_MAX = 64 * 1_024;
/** Time, kind and the end of the line: what a line of output can be longer than its escaped bytes. */
const FRAME_BYTES_MAX = 64;
const LF = 0x0a;
const CR = 0x0d;

export class Transcript {
  readonly #clock: Clock;
  readonly #fd: number;
  /** The line that the daemon has not finished. */
  readonly #line = new Uint8Array(LINE_BYTES_MAX);
  #lineBytes = 0;
  /** Finished lines on their way to the file. */
  readonly #gathered = Buffer.alloc(GATHERED_BYTES_MAX);
  #gatheredBytes = 0;
  #timeMs = NaN;
  #time = '';
  #cancelFlush: Cancel | null = null;
  /** What became of a write that nobody waited for. */
  #failure: Ended | null = null;

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
    this.#flushLine();
    this.#save();
    this.#writeAll(Buffer.from(`${this.#prefix('event')}${escapeText(text)}\n`));
  }

  /** Bytes that the daemon showed, without telnet commands. Throws Ended when the file cannot be written. */
  shown(bytes: Uint8Array): void {
    if (this.#failure) throw this.#failure;
    let from = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, from)) {
      this.#append(bytes.subarray(from, end));
      this.#endLine();
      from = end + 1;
    }
    if (from < bytes.length) this.#append(bytes.subarray(from));
    this.#save();
    if (this.#lineBytes > 0) this.#cancelFlush ??= this.#clock.after(UNFINISHED_MS, () => this.#unfinished());
  }

  close(): void {
    this.#flushLine();
    this.#save();
    closeSync(this.#fd);
  }

  #append(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      const piece = bytes.subarray(from, from + LINE_BYTES_MAX - this.#lineBytes);
      this.#line.set(piece, this.#lineBytes);
      this.#lineBytes += piece.length;
      from += piece.length;
      if (this.#lineBytes === LINE_BYTES_MAX) this.#endLine();
    }
  }

  #unfinished(): void {
    try {
      this.#flushLine();
      this.#save();
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      this.#failure = error;
    }
  }

  #flushLine(): void {
    if (this.#lineBytes > 0) this.#endLine();
  }

  #endLine(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = null;
    const length = this.#lineBytes;
    const isCrLf = length > 0 && this.#line[length - 1] === CR;
    this.#lineBytes = 0;
    this.#gather(this.#line.subarray(0, isCrLf ? length - 1 : length));
  }

  #gather(line: Uint8Array): void {
    const mostBytes = FRAME_BYTES_MAX + line.length * ESCAPED_BYTES_MAX;
    if (this.#gatheredBytes + mostBytes > GATHERED_BYTES_MAX) this.#save();
    let at = this.#gatheredBytes;
    at += this.#gathered.write(this.#prefix('shown'), at, 'latin1');
    at = escapeInto(this.#gathered, at, line);
    this.#gathered[at] = LF;
    this.#gatheredBytes = at + 1;
  }

  #prefix(kind: Kind): string {
    const nowMs = this.#clock.wallNow();
    if (nowMs !== this.#timeMs) {
      this.#timeMs = nowMs;
      this.#time = new Date(nowMs).toISOString();
    }
    return `${this.#time}  ${kind}  `;
  }

  #save(): void {
    const bytes = this.#gatheredBytes;
    this.#gatheredBytes = 0;
    if (bytes > 0) this.#writeAll(this.#gathered.subarray(0, bytes));
  }

  #writeAll(bytes: Uint8Array): void {
    try {
      for (let from = 0; from < bytes.length;) from += writeSync(this.#fd, bytes, from);
    } catch (error) {
      throw new Ended('logFailed', `The log file cannot be written any more (${errorCode(error)}).`);
    }
  }
}
