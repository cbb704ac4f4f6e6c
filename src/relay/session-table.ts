/**
 * The sessions of a relay as a struct of arrays: one row a session, one typed array a column, sized once.
 *
 * Invariant: a row belongs to the handle that opened it until `release`; opening zeroes every number and releasing
 * drops the attachment, so nothing of one session is ever seen by the next. The per-chunk methods (`countFrom…`,
 * `touch`) write numbers only. Every column has a buffer of its own, shared by default, so that a splice engine in
 * another thread can write traffic columns: one writer a row, which must have let go before the row is released.
 * Called by the session code; `deadlines.ts` is the only writer of the columns it is named at.
 */
import { checkInteger, invariant } from '../base/check.ts';
import { SESSION_STATES, stateNumber, type SessionState } from './session-states.ts';
import { SlotPool, type Handle } from './slot-pool.ts';

/** Makes the buffer of one column. */
export type AllocateColumn = (byteLength: number) => ArrayBuffer | SharedArrayBuffer;

const shared: AllocateColumn = (byteLength) => new SharedArrayBuffer(byteLength);

export class SessionTable<Attachment> {
  readonly capacity: number;
  /**
   * Payload bytes each way. Doubles, not 64-bit integers: exact up to 2^53 bytes (9 petabytes), and adding to one
   * makes no BigInt, where a 64-bit column would allocate one or two for every chunk.
   */
  readonly bytesFromEngineer: Float64Array;
  readonly bytesFromDaemon: Float64Array;
  /** Tick of the last payload byte in either direction, or of the last state that counts as activity. */
  readonly lastSeenTick: Int32Array;
  readonly startedTick: Int32Array;
  /** Ticks at which the password expires and at which waiting ends: absolute, set once. By deadlines.ts; 0 is unset. */
  readonly passwordDueTick: Int32Array;
  readonly waitDueTick: Int32Array;
  /** Tick at which the visit ends however busy it is. By deadlines.ts; 0 before the splice. */
  readonly lifetimeDueTick: Int32Array;
  /** 1 when people have been told of the coming end of the lifetime. By deadlines.ts. */
  readonly lifetimeWarned: Uint8Array;
  /** 1 + the `lastSeenTick` of the quiet time for which the idle warning was given; 0 is none. By deadlines.ts. */
  readonly idleWarned: Int32Array;
  readonly #state: Uint8Array;
  readonly #numbers: readonly { [row: number]: number }[];
  readonly #attachments: (Attachment | null)[];
  readonly #pool: SlotPool;

  /** Throws RangeError unless `capacity` is one that a slot pool can have. */
  constructor(capacity: number, allocate: AllocateColumn = shared) {
    this.#pool = new SlotPool(capacity);
    this.capacity = capacity;
    const doubles = (): Float64Array => new Float64Array(allocate(capacity * Float64Array.BYTES_PER_ELEMENT));
    const ticks = (): Int32Array => new Int32Array(allocate(capacity * Int32Array.BYTES_PER_ELEMENT));
    const octets = (): Uint8Array => new Uint8Array(allocate(capacity));
    this.#numbers = [
      (this.bytesFromEngineer = doubles()),
      (this.bytesFromDaemon = doubles()),
      (this.lastSeenTick = ticks()),
      (this.startedTick = ticks()),
      (this.passwordDueTick = ticks()),
      (this.waitDueTick = ticks()),
      (this.lifetimeDueTick = ticks()),
      (this.lifetimeWarned = octets()),
      (this.idleWarned = ticks()),
      (this.#state = octets()),
    ];
    this.#attachments = new Array<Attachment | null>(capacity).fill(null);
  }

  /** Sessions that are open. */
  get size(): number {
    return this.#pool.size;
  }

  /** Opens a session in its first state, started at `tick`; null when the table is full. */
  open(attachment: Attachment, tick: number): Handle | null {
    const handle = this.#pool.acquire();
    if (handle === null) return null;
    const row = this.#pool.resolve(handle);
    for (const column of this.#numbers) column[row] = 0;
    this.startedTick[row] = this.lastSeenTick[row] = tick;
    this.#attachments[row] = attachment;
    return handle;
  }

  /** Frees the row and forgets its attachment. Throws if the handle is stale. */
  release(handle: Handle): void {
    this.#attachments[this.#pool.release(handle)] = null;
  }

  /** The row of a live session, or -1 when the handle is stale. */
  resolve(handle: Handle): number {
    return this.#pool.resolve(handle);
  }

  /** The handle of the session in a row, or null when the row is free. */
  handleAt(row: number): Handle | null {
    return this.#pool.handleAt(row);
  }

  /** What the session in this row is attached to. Throws if the row is free. */
  attachmentAt(row: number): Attachment {
    const attachment = this.#attachments[row];
    if (attachment === null || attachment === undefined) throw new Error(`row ${row} holds no session`);
    return attachment;
  }

  stateAt(row: number): SessionState {
    return SESSION_STATES[this.#state[row]];
  }

  setState(row: number, state: SessionState): void {
    this.#state[row] = stateNumber(state);
  }

  /** Counts payload from the engineer's side, as activity of the session. */
  countFromEngineer(row: number, bytes: number, tick: number): void {
    this.bytesFromEngineer[row] += bytes;
    this.lastSeenTick[row] = tick;
  }

  /** Counts payload from the daemon's side, as activity of the session. */
  countFromDaemon(row: number, bytes: number, tick: number): void {
    this.bytesFromDaemon[row] += bytes;
    this.lastSeenTick[row] = tick;
  }

  /** Notes activity that is not counted in bytes. */
  touch(row: number, tick: number): void {
    this.lastSeenTick[row] = tick;
  }

  /** Live handles in order of rows. Releasing any while iterating is safe; one opened meanwhile may be missed. */
  handles(): Generator<Handle> {
    return this.#pool.handles();
  }

  /** Throws if rows, handles and attachments disagree. Costs a walk over the table; for tests. */
  checkInvariants(): void {
    this.#pool.checkInvariants();
    for (let row = 0; row < this.capacity; row += 1) {
      const isLive = this.#pool.handleAt(row) !== null;
      invariant(
        isLive === (this.#attachments[row] !== null),
        'a row has an attachment exactly while it is live',
      );
      checkInteger('state number', this.#state[row], 0, SESSION_STATES.length - 1);
    }
  }
}
