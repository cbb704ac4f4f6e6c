/**
 * Argument checks that throw with the caller's label and return the value.
 *
 * A failed check here is a mistake of ours (or of an embedding program), never of a peer: what a peer sends is
 * judged by the wire codecs, what an operator types by the option tables. TypeError for a wrong type, RangeError
 * for a wrong value.
 */

/** Returns `value` if it is an integer in [min, max]; throws RangeError naming `label` otherwise. */
export function checkInteger(label: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${label} must be an integer from ${min} to ${max}, got ${value}`);
  }
  return value;
}

/** Returns `value` if it is exactly `length` bytes; throws RangeError naming `label` otherwise. */
export function checkBytes<T extends Uint8Array>(label: string, value: T, length: number): T {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${label} must be bytes`);
  if (value.length !== length) throw new RangeError(`${label} must be ${length} bytes, got ${value.length}`);
  return value;
}

/** Throws an Error naming the broken invariant unless `condition` holds. */
export function invariant(condition: boolean, label: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${label}`);
}
