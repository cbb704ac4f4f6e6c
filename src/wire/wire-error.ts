/**
 * What a peer did wrong on the wire. The code is from a closed union and goes to logs; the connection that it came
 * from is closed, and no other is touched.
 */
export type WireErrorCode =
  | 'unknown-frame'
  | 'unsupported-version'
  | 'malformed-frame'
  | 'oversized-frame'
  | 'unexpected-frame'
  | 'unexpected-bytes'
  | 'bad-share'
  | 'bad-signature';

export class WireError extends Error {
  readonly code: WireErrorCode;

  constructor(code: WireErrorCode, message: string) {
    super(message);
    this.name = 'WireError';
    this.code = code;
  }
}
