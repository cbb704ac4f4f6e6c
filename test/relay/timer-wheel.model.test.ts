/** The timer wheel against a sorted list: a million random steps, callbacks that arm and cancel included. */
import t from 'tap';
import { TimerWheel } from '../../src/relay/timer-wheel.ts';
import { seededRandom, type SeededRandom } from '../wire/seeded.ts';

const ROWS = 300;
const STEPS = 1_000_000;
const CHECK_EVERY = 2_000;

/** Deadlines in order of ticks, as a list that is searched by halves. */
class SortedList {
  readonly #keys: number[] = [];
  readonly #dueTicks = new Array<number>(ROWS).fill(-1);

  get size(): number {
    return this.#keys.length;
  }

  dueTickOf(row: number): number {
    return this.#dueTicks[row];
  }

  firstDueTick(): number {
    return this.#keys.length === 0 ? Infinity : Math.floor(this.#keys[0] / ROWS);
  }

  set(row: number, dueTick: number): void {
    this.remove(row);
    const key = dueTick * ROWS + row;
    this.#keys.splice(this.#place(key), 0, key);
    this.#dueTicks[row] = dueTick;
  }

  remove(row: number): void {
    const dueTick = this.#dueTicks[row];
    if (dueTick === -1) return;
    this.#keys.splice(this.#place(dueTick * ROWS + row), 1);
    this.#dueTicks[row] = -1;
  }

  #place(key: number): number {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle] < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Integers from blocks of random bytes: a million steps need several each. */
class Integers {
  readonly #random: SeededRandom;
  #block = new Uint32Array(0);
  #next = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  below(limit: number): number {
    if (this.#next === this.#block.length) this.#refill();
    return this.#block[this.#next++] % limit;
  }

  /** Mostly small, sometimes enormous: up to 2^`bits`, every order of magnitude alike. */
  scaled(bits: number): number {
    return this.below(2 ** this.below(bits + 1));
  }

  #refill(): void {
    this.#block = new Uint32Array(Uint8Array.from(this.#random.bytes(1 << 16)).buffer);
    this.#next = 0;
  }
}

class Run {
  readonly wheel = new TimerWheel(ROWS);
  readonly list = new SortedList();
  readonly #integers: Integers;
  #tick = 0;
  #lastReported = 0;
  reported = 0;

  constructor(integers: Integers) {
    this.#integers = integers;
  }

  step(): void {
    const dice = this.#integers.below(100);
    if (dice < 50) this.#arm(this.#tick);
    else if (dice < 70) this.#cancel();
    else this.#advance(dice < 99 ? this.#integers.scaled(6) : this.#integers.scaled(10));
  }

  /** Jumps as after a long sleep. */
  sleep(ticks: number): void {
    this.#advance(ticks + this.#integers.below(1_000_000));
  }

  #arm(now: number): void {
    const row = this.#integers.below(ROWS);
    const dueTick = Math.max(0, now - 5 + this.#integers.scaled(22));
    this.wheel.arm(row, dueTick);
    this.list.set(row, Math.max(dueTick, now + 1));
  }

  #cancel(): void {
    const row = this.#integers.below(ROWS);
    this.wheel.cancel(row);
    this.list.remove(row);
  }

  #advance(ticks: number): void {
    this.#tick += ticks;
    this.#lastReported = 0;
    this.wheel.advance(this.#tick, (row) => this.#due(row));
    if (this.list.firstDueTick() <= this.#tick) throw new Error(`tick ${this.#tick} left a row behind`);
  }

  #due(row: number): void {
    const dueTick = this.list.dueTickOf(row);
    if (dueTick === -1) throw new Error(`row ${row} is not armed`);
    if (dueTick > this.#tick) throw new Error(`row ${row} is early: ${dueTick} at ${this.#tick}`);
    if (dueTick < this.#lastReported) throw new Error(`row ${row} is out of order`);
    if (dueTick !== this.list.firstDueTick()) throw new Error(`row ${row} is before its turn`);
    this.#lastReported = dueTick;
    this.reported += 1;
    this.list.remove(row);
    const dice = this.#integers.below(8);
    if (dice < 2) this.#arm(this.#tick);
    else if (dice === 2) this.#cancel();
  }
}

t.test('agrees with a sorted list over a million random steps', async (t) => {
  const run = new Run(new Integers(seededRandom(t)));
  // Close below the highest digit, so that the run crosses every one.
  run.sleep(2 ** 30 - 3_000_000);
  for (let step = 1; step <= STEPS; step += 1) {
    run.step();
    if (step % CHECK_EVERY !== 0) continue;
    run.wheel.checkInvariants();
    if (run.wheel.size !== run.list.size) t.fail(`size at step ${step}`);
    for (let row = 0; row < ROWS; row += 1) {
      if (run.wheel.isArmed(row) !== run.list.dueTickOf(row) >= 0) t.fail(`row ${row} at step ${step}`);
    }
    if (step % (CHECK_EVERY * 10) === 0 && step < STEPS / 2) run.sleep(1_000_000);
  }
  t.ok(run.reported > STEPS / 20, `${run.reported} rows were due`);
});
