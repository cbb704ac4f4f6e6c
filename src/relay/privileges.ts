/**
 * Root, given up for good once the ports are bound: groups first, then group, then user, then a check that there
 * is no way back.
 */
import { readFileSync } from 'node:fs';
import { OperatorError } from '../base/errors.ts';

export interface RunAs {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The calls of `process` that are needed here; absent on systems without user ids. */
export interface Credentials {
  getuid?(): number;
  setgroups?(groups: readonly number[]): void;
  setgid?(id: number): void;
  setuid?(id: number): void;
}

const FALLBACKS = ['secure-telnet', 'nobody'];

/** Who the relay becomes when it was started as root; null when it was not. Throws OperatorError. */
export function chooseUser(
  credentials: Credentials,
  name: string | null,
  passwd = readPasswd(),
): RunAs | null {
  if (credentials.getuid?.() !== 0) {
    if (name !== null)
      throw new OperatorError('--user needs a start as root; leave it out to run as yourself');
    return null;
  }
  const names = name === null ? FALLBACKS : [name];
  const found = names.map((candidate) => findUser(passwd, candidate)).find((user) => user !== null);
  if (!found) {
    throw new OperatorError(
      `there is no user ${JSON.stringify(names.join(' or '))}; name an existing one with --user`,
    );
  }
  if (found.uid === 0) throw new OperatorError('--user must not be root: name an unprivileged user');
  return found;
}

/** Becomes `user`. Throws when anything of root is left. */
export function becomeUser(credentials: Credentials, user: RunAs): void {
  credentials.setgroups?.([user.gid]);
  credentials.setgid?.(user.gid);
  credentials.setuid?.(user.uid);
  if (credentials.getuid?.() === 0 || canBecomeRoot(credentials)) {
    throw new Error('root could not be given up');
  }
}

function canBecomeRoot(credentials: Credentials): boolean {
  try {
    credentials.setuid?.(0);
    return true;
  } catch {
    return false;
  }
}

/** passwd(5): name:password:uid:gid:comment:home:shell */
function findUser(passwd: string, name: string): RunAs | null {
  for (const line of passwd.split('\n')) {
    const [user, , uid, gid] = line.split(':');
    if (user === name && uid && gid) return { name, uid: Number(uid), gid: Number(gid) };
  }
  return null;
}

function readPasswd(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch {
    return '';
  }
}
