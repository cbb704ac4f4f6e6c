/**
 * The log file: start-up, events, and everything the daemon showed, time-stamped; of a connector that serves several
 * visits with the number of the visit.
 *
 *     2026-11-23T09:12:41.123Z  event  The engineer is connected.
 *     2026-11-23T09:12:41.623Z  shown  login: admin
 *     2026-11-23T09:12:43.001Z  shown 2  login: admin
 *
 * Only what the daemon sent is recorded, never what was typed: a key that the daemon echoes is in its output, and a
 * password that it does not echo is nowhere. UTF-8 text with nothing in it but visible characters: everything else is
 * escaped, byte by byte (\xNN), so the file can be read with any tool. A character that a cut divides is escaped.
 * Appended, mode 0600. Writes are synchronous, one for each chunk: what happened is in the file before it goes on.
 */
import { closeSync, fchmodSync, fstatSync, openSync, writeSync } from 'node:fs';
import type { Cancel, Clock } from '../base/clock.ts';
import { errorCode, OperatorError } from '../base/errors.ts';
import { ESCAPED_BYTES_MAX, escapeInto, escapeText } from '../base/text.ts';
import { Ended } from './ending.ts';

/** Longest piece of output on one line of the file. */
const LINE_BYTES_MAX = 1_024;
/** A line that the daemon leaves unfinished (a prompt) is written after this. */
const UNFINISHED_MS = 1_000;
/** Lines are gathered up to this before they are written. */
const GATHERED_BYTES_MAX = 64 * 1_024;
/** The longest line with its stamp (45 bytes at most) and its end. */
const GATHERED_LINE_BYTES_MAX = LINE_BYTES_MAX * ESCAPED_BYTES_MAX + 64;
const LF = 0x0a;
const CR = 0x0d;

export class Transcript {
  readonly #clock: Clock;
  readonly #fd: number;
  readonly #visits = new Set<VisitTranscript>();

  /**
   * Opens `file`. One that is there and belongs to `ownUid` becomes private. Throws OperatorError: nothing is dialled
   * without a log.
   */
  constructor(file: string, clock: Clock, ownUid?: number) {
    this.#clock = clock;
    try {
      this.#fd = openSync(file, 'a', 0o600);
      const found = fstatSync(this.#fd);
      if (found.isFile() && found.uid === ownUid) fchmodSync(this.#fd, 0o600);
    } catch (error) {
      throw new OperatorError(
        `log file ${file} cannot be written (${errorCode(error)}); name another with -file, or mend its folder`,
        { cause: error },
      );
    }
  }

  /** One event. Throws Ended when the file cannot be written. */
  event(text: string): void {
    for (const visit of this.#visits) visit.flush();
    this.#writeAll(Buffer.from(`${timeText(this.#clock)}  event  ${escapeText(text)}\n`));
  }

  /** The record of a visit, to be closed when it is over; `number` tells it from others. */
  visit(number: number | null): VisitTranscript {
    const visit = new VisitTranscript(this.#clock, number, {
      write: (bytes) => this.#writeAll(bytes),
      closed: () => void this.#visits.delete(visit),
    });
    this.#visits.add(visit);
    return visit;
  }

  /** Throws Ended when what is left cannot be written; the file is closed all the same. */
  close(): void {
    try {
      for (const visit of [...this.#visits]) visit.close();
    } finally {
      closeSync(this.#fd);
    }
  }

  #writeAll(bytes: Uint8Array): void {
    try {
      for (let from = 0; from < bytes.length;) from += writeSync(this.#fd, bytes, from);
    } catch (error) {
      throw new Ended('logFailed', `The log file cannot be written any more (${errorCode(error)}).`);
    }
  }
}

/** What one visit showed, cut into lines. */
export class VisitTranscript {
  readonly #clock: Clock;
  readonly #kind: string;
  readonly #file: { write(bytes: Uint8Array): void; closed(): void };
  /** The line that the daemon has not finished. */
  readonly #line = new Uint8Array(LINE_BYTES_MAX);
  #lineBytes = 0;
  /** Finished lines on their way to the file. */
  readonly #gathered = Buffer.alloc(GATHERED_BYTES_MAX);
  #gatheredBytes = 0;
  /** What stands before output shown at `#prefixMs`. */
  #prefix: Uint8Array = new Uint8Array(0);
  #prefixMs = NaN;
  #cancelFlush: Cancel | null = null;
  /** What became of a write that nobody waited for. */
  #failure: Ended | null = null;

  constructor(clock: Clock, number: number | null, file: { write(bytes: Uint8Array): void; closed(): void }) {
    this.#clock = clock;
    this.#kind = number === null ? 'shown' : `shown ${number}`;
    this.#file = file;
  }

  /** Bytes that the daemon showed, without telnet commands. Throws Ended when the file cannot be written. */
  shown(bytes: Uint8Array): void {
    if (this.#failure) throw this.#failure;
    this.#stamp();
    let from = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, from)) {
      this.#append(bytes, from, end);
      this.#endLine();
      from = end + 1;
    }
    this.#append(bytes, from, bytes.length);
    this.#save();
    if (this.#lineBytes > 0) this.#cancelFlush ??= this.#clock.after(UNFINISHED_MS, () => this.#unfinished());
  }

  /** Writes the line that is not finished as it is. Throws Ended. */
  flush(): void {
    this.#stamp();
    if (this.#lineBytes > 0) this.#endLine();
    this.#save();
  }

  /** The visit is over. Throws Ended. */
  close(): void {
    this.#file.closed();
    this.flush();
  }

  #append(bytes: Uint8Array, from: number, end: number): void {
    for (let at = from; at < end;) {
      const piece = bytes.subarray(at, Math.min(end, at + LINE_BYTES_MAX - this.#lineBytes));
      this.#line.set(piece, this.#lineBytes);
      this.#lineBytes += piece.length;
      at += piece.length;
      if (this.#lineBytes === LINE_BYTES_MAX) this.#endLine();
    }
  }

  #unfinished(): void {
    try {
      this.flush();
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      this.#failure = error;
    }
  }

  /** Gathers the line, with its stamp in front. */
  #endLine(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = null;
    const length = this.#lineBytes;
    const isCrLf = length > 0 && this.#line[length - 1] === CR;
    this.#lineBytes = 0;
    if (this.#gatheredBytes + GATHERED_LINE_BYTES_MAX > this.#gathered.length) this.#save();
    this.#gathered.set(this.#prefix, this.#gatheredBytes);
    let at = this.#gatheredBytes + this.#prefix.length;
    at = escapeInto(this.#gathered, at, this.#line.subarray(0, isCrLf ? length - 1 : length));
    this.#gathered[at] = LF;
    this.#gatheredBytes = at + 1;
  }

  #stamp(): void {
    const nowMs = this.#clock.wallNow();
    if (nowMs === this.#prefixMs) return;
    this.#prefixMs = nowMs;
    this.#prefix = Buffer.from(`${timeText(this.#clock)}  ${this.#kind}  `);
  }

  #save(): void {
    const bytes = this.#gatheredBytes;
    this.#gatheredBytes = 0;
    if (bytes > 0) this.#file.write(this.#gathered.subarray(0, bytes));
  }
}

function timeText(clock: Clock): string {
  return new Date(clock.wallNow()).toISOString();
}
