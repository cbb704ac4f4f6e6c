/**
 * A fixed number of slots, handed out as handles that go stale when their slot is released.
 *
 *     handle = generation | index     31 bits together, so it is a small integer everywhere; never 0
 *
 * Invariant: a handle resolves to its slot from `acquire` until `release` and to nothing afterwards, never to
 * another holder's slot. The generation bounds that promise: it comes round after 2^(31 - index bits) - 1 uses of one
 * slot (131,071 with 16,384 slots). Slots are therefore reused first in, first out: a freed slot waits until every
 * slot that was free before it has had its turn, where a stack would wear out a single slot on a quiet relay.
 * Called by the session table and by the connection table. No allocation after construction.
 */
import { checkInteger, invariant } from '../base/check.ts';

declare const handleBrand: unique symbol;
/** Names one use of one slot. Safe to keep: once stale it resolves to nothing. */
export type Handle = number & { readonly [handleBrand]: true };

const HANDLE_BITS = 31;
/** 2^20 slots leave 11 bits, 2,047 uses of each slot, before a handle could be mistaken. */
export const SLOTS_MAX = 1 << 20;

export class SlotPool {
  readonly capacity: number;
  readonly #indexBits: number;
  readonly #indexMask: number;
  readonly #generationMax: number;
  /**
   * By index: the live handle, or the complement (negative) of the handle that the slot gets next. Resolving is one
   * comparison: a complement never has its own index in its low bits, so no number whatever matches a free slot.
   */
  readonly #handles: Int32Array;
  /** Ring of free indices: `capacity - size` of them from `#head`. A power of two, indexed by mask. */
  readonly #free: Int32Array;
  #head = 0;
  #size = 0;

  /** Throws RangeError unless `capacity` is 1..SLOTS_MAX. */
  constructor(capacity: number) {
    this.capacity = checkInteger('slot pool capacity', capacity, 1, SLOTS_MAX);
    // At least one bit, for the reason given at #handles.
    this.#indexBits = Math.max(1, 32 - Math.clz32(capacity - 1));
    this.#indexMask = (1 << this.#indexBits) - 1;
    this.#generationMax = 2 ** (HANDLE_BITS - this.#indexBits) - 1;
    this.#handles = Int32Array.from({ length: this.#indexMask + 1 }, (_, index) => ~this.#handle(1, index));
    this.#free = Int32Array.from({ length: this.#indexMask + 1 }, (_, index) => index);
  }

  /** Slots in use. */
  get size(): number {
    return this.#size;
  }

  /** Takes the slot that has been free longest; null when all are in use. */
  acquire(): Handle | null {
    if (this.#size === this.capacity) return null;
    const index = this.#free[this.#head];
    this.#head = (this.#head + 1) & this.#indexMask;
    this.#size += 1;
    return (this.#handles[index] = ~this.#handles[index]) as Handle;
  }

  /** Frees the slot and returns its index. Throws if the handle is stale: its slot is released already. */
  release(handle: Handle): number {
    const index = this.resolve(handle);
    if (index === -1) throw new Error(`stale handle ${handle}`);
    this.#free[(this.#head + this.capacity - this.#size) & this.#indexMask] = index;
    this.#size -= 1;
    this.#handles[index] = ~this.#handle(this.#generationAfter(handle), index);
    return index;
  }

  /** The index of the handle's slot, or -1 when it is stale. */
  resolve(handle: Handle): number {
    const index = handle & this.#indexMask;
    return this.#handles[index] === handle ? index : -1;
  }

  /** The handle that holds the slot now, or null when it is free. Throws RangeError for an index out of range. */
  handleAt(index: number): Handle | null {
    const handle = this.#handles[checkInteger('slot index', index, 0, this.capacity - 1)];
    return handle > 0 ? (handle as Handle) : null;
  }

  /** Live handles by index. Releasing any while iterating is safe; one acquired meanwhile may be missed. */
  *handles(): Generator<Handle> {
    for (let index = 0; index < this.capacity; index += 1) {
      const handle = this.#handles[index];
      if (handle > 0) yield handle as Handle;
    }
  }

  /** Throws if live and free slots do not partition the pool. Costs a walk over all slots; for tests. */
  checkInvariants(): void {
    const free = new Set<number>();
    for (let step = 0; step < this.capacity - this.#size; step += 1) {
      free.add(this.#free[(this.#head + step) & this.#indexMask]);
    }
    invariant(free.size === this.capacity - this.#size, 'each free slot is in the ring once');
    for (let index = 0; index < this.capacity; index += 1) {
      const handle = this.#handles[index];
      invariant(free.has(index) === handle < 0, 'a slot is free exactly when the ring has it');
      invariant(((handle < 0 ? ~handle : handle) & this.#indexMask) === index, 'a handle names its own slot');
    }
  }

  #handle(generation: number, index: number): number {
    return (generation << this.#indexBits) | index;
  }

  /** Generation 0 is left out, so that 0 is never a handle. */
  #generationAfter(handle: Handle): number {
    const generation = handle >>> this.#indexBits;
    return generation === this.#generationMax ? 1 : generation + 1;
  }
}
