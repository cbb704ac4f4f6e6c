/**
 * scrypt for what people chose: account passwords and chosen one-time secrets.
 *
 * A hash keeps a thread of libuv's small pool busy for tens of milliseconds, and file writes wait in the same
 * pool: so at most two run at once, others queue, and beyond a bounded queue the caller gets `StretchingBusy`
 * instead of a wait without end. Callers are strangers, so the queue is fair among sources: they take turns, and
 * each may hold only as many places as are still free, so that greedy ones leave room for the next.
 */
import { scrypt, type ScryptOptions } from 'node:crypto';
import { STRETCH_CONCURRENT_MAX, STRETCH_QUEUED_MAX } from './limits.ts';

export class StretchingBusy extends Error {
  constructor() {
    super('too many passwords are being checked at once; try again in a moment');
    this.name = 'StretchingBusy';
  }
}

export interface StretchParameters {
  /** scrypt cost: a power of two. */
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** The source of what an administrator orders. */
export const MANAGEMENT = 'management';

export class Stretcher {
  #running = 0;
  #queued = 0;
  /** Who waits, by source; the first source is served next. */
  readonly #waiting = new Map<string, Array<() => void>>();

  /** scrypt of `secret` to `length` bytes, for `source`. Rejects with StretchingBusy when the queue is full. */
  async stretch(
    secret: string,
    salt: Uint8Array,
    length: number,
    parameters: StretchParameters,
    source: string,
  ): Promise<Buffer> {
    await this.#enter(source);
    try {
      return await runScrypt(secret, salt, length, parameters);
    } finally {
      this.#leave();
    }
  }

  #enter(source: string): Promise<void> | void {
    if (this.#running < STRETCH_CONCURRENT_MAX) {
      this.#running += 1;
      return;
    }
    const own = this.#waiting.get(source) ?? [];
    if (own.length >= STRETCH_QUEUED_MAX - this.#queued) throw new StretchingBusy();
    this.#waiting.set(source, own);
    this.#queued += 1;
    return new Promise((resolve) => own.push(resolve));
  }

  /** The next source's caller takes over the place that becomes free; the source goes to the end. */
  #leave(): void {
    const next = this.#waiting.entries().next().value;
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    const [source, own] = next;
    this.#waiting.delete(source);
    this.#queued -= 1;
    own.shift()!();
    if (own.length > 0) this.#waiting.set(source, own);
  }
}

function runScrypt(
  secret: string,
  salt: Uint8Array,
  length: number,
  options: ScryptOptions,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, length, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}
