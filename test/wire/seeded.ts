/**
 * Repeatable randomness for property tests. The seed is printed as a comment of the test; run again with
 * `TEST_SEED=<seed>` to get the same bytes. The stream is AES-CTR of the seed, so it is as good as a random one.
 */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';

export interface SeededRandom {
  bytes(length: number): Uint8Array;
  /** An integer in [0, below), `below` at most 2^16 (the bias is under 2^-16). */
  integer(below: number): number;
}

export function seededRandom(test: { comment(message: string): void }): SeededRandom {
  const seed = process.env['TEST_SEED'] ?? randomBytes(8).toString('hex');
  test.comment(`TEST_SEED=${seed}`);
  return randomOf(createHash('sha256').update(seed).digest());
}

/** Randomness of its own, from the next of `random`: for parts of a test that run at the same time. */
export function fork(random: SeededRandom): SeededRandom {
  return randomOf(random.bytes(32));
}

function randomOf(key: Uint8Array): SeededRandom {
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const bytes = (length: number): Buffer => stream.update(Buffer.alloc(length));
  return { bytes, integer: (below) => bytes(4).readUInt32BE() % below };
}
