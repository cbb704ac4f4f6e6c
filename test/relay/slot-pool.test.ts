/** The slot pool: handles, stale handles, limits, and every short order of acquiring and releasing. */
import t from 'tap';
import { SlotPool, SLOTS_MAX, type Handle } from '../../src/relay/slot-pool.ts';

function acquire(pool: SlotPool): Handle {
  const handle = pool.acquire();
  if (handle === null) throw new Error('the pool is full');
  return handle;
}

t.test('hands out one slot less than, exactly, and no more than its capacity', async (t) => {
  for (const capacity of [1, 2, 3, 4, 5, 63, 64, 65]) {
    const pool = new SlotPool(capacity);
    for (let count = 0; count < capacity; count += 1) {
      t.equal(pool.size, count);
      acquire(pool);
    }
    t.equal(pool.size, capacity);
    t.equal(pool.acquire(), null, `capacity ${capacity}`);
    t.equal(pool.size, capacity);
    pool.checkInvariants();
  }
});

t.test('refuses a capacity that handles cannot address', async (t) => {
  for (const capacity of [0, -1, 1.5, NaN, SLOTS_MAX + 1]) t.throws(() => new SlotPool(capacity), RangeError);
  const largest = new SlotPool(SLOTS_MAX);
  t.equal(largest.resolve(acquire(largest)), 0);
});

t.test('a handle is a small positive integer and resolves to its slot', async (t) => {
  const pool = new SlotPool(10);
  for (let index = 0; index < 10; index += 1) {
    const handle = acquire(pool);
    t.ok(Number.isInteger(handle) && handle > 0 && handle < 2 ** 31);
    t.equal(pool.resolve(handle), index);
    t.equal(pool.handleAt(index), handle);
  }
});

t.test('a released handle is stale for good, also when its slot is used again', async (t) => {
  const pool = new SlotPool(1);
  const stale: Handle[] = [];
  for (let use = 0; use < 1_000; use += 1) {
    const handle = acquire(pool);
    t.equal(pool.release(handle), 0);
    t.equal(pool.handleAt(0), null);
    stale.push(handle);
  }
  const last = acquire(pool);
  t.ok(stale.every((handle) => pool.resolve(handle) === -1));
  t.equal(pool.resolve(last), 0);
});

t.test('releasing a stale handle throws and changes nothing', async (t) => {
  const pool = new SlotPool(2);
  const first = acquire(pool);
  const second = acquire(pool);
  pool.release(first);
  t.throws(() => pool.release(first), /stale handle/);
  t.equal(pool.size, 1);
  t.equal(pool.resolve(second), 1);
  pool.checkInvariants();
});

t.test('no number resolves to a free slot', async (t) => {
  for (const capacity of [1, 2, 3, 4]) {
    const pool = new SlotPool(capacity);
    const live = acquire(pool);
    const found: number[] = [];
    for (let number = -5_000; number < 5_000; number += 1) {
      if (pool.resolve(number as Handle) !== -1) found.push(number);
    }
    t.same(found, [live], `capacity ${capacity}`);
  }
});

t.test('a freed slot waits until every slot that was free before it has had its turn', async (t) => {
  const pool = new SlotPool(5);
  const used = Array.from({ length: 20 }, () => pool.release(acquire(pool)));
  t.same(used, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
});

t.test('generations come round after their last without ever making the handle 0', async (t) => {
  const pool = new SlotPool(SLOTS_MAX);
  const generations = 2 ** 11 - 1;
  for (let index = 1; index < SLOTS_MAX; index += 1) acquire(pool);
  // One slot is left, so every use is a use of it.
  const first = acquire(pool);
  pool.release(first);
  for (let use = 1; use < generations; use += 1) {
    const handle = acquire(pool);
    if (handle === first || handle <= 0) t.fail(`handle ${handle} at use ${use}`);
    pool.release(handle);
  }
  t.equal(acquire(pool), first, 'the documented bound');
});

t.test('iterates live handles by slot and survives releases on the way', async (t) => {
  const pool = new SlotPool(6);
  const handles = Array.from({ length: 6 }, () => acquire(pool));
  pool.release(handles[2]);
  t.same(
    [...pool.handles()],
    [0, 1, 3, 4, 5].map((index) => handles[index]),
  );
  for (const handle of pool.handles()) pool.release(handle);
  t.equal(pool.size, 0);
  pool.checkInvariants();
});

t.test('an index out of range is a mistake of the caller', async (t) => {
  const pool = new SlotPool(3);
  for (const index of [-1, 3, 0.5]) t.throws(() => pool.handleAt(index), RangeError);
});

t.test('every order of acquiring and releasing, up to ten steps', async (t) => {
  for (const capacity of [3, 4]) t.ok(exhaust(capacity, 10) > 5_000, `orders of capacity ${capacity}`);
});

/** A step: acquire (-1), or release the n-th oldest live handle. Replays each order and compares with a queue. */
function exhaust(capacity: number, depth: number): number {
  let orders = 0;
  const visit = (steps: readonly number[]): void => {
    const live = replay(capacity, steps);
    orders += 1;
    if (steps.length === depth) return;
    for (let step = -1; step < live; step += 1) visit([...steps, step]);
  };
  visit([]);
  return orders;
}

function replay(capacity: number, steps: readonly number[]): number {
  const pool = new SlotPool(capacity);
  const free = Array.from({ length: capacity }, (_, index) => index);
  const live: { handle: Handle; index: number }[] = [];
  const stale: Handle[] = [];
  for (const step of steps) {
    if (step === -1) {
      const handle = pool.acquire();
      const index = free.shift();
      if ((handle === null) !== (index === undefined)) throw new Error(`full or not: ${steps.join()}`);
      if (handle !== null) live.push({ handle, index: index! });
    } else {
      const [{ handle, index }] = live.splice(step, 1) as [{ handle: Handle; index: number }];
      if (pool.release(handle) !== index) throw new Error(`released another slot: ${steps.join()}`);
      free.push(index);
      stale.push(handle);
    }
  }
  pool.checkInvariants();
  for (const { handle, index } of live) {
    if (pool.resolve(handle) !== index) throw new Error(`lost a live handle: ${steps.join()}`);
  }
  if (stale.some((handle) => pool.resolve(handle) !== -1))
    throw new Error(`a stale handle lives: ${steps.join()}`);
  return live.length;
}
