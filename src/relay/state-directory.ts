/**
 * The relay's state directory: where it is, that it is private, and the names of the files in it.
 *
 * Mode 0700, owned by the user the relay runs as; every file in it is 0600. Nothing else knows these names.
 */
import { accessSync, chmodSync, constants, lchownSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { errorCode, OperatorError } from '../base/errors.ts';
import type { RunAs } from './privileges.ts';

export interface StateDirectory {
  readonly path: string;
  readonly accountsFile: string;
  readonly connectorsFile: string;
  readonly keyFile: string;
  readonly certificateFile: string;
  readonly auditFile: string;
  readonly controlSocket: string;
}

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  readonly isRoot: boolean;
}

/** `sun_path` of a Unix socket address holds 108 bytes with its end mark (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;
const DIRECTORY_MODE = 0o700;

/** Names the files of the state directory; nothing is touched. Throws OperatorError when the path is too long. */
export function locateState(
  given: string | null,
  { env, homeDirectory, isRoot }: Surroundings,
): StateDirectory {
  const fallback = isRoot ? '/var/lib' : join(homeDirectory, '.local', 'state');
  const path = resolve(given ?? join(env['XDG_STATE_HOME'] || fallback, 'secure-telnet'));
  const controlSocket = join(path, 'control.sock');
  if (Buffer.byteLength(controlSocket) > SOCKET_PATH_BYTES_MAX) {
    throw new OperatorError(
      `the state directory's path is too long for a Unix socket: ${path}; choose a shorter --state`,
    );
  }
  return {
    path,
    controlSocket,
    accountsFile: join(path, 'accounts.json'),
    connectorsFile: join(path, 'connectors.json'),
    keyFile: join(path, 'relay-key.pem'),
    certificateFile: join(path, 'relay-cert.pem'),
    auditFile: join(path, 'audit.jsonl'),
  };
}

/**
 * Makes the directory if need be and hands it, with what an earlier run left in it, to the user the relay will be.
 * Throws OperatorError naming the fix when it cannot be made or read, or is not the relay's to take.
 */
export function prepareState({ path, ...files }: StateDirectory, runAs: RunAs | null): void {
  try {
    // What root makes on the way there stays open to the user that it becomes.
    if (runAs) mkdirSync(dirname(path), { recursive: true });
    mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE });
    // Every new file system of ext2 to ext4 has one.
    const names = readdirSync(path).filter((name) => name !== 'lost+found');
    const ours = Object.values(files).filter((file) => names.includes(basename(file)));
    if (names.length > 0 && ours.length === 0)
      throw new OperatorError(
        `state directory ${path} is not empty and no relay's; name a new one with --state DIR`,
      );
    const isHandedOver = runAs !== null && checkOwner(path, runAs) !== runAs.uid;
    chmodSync(path, DIRECTORY_MODE);
    if (isHandedOver) for (const file of [...ours, path]) lchownSync(file, runAs.uid, runAs.gid);
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    const why = errorCode(error) || 'an error';
    throw new OperatorError(
      `state directory ${path} cannot be used (${why}); give another with --state DIR, or mend its owner and mode`,
      { cause: error },
    );
  }
}

/** Run as the user that root became: what root made may stand behind a folder that only root passes. */
export function checkReach({ path }: StateDirectory, { name }: RunAs): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new OperatorError(
      `${name} cannot reach state directory ${path} (${errorCode(error)}); ` +
        'give another with --state DIR, or open its parent folders',
      { cause: error },
    );
  }
}

/** Its owner's id. Root could change any directory: throws OperatorError for a link, or one of another user. */
function checkOwner(path: string, { name, uid }: RunAs): number {
  const stat = lstatSync(path);
  if (!stat.isDirectory())
    throw new OperatorError(`state directory ${path} is a symbolic link; name its target with --state DIR`);
  if (stat.uid !== 0 && stat.uid !== uid) {
    throw new OperatorError(
      `state directory ${path} belongs to neither root nor ${name}; give another with --state DIR, ` +
        `or its owner's name with --user NAME`,
    );
  }
  return stat.uid;
}
