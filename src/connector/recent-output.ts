/**
 * The newest output of one visit, kept so that it can be brought back to the screen: a ring, as the bytes came.
 *
 *     position   0 ............ endsAt - KEPT_BYTES ........ endsAt
 *                dropped        kept                         next byte
 *
 * Knows whether the daemon draws on the alternate screen, and where it began to: what was drawn there is worth nothing
 * without its beginning. Costs one copy of what is kept; never more than its ring.
 */

export const KEPT_BYTES = 32 * 1_024;
/** Of lines, so much is enough to know where one is: some screens. */
const LINES_BYTES = 8 * 1_024;
const ESC = 0x1b;
const LF = 0x0a;

const MODES = new RegExp('\u001b\\[\\?([0-9;]{1,40})([hl])', 'g');
const ALTERNATE: ReadonlySet<string> = new Set(['47', '1047', '1049']);
const ENTER = Buffer.from('\u001b[?1049h');
/** Longer than any sequence that MODES finds. */
const TAIL_BYTES = 48;

export interface Replay {
  readonly bytes: Uint8Array;
  /** Whether what came before is missing. */
  readonly isCut: boolean;
}

export class RecentOutput {
  readonly #ring = new Uint8Array(KEPT_BYTES);
  #endsAt = 0;
  #isAlternate = false;
  /** Where the alternate screen was entered last. */
  #enteredAt = 0;
  /** Whether a sequence may have begun in the last TAIL_BYTES. */
  #mayBeSplit = false;

  /** Position of the next byte. */
  get endsAt(): number {
    return this.#endsAt;
  }

  /** Whether the daemon draws on the alternate screen. */
  get isAlternate(): boolean {
    return this.#isAlternate;
  }

  push(bytes: Uint8Array): void {
    const kept = bytes.subarray(Math.max(0, bytes.length - KEPT_BYTES));
    const at = (this.#endsAt + bytes.length - kept.length) % KEPT_BYTES;
    const first = kept.subarray(0, KEPT_BYTES - at);
    this.#ring.set(first, at);
    this.#ring.set(kept.subarray(first.length), 0);
    this.#endsAt += bytes.length;
    if (this.#mayBeSplit || bytes.includes(ESC)) this.#findModes(bytes);
  }

  /** What came from `position` on, as far as it is kept. */
  since(position: number): Replay {
    const start = Math.max(position, this.#startsAt);
    return { bytes: this.#copy(start), isCut: start > position };
  }

  /** What brings back the present screen as well as can be. */
  replay(): Replay {
    if (!this.#isAlternate) return this.#lines();
    if (this.#enteredAt >= this.#startsAt) return { bytes: this.#copy(this.#enteredAt), isCut: false };
    const kept = this.#copy(this.#startsAt);
    const start = Math.max(0, kept.indexOf(ESC));
    return { bytes: Buffer.concat([ENTER, kept.subarray(start)]), isCut: true };
  }

  /** From the beginning of a line. */
  #lines(): Replay {
    const from = Math.max(this.#startsAt, this.#endsAt - LINES_BYTES);
    const bytes = this.#copy(from);
    if (from === 0) return { bytes, isCut: false };
    return { bytes: bytes.subarray(bytes.indexOf(LF) + 1), isCut: true };
  }

  get #startsAt(): number {
    return Math.max(0, this.#endsAt - KEPT_BYTES);
  }

  #copy(from: number): Uint8Array {
    const length = this.#endsAt - from;
    const at = from % KEPT_BYTES;
    const copy = new Uint8Array(length);
    const first = this.#ring.subarray(at, Math.min(at + length, KEPT_BYTES));
    copy.set(first);
    copy.set(this.#ring.subarray(0, length - first.length), first.length);
    return copy;
  }

  /** Looks also at what came just before, since a sequence may be cut anywhere. */
  #findModes(bytes: Uint8Array): void {
    const before = this.since(Math.max(0, this.#endsAt - bytes.length - TAIL_BYTES)).bytes;
    // Of a chunk larger than the ring the beginning is not there any more; what it switched may be missed only then.
    const text = Buffer.from(before.length >= bytes.length ? before : bytes).toString('latin1');
    const textAt = this.#endsAt - text.length;
    for (const { index, 1: modes, 2: final } of text.matchAll(MODES)) {
      if (!modes.split(';').some((mode) => ALTERNATE.has(mode))) continue;
      this.#isAlternate = final === 'h';
      if (final === 'h') this.#enteredAt = textAt + index;
    }
    this.#mayBeSplit = text.lastIndexOf('\u001b') >= Math.max(0, text.length - TAIL_BYTES);
  }
}
