/**
 * The project's own programs as real processes: a relay with a state folder of its own, its commands, connectors.
 *
 * Everything is on loopback, unless a host of another network is named (network.ts), and on a port that the system
 * chose. `stop` ends the process group and removes the folder; give it to `t.teardown` as soon as it exists.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Daemon } from './daemons.ts';
import type { NetworkHost } from './network.ts';
import { repositoryUrl } from './peers.ts';
import { RunningProcess, type ProcessOptions } from './processes.ts';

const programPath = (name: 'relay' | 'connector'): string =>
  fileURLToPath(new URL(`build/src/${name}/main.js`, repositoryUrl));

export interface Relay {
  readonly host: string;
  readonly port: number;
  readonly process: RunningProcess;
  /** Its state directory. */
  readonly state: string;
  /** Runs a relayapp command on this relay's state; resolves with its standard output, rejects if it fails. */
  command(args: readonly string[], input?: string): Promise<string>;
  stop(): Promise<void>;
}

export interface OneTimePassword {
  readonly session: string;
  readonly customerPassword: string;
  readonly engineerPassword: string;
}

export interface RelayOptions {
  /** Default: one that the system chooses. */
  port?: number;
  /** More options of `relayapp serve`. */
  args?: readonly string[];
  /** Where it runs; default: here, on loopback. */
  at?: NetworkHost;
}

/** Starts a relay and resolves once it listens; rejects with what it printed if it does not. */
export async function startRelay({ port = 0, args = [], at }: RelayOptions = {}): Promise<Relay> {
  const folder = mkdtempSync(join(tmpdir(), 'telnet-relay-'));
  chmodSync(folder, 0o711); // started as root, the relay becomes somebody else, who has to get to its state
  const state = join(folder, 'state');
  const host = at?.address ?? '127.0.0.1';
  const serve = ['serve', '--listen', `${host}:${port}`, '--state', state, ...args];
  const relay = runProgram('relay', serve, { within: at?.namespace });
  const stop = async (): Promise<void> => {
    await relay.stop(10_000);
    rmSync(folder, { recursive: true, force: true });
  };
  const command = (words: readonly string[], input?: string): Promise<string> =>
    output(runProgram('relay', [...words, '--state', state], input === undefined ? {} : { input }));
  try {
    const [, listening] = await relay.output(/"relay-listening".*?:(\d+)[" ]/);
    return { host, port: Number(listening), process: relay, state, command, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Adds an account and resolves with its password. */
export async function addAccount(relay: Relay, name: string, role = 'engineer'): Promise<string> {
  const password = randomBytes(9).toString('hex');
  await relay.command(['user', 'add', name, '--role', role], `${password}\n`);
  return password;
}

export async function makeOneTimePassword(relay: Relay): Promise<OneTimePassword> {
  return JSON.parse(await relay.command(['otp', 'new', '--json'])) as OneTimePassword;
}

/** Starts a connector that consents to every visit; `folder` gets its log file. */
export function startConnector(relay: Relay, password: string, site: Daemon, folder: string): RunningProcess {
  const where = ['-host', relay.host, '-port', String(relay.port), '-target', `${site.host}:${site.port}`];
  const how = ['-password', '-', '-consent', 'auto', '-file', join(folder, 'tndconnect.log')];
  return runProgram('connector', [...where, ...how], { input: `${password}\n` });
}

/** Starts one of the programs with the given command line. */
export function runProgram(
  name: 'relay' | 'connector',
  args: readonly string[],
  options: ProcessOptions = {},
): RunningProcess {
  return new RunningProcess(process.execPath, [programPath(name), ...args], options);
}

async function output(running: RunningProcess): Promise<string> {
  const { code } = await running.ended;
  await running.stop();
  if (code !== 0) throw new Error(running.describe(`to end with status 0, not ${code}`));
  return running.stdout;
}
