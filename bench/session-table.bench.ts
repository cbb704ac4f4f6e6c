/**
 * The session table at 10,000 live sessions; floor: a Map from number to an object for each session.
 *
 * Counting a chunk is what the relay does for every read; opening and releasing once a session. Rows are visited in a
 * scattered order, as traffic does.
 */
import { systemClock } from '../src/base/clock.ts';
import { Deadlines } from '../src/relay/deadlines.ts';
import { DEADLINE_LIMITS } from '../src/relay/limits.ts';
import { SessionTable } from '../src/relay/session-table.ts';
import type { Handle } from '../src/relay/slot-pool.ts';
import type { BenchCase } from './measure.ts';

const CAPACITY = 16_384;
const LIVE = 10_000;
/** Shares no factor with LIVE, so that steps of it visit every session. */
const STRIDE = 3_331;
const CHUNK_BYTES = 1_400;

interface PlainSession {
  state: string;
  bytesFromEngineer: number;
  bytesFromDaemon: number;
  lastSeenTick: number;
  attachment: object;
}

interface Filled {
  readonly table: SessionTable<object>;
  readonly handles: Handle[];
}

export const cases: readonly BenchCase[] = [
  {
    name: 'Map: count a chunk',
    floor: null,
    operations: LIVE,
    check: () => expectCounted(plainBytes),
    prepare() {
      const map = fillMap();
      return () => countPlain(map);
    },
  },
  {
    name: 'count a chunk',
    floor: 'Map: count a chunk',
    operations: LIVE,
    check: () => expectCounted(tableBytes),
    prepare() {
      const filled = fillTable();
      return () => countTable(filled, 1);
    },
  },
  {
    name: 'count a chunk, stamped by the clock',
    floor: 'Map: count a chunk',
    operations: LIVE,
    check: () => expectCounted(tableBytes),
    prepare() {
      const filled = fillTable();
      const ignore = (): void => {};
      const deadlines = new Deadlines(systemClock, filled.table, DEADLINE_LIMITS, {
        stageExpired: ignore,
        idleExpired: ignore,
        lifetimeExpired: ignore,
        idleWarning: ignore,
        lifetimeWarning: ignore,
      });
      return () => {
        for (let step = 0; step < LIVE; step += 1) {
          const row = filled.table.resolve(filled.handles[(step * STRIDE) % LIVE]);
          filled.table.countFromDaemon(row, CHUNK_BYTES, deadlines.tick);
        }
      };
    },
  },
  {
    name: 'Map: open and release',
    floor: null,
    operations: LIVE,
    check: () => expect(fillMap().size === LIVE, 'the map is filled'),
    prepare() {
      const map = fillMap();
      let next = LIVE;
      return () => {
        for (let step = 0; step < LIVE; step += 1, next += 1) {
          map.delete(next - LIVE);
          map.set(next, plainSession());
        }
      };
    },
  },
  {
    name: 'open and release',
    floor: 'Map: open and release',
    operations: LIVE,
    check() {
      const { table, handles } = fillTable();
      turnOver(table, handles);
      table.checkInvariants();
      expect(
        table.size === LIVE && handles.every((handle) => table.resolve(handle) >= 0),
        'all handles are live',
      );
    },
    prepare() {
      const { table, handles } = fillTable();
      return () => turnOver(table, handles);
    },
  },
];

function fillTable(): Filled {
  const table = new SessionTable<object>(CAPACITY);
  const handles = Array.from({ length: LIVE }, () => table.open({}, 0)!);
  return { table, handles };
}

function turnOver(table: SessionTable<object>, handles: Handle[]): void {
  for (let step = 0; step < LIVE; step += 1) {
    table.release(handles[step]);
    handles[step] = table.open({}, step)!;
  }
}

function countTable({ table, handles }: Filled, tick: number): void {
  for (let step = 0; step < LIVE; step += 1) {
    table.countFromDaemon(table.resolve(handles[(step * STRIDE) % LIVE]), CHUNK_BYTES, tick);
  }
}

function tableBytes(): readonly number[] {
  const filled = fillTable();
  countTable(filled, 1);
  return filled.handles.map((handle) => filled.table.bytesFromDaemon[filled.table.resolve(handle)]);
}

function fillMap(): Map<number, PlainSession> {
  return new Map(Array.from({ length: LIVE }, (_, key) => [key, plainSession()]));
}

function plainSession(): PlainSession {
  return {
    state: 'awaitingCustomer',
    bytesFromEngineer: 0,
    bytesFromDaemon: 0,
    lastSeenTick: 0,
    attachment: {},
  };
}

function countPlain(map: Map<number, PlainSession>): void {
  for (let step = 0; step < LIVE; step += 1) {
    const session = map.get((step * STRIDE) % LIVE)!;
    session.bytesFromDaemon += CHUNK_BYTES;
    session.lastSeenTick = 1;
  }
}

function plainBytes(): readonly number[] {
  const map = fillMap();
  countPlain(map);
  return [...map.values()].map((session) => session.bytesFromDaemon);
}

/** One pass counts one chunk for each session. */
function expectCounted(pass: () => readonly number[]): void {
  const counts = pass();
  expect(
    counts.length === LIVE && counts.every((bytes) => bytes === CHUNK_BYTES),
    'each session counted one chunk',
  );
}

function expect(condition: boolean, label: string): void {
  if (!condition) throw new Error(`check failed: ${label}`);
}
