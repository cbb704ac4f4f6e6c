/**
 * The audit file: one JSON line for each event of a session and each act of administration, in order.
 *
 * Lines are appended and handed to the kernel before the event's effect. What must not happen unwritten (a new
 * password, the start of a visit) does not when `record` says so; what reduces exposure goes on. A part of a line, all
 * that a full disk took, stays a line of its own. Secrets and live nameplates never appear here.
 */
import { closeSync, fchmodSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { errorCode, errorText, OperatorError } from '../base/errors.ts';
import { jsonLine, type Fields, type Log } from '../base/log.ts';

export type AuditEvent =
  | 'relay-start'
  | 'relay-stop'
  | 'password-made'
  | 'password-burned'
  | 'confirmation-wrong'
  | 'customer-connected'
  | 'connector-enrolled'
  | 'connector-resumed'
  | 'connector-away'
  | 'connector-left'
  | 'connector-key-refused'
  | 'connector-revoked'
  | 'engineer-login'
  | 'engineer-login-wrong'
  | 'consent-asked'
  | 'consent-given'
  | 'visit-start'
  | 'session-end'
  | 'account-changed'
  | 'session-closed';

const MODE = 0o600;

export class Audit {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #fd: number;
  #endsInFragment: boolean;

  /** Opens `file` for appending, and makes its mode 0600 also where it exists. Throws OperatorError. */
  constructor(file: string, clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
    try {
      this.#fd = openSync(file, 'a+', MODE);
      const stat = fstatSync(this.#fd);
      // Only where needed: nobody may change the mode of a file that can only be appended to (chattr +a).
      if (stat.isFile() && (stat.mode & 0o777) !== MODE) fchmodSync(this.#fd, MODE);
      this.#endsInFragment = stat.isFile() && stat.size > 0 && !endsInLineFeed(this.#fd, stat.size);
    } catch (error) {
      throw new OperatorError(
        `audit file ${file} cannot be written (${errorCode(error)}); mend its owner or mode`,
      );
    }
  }

  /** Returns whether the line was written. */
  record(event: AuditEvent, fields: Fields): boolean {
    const time = new Date(this.#clock.wallNow()).toISOString();
    const line = jsonLine({ time, event, ...fields });
    try {
      this.#write(Buffer.from(this.#endsInFragment ? `\n${line}` : line, 'latin1'));
      return true;
    } catch (error) {
      this.#log.error('audit-failed', { what: event, error: errorCode(error) || errorText(error) });
      return false;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** One write, so that a line is there or not; a disk that fills up takes a part of it. */
  #write(bytes: Buffer): void {
    const written = writeSync(this.#fd, bytes);
    this.#endsInFragment = written < bytes.length;
    if (this.#endsInFragment) throw new Error('short write');
  }
}

function endsInLineFeed(fd: number, size: number): boolean {
  const last = Buffer.alloc(1);
  readSync(fd, last, 0, 1, size - 1);
  return last.toString() === '\n';
}
