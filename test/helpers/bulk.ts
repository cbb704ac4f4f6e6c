/**
 * Sending and receiving by the gigabyte: nothing is kept but a hash, unless a test wants it.
 *
 * The sender obeys back-pressure and cuts its stream at random places, from single bytes to a quarter of a megabyte.
 */
import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { escapeData } from '../wire/telnet-reader.ts';
import type { SeededRandom } from '../wire/seeded.ts';

/** Pieces are as often between 1 and 2 bytes as between 128 and 256 KiB. */
const PIECE_BITS = 18;

/**
 * Sends `length` random bytes as telnet data, which makes them a little more on the wire. Resolves with what went on
 * the wire once the socket has taken all of it; rejects when the socket fails.
 */
export async function sendRandom(
  socket: Socket,
  random: SeededRandom,
  length: number,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for (let left = length; left > 0;) {
    const size = Math.min(left, randomSize(random));
    const piece = escapeData(random.bytes(size));
    hash.update(piece);
    bytes += piece.length;
    left -= size;
    if (!socket.write(piece)) await once(socket, 'drain');
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Reads a socket from now on, hashes what comes and counts it. */
export class Received {
  bytes = 0;
  readonly #hash: Hash = createHash('sha256');
  readonly #chunks: Buffer[] = [];
  #wanted = Infinity;
  #onWanted: () => void = () => {};

  constructor(socket: Socket, { keep = false } = {}) {
    socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      if (keep) this.#chunks.push(chunk);
      else this.#hash.update(chunk);
      if (this.bytes >= this.#wanted) this.#onWanted();
    });
    socket.resume();
  }

  /** Resolves when `bytes` have come in all; a test's own timeout is the bound. */
  reaches(bytes: number): Promise<void> {
    this.#wanted = bytes;
    return new Promise((resolve) => {
      this.#onWanted = resolve;
      if (this.bytes >= bytes) resolve();
    });
  }

  /** Of all that came; once, for those that are not kept. */
  sha256(): string {
    return this.#hash.digest('hex');
  }

  /** What came, for those that are kept. */
  kept(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

function randomSize(random: SeededRandom): number {
  const base = 2 ** random.integer(PIECE_BITS);
  return base + random.integer(base);
}
