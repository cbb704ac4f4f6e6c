/**
 * Files of the state directory that are written whole: after a crash there is the old text or the new one.
 *
 * One writer for each file; it is private to the relay (0600).
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { errorCode, OperatorError } from '../base/errors.ts';

/** Replaces what is in `file`, which people know as `what`. Throws OperatorError, and then the old text stays. */
export function writeWhole(file: string, text: string, what: string): void {
  const temporary = `${file}.new`;
  try {
    // Flushed before it is renamed: else a crash could leave the new name with nothing in it.
    writeFileSync(temporary, text, { mode: 0o600, flush: true });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new OperatorError(
      `${what} ${file} cannot be written (${errorCode(error)}), nothing is changed; ` +
        'make room on its disk, or mend the owner or mode of its directory',
      { cause: error },
    );
  }
}
