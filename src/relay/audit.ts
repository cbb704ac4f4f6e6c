/**
 * The audit file: one JSON line for each event of a session and each act of administration, in order.
 *
 * Lines are appended and handed to the kernel before the event's effect (a visit is not spliced unless its start
 * is written). When a write fails the file is no longer `isWritable`, and nothing new may begin until a later
 * write succeeds; what reduces exposure goes on. Secrets and live nameplates never appear here.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { errorCode, OperatorError } from '../base/errors.ts';
import { jsonLine, type Fields, type Log } from '../base/log.ts';

export type AuditEvent =
  | 'relay-start'
  | 'relay-stop'
  | 'password-made'
  | 'password-burned'
  | 'confirmation-wrong'
  | 'customer-connected'
  | 'engineer-login'
  | 'engineer-login-wrong'
  | 'consent-asked'
  | 'consent-given'
  | 'visit-start'
  | 'session-end'
  | 'account-changed'
  | 'session-closed';

export class Audit {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #fd: number;
  #isWritable = true;

  /** Opens `file` for appending, mode 0600. Throws OperatorError. */
  constructor(file: string, clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
    try {
      this.#fd = openSync(file, 'a', 0o600);
    } catch (error) {
      throw new OperatorError(
        `audit file ${file} cannot be written (${errorCode(error)}); mend its owner or mode`,
      );
    }
  }

  get isWritable(): boolean {
    return this.#isWritable;
  }

  /** Returns whether the line was written. */
  record(event: AuditEvent, fields: Fields): boolean {
    const time = new Date(this.#clock.wallNow()).toISOString();
    const line = Buffer.from(jsonLine({ time, event, ...fields }), 'latin1');
    try {
      this.#isWritable = writeSync(this.#fd, line) === line.length;
    } catch (error) {
      this.#isWritable = false;
      this.#log.error('audit-failed', { event, error: errorCode(error) });
    }
    return this.#isWritable;
  }

  close(): void {
    closeSync(this.#fd);
  }
}
