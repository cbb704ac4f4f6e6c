/**
 * scrypt for what people chose: account passwords and chosen one-time secrets.
 *
 * A hash keeps a thread of libuv's small pool busy for tens of milliseconds, and file writes wait in the same
 * pool: so at most two run at once, others queue, and beyond a bounded queue the caller gets `StretchingBusy`
 * instead of a wait without end.
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

export class Stretcher {
  #running = 0;
  readonly #waiting: Array<() => void> = [];

  /** scrypt of `secret` to `length` bytes. Rejects with StretchingBusy when the queue is full. */
  async stretch(
    secret: string,
    salt: Uint8Array,
    length: number,
    parameters: StretchParameters,
  ): Promise<Buffer> {
    await this.#enter();
    try {
      return await runScrypt(secret, salt, length, parameters);
    } finally {
      this.#leave();
    }
  }

  #enter(): Promise<void> | void {
    if (this.#running < STRETCH_CONCURRENT_MAX) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.length >= STRETCH_QUEUED_MAX) throw new StretchingBusy();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** A waiting caller takes over the place that becomes free. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running -= 1;
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
