/**
 * A secret in a file, for programs that nobody types into (services): its first line.
 *
 * Invariant: what others could have read is not used. As ssh does with keys, this is asked of files of our own only:
 * who may read somebody else's file is not ours to say, and systemd's credentials are root's, with an access list that
 * looks like a group's permission.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { errorCode, OperatorError } from './errors.ts';

const FILE_BYTES_MAX = 4_096;
/** Permissions of the group and of everybody else. */
const OTHERS = 0o077;
const UTF16_MARK = [0xff, 0xfe];

/** `ownUid` is absent where files have no such owner (Windows). Throws OperatorError when there is no secret to use. */
export function readSecretFile(file: string, ownUid?: number): string {
  const problem = (text: string): OperatorError => new OperatorError(`password file ${file} ${text}`);
  const bytes = Buffer.alloc(FILE_BYTES_MAX + 1);
  let length: number;
  try {
    length = readInto(bytes, file, (found) => {
      if (!found.isFile()) throw problem('is no ordinary file; name one');
      if (found.uid === ownUid && (found.mode & OTHERS) !== 0)
        throw problem(`may be read by others (mode ${modeText(found)}); make it yours alone: chmod 600`);
    });
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw problem(`cannot be read (${errorCode(error)}); name another, or mend its permissions`);
  }
  if (length > FILE_BYTES_MAX)
    throw problem(`is longer than ${FILE_BYTES_MAX} bytes; only the password belongs in it`);
  const line = firstLineOf(bytes.subarray(0, length));
  if (line === '') throw problem('has no password in its first line; put it there');
  return line;
}

/** Fills `bytes` from the file, once `judge` has not thrown; returns how many there were. */
function readInto(bytes: Uint8Array, file: string, judge: (found: Stats) => void): number {
  // A pipe is not waited for: nobody could interrupt that. Windows does without the flag.
  const fd = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    judge(fstatSync(fd));
    let length = 0;
    for (let count = -1; count !== 0 && length < bytes.length; length += count)
      count = readSync(fd, bytes, length, bytes.length - length, null);
    return length;
  } finally {
    closeSync(fd);
  }
}

/** Windows' shells write UTF-16, or UTF-8 with a mark in front. */
function firstLineOf(bytes: Uint8Array): string {
  const isUtf16 = UTF16_MARK.every((byte, index) => bytes[index] === byte);
  const text = new TextDecoder(isUtf16 ? 'utf-16le' : 'utf-8').decode(bytes);
  return text.split(/\r\n|[\r\n]/, 1)[0].trim();
}

function modeText({ mode }: Stats): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}
