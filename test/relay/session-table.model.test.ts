/** The session table against a Map of objects, in random order. */
import t from 'tap';
import { SESSION_STATES, type SessionState } from '../../src/relay/session-states.ts';
import { SessionTable } from '../../src/relay/session-table.ts';
import type { Handle } from '../../src/relay/slot-pool.ts';
import { seededRandom, type SeededRandom } from '../wire/seeded.ts';

interface Model {
  readonly name: number;
  state: SessionState;
  fromEngineer: number;
  fromDaemon: number;
  lastSeenTick: number;
}

const CAPACITY = 37;
const STEPS = 100_000;

class Pair {
  readonly table = new SessionTable<number>(CAPACITY);
  readonly model = new Map<Handle, Model>();
  readonly #stale: Handle[] = [];
  readonly #random: SeededRandom;
  #names = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  step(tick: number): void {
    const dice = this.#random.integer(100);
    const live = this.#pick([...this.model.keys()]);
    if (dice < 20 || live === undefined) this.#open(tick);
    else if (dice < 38) this.#release(live);
    else this.#write(live, dice, tick);
    const stale = this.#pick(this.#stale);
    if (stale !== undefined && this.table.resolve(stale) !== -1)
      throw new Error(`stale handle ${stale} lives`);
  }

  #open(tick: number): void {
    const handle = this.table.open(this.#names, tick);
    if ((handle === null) !== (this.model.size === CAPACITY)) throw new Error('full or not');
    if (handle === null) return;
    if (this.model.has(handle)) throw new Error(`handle ${handle} was given twice`);
    const fresh = { state: SESSION_STATES[0], fromEngineer: 0, fromDaemon: 0, lastSeenTick: tick };
    this.model.set(handle, { name: this.#names, ...fresh });
    this.#names += 1;
  }

  #release(handle: Handle): void {
    this.table.release(handle);
    this.model.delete(handle);
    this.#stale.push(handle);
  }

  #write(handle: Handle, dice: number, tick: number): void {
    const row = this.table.resolve(handle);
    const model = this.model.get(handle)!;
    if (dice < 50) this.table.setState(row, (model.state = SESSION_STATES[dice % SESSION_STATES.length]!));
    else {
      const bytes = this.#random.integer(65_536);
      model.lastSeenTick = tick;
      if (dice < 70) this.table.countFromEngineer(row, bytes, tick);
      else if (dice < 90) this.table.countFromDaemon(row, bytes, tick);
      else this.table.touch(row, tick);
      if (dice < 70) model.fromEngineer += bytes;
      else if (dice < 90) model.fromDaemon += bytes;
    }
  }

  #pick<T>(values: readonly T[]): T | undefined {
    return values[this.#random.integer(values.length || 1)];
  }

  snapshot(): ReadonlyMap<Handle, Model> {
    const { table } = this;
    const rows = [...table.handles()].map((handle): [Handle, Model] => {
      const row = table.resolve(handle);
      return [
        handle,
        {
          name: table.attachmentAt(row),
          state: table.stateAt(row),
          fromEngineer: table.bytesFromEngineer[row],
          fromDaemon: table.bytesFromDaemon[row],
          lastSeenTick: table.lastSeenTick[row],
        },
      ];
    });
    return new Map(rows);
  }
}

t.test('agrees with a Map of objects over random steps', async (t) => {
  const pair = new Pair(seededRandom(t));
  for (let step = 0; step < STEPS; step += 1) {
    pair.step(step);
    if (step % 500 !== 0) continue;
    pair.table.checkInvariants();
    if (pair.table.size !== pair.model.size) t.fail(`size at step ${step}`);
    const table = pair.snapshot();
    for (const [handle, model] of pair.model) {
      const row = table.get(handle);
      if (JSON.stringify(row) !== JSON.stringify(model)) t.same(row, model, `step ${step}`);
    }
  }
  t.pass('every step agreed');
});
