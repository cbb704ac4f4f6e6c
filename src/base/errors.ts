/**
 * Errors that a person can act on.
 *
 * An `OperatorError` is a mistake of whoever started the program or of its surroundings (a flag, a port in use, a
 * folder that cannot be read): its message is one line that names the cause and the fix, and the program prints
 * just that line and exits with its status. Peers' mistakes are `WireError`s and close a connection; anything
 * else is a mistake of ours.
 */

/** Exit status for wrong usage and for surroundings that need mending before a start. */
export const EXIT_USAGE = 2;

export class OperatorError extends Error {
  readonly status: number;

  constructor(message: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'OperatorError';
    this.status = options.status ?? EXIT_USAGE;
  }
}

/** The `code` of a system error (`ECONNREFUSED`, `EACCES`, ...), or an empty string. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** A short text for any thrown value, without a stack. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
