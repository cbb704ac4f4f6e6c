/** The session table: rows that are clean when opened and gone when released, columns of shared numbers. */
import t from 'tap';
import { SESSION_STATES } from '../../src/relay/session-states.ts';
import { SessionTable } from '../../src/relay/session-table.ts';
import type { Handle } from '../../src/relay/slot-pool.ts';

function open<T>(table: SessionTable<T>, attachment: T, tick = 0): Handle {
  const handle = table.open(attachment, tick);
  if (handle === null) throw new Error('the table is full');
  return handle;
}

t.test('opens as many sessions as it has rows, and then none', async (t) => {
  const table = new SessionTable<string>(3);
  open(table, 'a');
  open(table, 'b');
  t.equal(table.size, 2);
  const third = open(table, 'c');
  t.equal(table.size, 3);
  t.equal(table.open('d', 0), null);
  table.release(third);
  t.type(table.open('d', 0), 'number');
  t.throws(() => new SessionTable(0), RangeError);
});

t.test('a session starts in the first state, at its tick, with nothing counted', async (t) => {
  const table = new SessionTable<string>(2);
  const row = table.resolve(open(table, 'a', 7));
  t.equal(table.stateAt(row), 'awaitingCustomer');
  t.equal(table.startedTick[row], 7);
  t.equal(table.lastSeenTick[row], 7);
  t.equal(table.bytesFromEngineer[row], 0);
  t.equal(table.bytesFromDaemon[row], 0);
  t.equal(table.attachmentAt(row), 'a');
});

t.test('holds every state', async (t) => {
  const table = new SessionTable<string>(1);
  const row = table.resolve(open(table, 'a'));
  for (const state of SESSION_STATES) {
    table.setState(row, state);
    t.equal(table.stateAt(row), state);
  }
});

t.test('traffic is counted by direction and is activity; a touch is activity only', async (t) => {
  const table = new SessionTable<string>(2);
  const row = table.resolve(open(table, 'a'));
  table.countFromEngineer(row, 10, 1);
  table.countFromEngineer(row, 5, 2);
  table.countFromDaemon(row, 1_000, 3);
  t.same([table.bytesFromEngineer[row], table.bytesFromDaemon[row], table.lastSeenTick[row]], [15, 1_000, 3]);
  table.touch(row, 9);
  t.same([table.bytesFromEngineer[row], table.bytesFromDaemon[row], table.lastSeenTick[row]], [15, 1_000, 9]);
});

t.test('bytes are counted exactly far beyond 32 bits', async (t) => {
  const table = new SessionTable<string>(1);
  const row = table.resolve(open(table, 'a'));
  table.countFromDaemon(row, 2 ** 52, 1);
  table.countFromDaemon(row, 1, 1);
  t.equal(table.bytesFromDaemon[row], 2 ** 52 + 1);
});

t.test('a session sees nothing of the one that had its row before', async (t) => {
  const table = new SessionTable<string>(1);
  const first = open(table, 'a', 1);
  const row = table.resolve(first);
  const columns = [
    table.bytesFromEngineer,
    table.bytesFromDaemon,
    table.passwordDueTick,
    table.waitDueTick,
    table.lifetimeDueTick,
    table.lifetimeWarned,
    table.idleWarned,
  ];
  for (const column of columns) column[row] = 1;
  table.setState(row, 'spliced');
  table.release(first);
  const second = open(table, 'b', 50);
  t.equal(table.resolve(second), row);
  t.ok(columns.every((column) => column[row] === 0));
  t.equal(table.stateAt(row), 'awaitingCustomer');
  t.same([table.startedTick[row], table.lastSeenTick[row]], [50, 50]);
  t.equal(table.resolve(first), -1);
});

t.test('a released session keeps nothing alive and cannot be released again', async (t) => {
  const table = new SessionTable<object>(2);
  const handle = open(table, {});
  const row = table.resolve(handle);
  table.release(handle);
  t.throws(() => table.attachmentAt(row), /holds no session/);
  t.throws(() => table.attachmentAt(99), /holds no session/);
  t.throws(() => table.release(handle), /stale handle/);
  t.equal(table.handleAt(row), null);
  table.checkInvariants();
});

t.test('lists live sessions in order of rows, also while they are released', async (t) => {
  const table = new SessionTable<string>(4);
  const handles = ['a', 'b', 'c'].map((attachment) => open(table, attachment));
  t.same([...table.handles()], handles);
  for (const handle of table.handles()) table.release(handle);
  t.equal(table.size, 0);
});

t.test('columns lie in shared memory unless told otherwise, each in a buffer of its own', async (t) => {
  const table = new SessionTable<string>(4);
  const traffic = [table.bytesFromEngineer, table.bytesFromDaemon, table.lastSeenTick];
  t.ok(traffic.every((column) => column.buffer instanceof SharedArrayBuffer));
  t.equal(new Set(traffic.map((column) => column.buffer)).size, 3);
  const other = new Float64Array(table.bytesFromDaemon.buffer);
  other[2] = 77;
  t.equal(table.bytesFromDaemon[2], 77, 'what another thread writes is what the table reads');
  const own = new SessionTable<string>(4, (byteLength) => new ArrayBuffer(byteLength));
  t.ok(own.lastSeenTick.buffer instanceof ArrayBuffer);
});
