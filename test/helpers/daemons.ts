/**
 * Real telnet daemons on a free loopback port, as the user who runs the tests: no root, no account of the machine.
 *
 * In place of login(1) each runs a script that asks for a name and a password and starts a shell. Every login
 * notes its process id, and `stop` ends the daemon and everything in those login sessions: after it, nothing that
 * was started through the daemon is left.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peerPath, type PeerName } from './peers.ts';
import { endSessions, RunningProcess, until } from './processes.ts';

export type DaemonKind = 'inetutils' | 'busybox';

export interface Daemon {
  kind: DaemonKind;
  host: string;
  port: number;
  user: string;
  password: string;
  stop(): Promise<void>;
}

export interface DaemonOptions {
  user?: string;
  password?: string;
}

/** The shell's prompt after a login. */
export const sitePrompt = 'site$ ';

/** What a daemon and its shell need on the machine, for `skipUnless`. */
export const daemonPeers: Record<DaemonKind, readonly PeerName[]> = {
  inetutils: ['telnetd', 'socat', 'busybox'],
  busybox: ['busybox'],
};

/**
 * Starts a daemon whose shell begins in a folder with a `vi`, and resolves once it listens. Another program that
 * grabs the port first only costs a retry.
 */
export async function startDaemon(kind: DaemonKind, options: DaemonOptions = {}): Promise<Daemon> {
  const { user = 'admin', password = randomBytes(8).toString('hex') } = options;
  const folder = mkdtempSync(join(tmpdir(), 'telnet-site-'));
  writeFileSync(join(folder, 'login'), loginScript(folder, user, password), { mode: 0o700 });
  symlinkSync(peerPath('busybox'), join(folder, 'vi')); // it does what it is called
  const [process, port] = await listen(kind, folder);
  const stop = async (): Promise<void> => {
    await process.stop();
    await endSessions(readLogins(folder)); // out of reach of the daemon's process group
    rmSync(folder, { recursive: true, force: true });
  };
  return { kind, host: '127.0.0.1', port, user, password, stop };
}

async function listen(kind: DaemonKind, folder: string): Promise<[RunningProcess, number]> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const daemon = spawnDaemon(kind, folder, port);
    await until(
      () => daemon.isOver || listensOn(daemon.pid, port),
      15_000,
      () => daemon.describe(`to listen on port ${port}`),
    );
    if (!daemon.isOver) return [daemon, port];
    await daemon.stop();
    if (attempt === 5) throw new Error(daemon.describe(`to listen on port ${port}`));
  }
}

function spawnDaemon(kind: DaemonKind, folder: string, port: number): RunningProcess {
  const login = join(folder, 'login');
  if (kind === 'busybox') {
    const options = ['-F', '-b', '127.0.0.1', '-p', String(port), '-l', login];
    return new RunningProcess(peerPath('busybox'), ['telnetd', ...options]);
  }
  // telnetd wants the connection as its standard input, which is what nofork gives it. A script of its own keeps
  // paths away from socat's quoting.
  const serve = join(folder, 'serve');
  writeFileSync(serve, `#!/bin/sh\nexec '${peerPath('telnetd')}' -h -E '${login}'\n`, { mode: 0o700 });
  const address = `TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr,fork`;
  return new RunningProcess(peerPath('socat'), [address, `EXEC:${serve},nofork`]);
}

// The pause at the end is for inetutils telnetd, which loses what its login program printed last if that ends at once.
function loginScript(folder: string, user: string, password: string): string {
  return `#!/bin/sh
echo $$ >>'${folder}/logins'
while :; do
  printf 'login: '
  read -r user || exit 1
  stty -echo
  printf 'Password: '
  read -r password || exit 1
  stty echo
  printf '\\n'
  [ "$user" = '${user}' ] && [ "$password" = '${password}' ] && break
  printf 'Login incorrect\\n'
done
cd '${folder}'
ENV= PS1='${sitePrompt}' /bin/sh -i
sleep 0.2
`;
}

/** A port of 127.0.0.1 that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Whether a descriptor of this very process is a socket that listens on the port: asked of the kernel, not of the port. */
function listensOn(pid: number, port: number): boolean {
  const inodes = listeningInodes(port);
  if (inodes.size === 0) return false;
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => inodes.has(readlinkSync(`/proc/${pid}/fd/${fd}`)));
  } catch {
    return false; // the process or the descriptor has just gone
  }
}

function listeningInodes(port: number): Set<string> {
  const localPort = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1);
  const fields = rows.map((row) => row.trim().split(/\s+/));
  const listening = fields.filter(([, local, , state]) => local?.endsWith(localPort) && state === '0A');
  return new Set(listening.map((row) => `socket:[${row[9]}]`));
}

function readLogins(folder: string): number[] {
  try {
    return readFileSync(join(folder, 'logins'), 'latin1').trim().split('\n').map(Number);
  } catch {
    return []; // nobody came
  }
}
