/**
 * Deadlines of many rows at once: a hierarchical timing wheel with links in typed arrays.
 *
 * A row has at most one deadline, a tick. Arm and cancel are O(1) and nothing is allocated after construction; how far
 * time moves costs nothing, only what is due or changes level does. Guarantee: a row is reported by the first `advance`
 * to its tick or beyond, never before, in order of ticks, and at most once per `advance`, whatever the callback does.
 *
 * A tick is read as six digits of six bits. A row lies at the level of the highest digit in which its tick differs
 * from now, in the slot that this digit of its tick names. So every slot in use is ahead of now's own digit, the
 * whole range of ticks has a place, and the next thing to do is the first slot in use of the lowest level in use.
 *
 *     digits      5   4   3   2   1   0          now = 0.0.0.0.2.61, three rows armed
 *
 *     level 2   [ . ][ A ][ . ] ...              A due 0.0.0.1.0.7
 *     level 1   [ . ][ . ][ . ][ B ] ...         B due 0.0.0.0.3.5
 *     level 0   ... [ . ][ . ][ C ]              C due 0.0.0.0.2.63
 *
 *     2.63      slot 63 of level 0 comes round: C is due
 *     3.0       slot 3 of level 1 comes round and *cascades*: B now differs in digit 0, so it moves to level 0, slot 5
 *     3.5       B is due
 *     1.0.0     slot 1 of level 2 cascades: A moves to level 0, slot 7 (had it been due at 1.0.0, it would fire here)
 *
 * A row cascades at most five times. Called by deadlines.ts, and for connections that have not authenticated yet.
 */
import { checkInteger, invariant } from '../base/check.ts';

const DIGIT_BITS = 6;
const SLOTS = 1 << DIGIT_BITS;
const DIGIT_MASK = SLOTS - 1;
const TICK_BITS = 31;
const LEVELS = Math.ceil(TICK_BITS / DIGIT_BITS);
const WORD_BITS = 32;
/** The last tick there is: 6.8 years of 100 ms. */
export const TICK_MAX = 2 ** TICK_BITS - 1;

export class TimerWheel {
  readonly capacity: number;
  /** Length of a tick. */
  readonly tickMs: number;
  /**
   * Circular doubly linked lists. Numbers below `capacity` are rows, above them one head for each slot, then the head
   * of the rows that are due. A head, and a row that is not armed, is linked to itself.
   */
  readonly #next: Int32Array;
  readonly #prev: Int32Array;
  readonly #dueTick: Int32Array;
  /** One bit a slot: it has rows. Level by level, so the first bit set is the slot that comes round first. */
  readonly #used = new Int32Array((LEVELS * SLOTS) / WORD_BITS);
  readonly #dueHead: number;
  #now = 0;
  /** The tick that the last `advance` went to: `#now` may still be on its way there. */
  #target = 0;
  #advancing = false;
  #size = 0;

  /** A wheel at tick 0 for rows 0..capacity-1. Throws RangeError for a capacity or tick that is not positive. */
  constructor(capacity: number, tickMs = 100) {
    this.capacity = checkInteger('timer wheel capacity', capacity, 1, 2 ** 24);
    this.tickMs = checkInteger('tickMs', tickMs, 1, 60_000);
    this.#dueHead = capacity + LEVELS * SLOTS;
    this.#next = Int32Array.from({ length: this.#dueHead + 1 }, (_, node) => node);
    this.#prev = this.#next.slice();
    this.#dueTick = new Int32Array(capacity);
  }

  /** Rows that are armed. */
  get size(): number {
    return this.#size;
  }

  /** The tick that is current `elapsedMs` after tick 0 began. */
  tickAt(elapsedMs: number): number {
    return Math.floor(elapsedMs / this.tickMs);
  }

  /** The first tick not to begin before `elapsedMs`: a deadline there is never early, late by less than a tick. */
  dueTickAt(elapsedMs: number): number {
    return Math.ceil(elapsedMs / this.tickMs);
  }

  /**
   * Sets or moves the row's deadline. One that is not in the future (inside a callback: not beyond the tick that is
   * being advanced to) falls due with the next tick. Throws RangeError for a row or tick out of range.
   */
  arm(row: number, dueTick: number): void {
    checkInteger('row', row, 0, this.capacity - 1);
    checkInteger('dueTick', dueTick, 0, TICK_MAX);
    if (this.isArmed(row)) this.#unlink(row);
    else this.#size += 1;
    this.#dueTick[row] = Math.max(dueTick, this.#target + 1);
    this.#file(row);
  }

  /** Takes the deadline away; a row without one is left as it is. Throws RangeError for a row out of range. */
  cancel(row: number): void {
    checkInteger('row', row, 0, this.capacity - 1);
    if (!this.isArmed(row)) return;
    this.#unlink(row);
    this.#size -= 1;
  }

  isArmed(row: number): boolean {
    return this.#next[row] !== row;
  }

  /**
   * Moves time to `toTick` and calls `onDue` for each row that is due by then; the row is no longer armed when it is
   * called. `onDue` may arm and cancel any row. Should it throw, the error is passed on and the rows that are still due
   * come with the next advance. Throws RangeError when time would go back, Error when called from `onDue`.
   */
  advance(toTick: number, onDue: (row: number) => void): void {
    if (this.#advancing) throw new Error('the timer wheel is advancing already');
    this.#target = checkInteger('toTick', toTick, this.#target, TICK_MAX);
    this.#advancing = true;
    try {
      this.#report(onDue);
      for (let slot = this.#firstUsed(); slot !== -1; slot = this.#firstUsed()) {
        const tick = this.#tickOf(slot);
        if (tick > toTick) break;
        this.#now = tick;
        this.#empty(slot);
        this.#report(onDue);
      }
      this.#now = toTick;
    } finally {
      this.#advancing = false;
    }
  }

  /** Throws if a link, a place or a bit is not what it should be. Costs a walk over all rows; for tests. */
  checkInvariants(): void {
    let listed = 0;
    for (let head = this.capacity; head <= this.#dueHead; head += 1) {
      for (let row = this.#next[head]; row !== head; row = this.#next[row]!) {
        invariant(row < this.capacity, 'a list holds rows only');
        invariant(this.#prev[this.#next[row]] === row && this.#next[this.#prev[row]] === row, 'links agree');
        invariant(this.#headFor(this.#dueTick[row]) === head, 'a row lies where its tick belongs');
        listed += 1;
      }
      const isUsed = head !== this.#dueHead && this.#isUsed(head - this.capacity);
      invariant(
        head === this.#dueHead || isUsed === (this.#next[head] !== head),
        'bits tell which slots have rows',
      );
    }
    let armed = 0;
    for (let row = 0; row < this.capacity; row += 1) armed += Number(this.isArmed(row));
    invariant(listed === armed && armed === this.#size, 'armed rows are listed once and counted');
  }

  /** The only writer of links. */
  #link(before: number, after: number): void {
    this.#next[before] = after;
    this.#prev[after] = before;
  }

  /** Puts a row at the end of the list in which its tick belongs. */
  #file(row: number): void {
    const head = this.#headFor(this.#dueTick[row]);
    this.#link(this.#prev[head], row);
    this.#link(row, head);
    if (head !== this.#dueHead) this.#setUsed(head - this.capacity);
  }

  #unlink(row: number): void {
    const before = this.#prev[row];
    const after = this.#next[row];
    this.#link(before, after);
    this.#link(row, row);
    // Only a head can be on both sides: its list is empty now.
    if (before === after && before !== this.#dueHead) this.#clearUsed(before - this.capacity);
  }

  #headFor(dueTick: number): number {
    if (dueTick <= this.#now) return this.#dueHead;
    const level = Math.floor((TICK_BITS - Math.clz32(dueTick ^ this.#now)) / DIGIT_BITS);
    return this.capacity + level * SLOTS + ((dueTick >>> (level * DIGIT_BITS)) & DIGIT_MASK);
  }

  /** Sends every row of a slot, whose tick is now, a level down or to the rows that are due. */
  #empty(slot: number): void {
    const head = this.capacity + slot;
    for (let row = this.#next[head]; row !== head; row = this.#next[head]!) {
      this.#unlink(row);
      this.#file(row);
    }
  }

  #report(onDue: (row: number) => void): void {
    for (let row = this.#next[this.#dueHead]; row !== this.#dueHead; row = this.#next[this.#dueHead]!) {
      this.#unlink(row);
      this.#size -= 1;
      onDue(row);
    }
  }

  /** The tick at which a slot in use comes round: now's digits above its level, its own digit, then zeros. */
  #tickOf(slot: number): number {
    const shift = Math.floor(slot / SLOTS) * DIGIT_BITS;
    const above = 2 ** (shift + DIGIT_BITS);
    return Math.floor(this.#now / above) * above + (slot & DIGIT_MASK) * 2 ** shift;
  }

  #firstUsed(): number {
    for (let word = 0; word < this.#used.length; word += 1) {
      const bits = this.#used[word];
      if (bits !== 0) return word * WORD_BITS + (WORD_BITS - 1 - Math.clz32(bits & -bits));
    }
    return -1;
  }

  #isUsed(slot: number): boolean {
    return (this.#used[slot >>> 5] & (1 << (slot & 31))) !== 0;
  }

  #setUsed(slot: number): void {
    this.#used[slot >>> 5] |= 1 << (slot & 31);
  }

  #clearUsed(slot: number): void {
    this.#used[slot >>> 5] &= ~(1 << (slot & 31));
  }
}
