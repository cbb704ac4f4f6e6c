/**
 * Proof that a data connection belongs to a control connection whose password was proved.
 *
 * Both programs derive one key per control connection from the CPace key; each end of a data connection sends a tag
 * over its role, the visit and the exporter of that very TLS connection. Whoever relays the connection has another
 * exporter, whoever reflects a tag another role, whoever replays one another exporter: no token exists to be stolen.
 * The connector tags `dataHello`, the relay `dataAccepted`.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import { checkBytes } from '../base/check.ts';
import { CPACE_KEY_BYTES, lvCat, tagsEqual } from './cpace.ts';
import { VISIT_ID_BYTES } from './frames.ts';

export type DataRole = 'connector' | 'relay';

export const DATA_KEY_BYTES = 32;
/** RFC 9266: the channel binding of TLS 1.3, by exporter, without a context. */
export const EXPORTER_LABEL = 'EXPORTER-Channel-Binding';
export const EXPORTER_BYTES = 32;

const INFO = 'secure-telnet/1 data';

/** K_data: HKDF-SHA256 (RFC 5869, no salt) of the CPace key; the caller wipes both. */
export function deriveDataKey(isk: Uint8Array): Uint8Array {
  checkBytes('isk', isk, CPACE_KEY_BYTES);
  return new Uint8Array(hkdfSync('sha256', isk, new Uint8Array(0), INFO, DATA_KEY_BYTES));
}

/** The tag that the end with this role sends. Each part is preceded by its length, so parts cannot shift. */
export function dataTag(
  dataKey: Uint8Array,
  role: DataRole,
  visitId: Uint8Array,
  exporter: Uint8Array,
): Uint8Array {
  checkBytes('data key', dataKey, DATA_KEY_BYTES);
  checkBytes('visit id', visitId, VISIT_ID_BYTES);
  checkBytes('exporter', exporter, EXPORTER_BYTES);
  const parts = lvCat(new TextEncoder().encode(role), visitId, exporter);
  return createHmac('sha256', dataKey).update(parts).digest();
}

/** Whether `tag` is what the end with `role` must have sent; compares in constant time. */
export function verifyDataTag(
  tag: Uint8Array,
  dataKey: Uint8Array,
  role: DataRole,
  visitId: Uint8Array,
  exporter: Uint8Array,
): boolean {
  return tagsEqual(tag, dataTag(dataKey, role, visitId, exporter));
}
