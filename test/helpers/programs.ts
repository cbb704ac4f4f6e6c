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
  /** The one that runs, or ran last. */
  readonly process: RunningProcess;
  /** Its state directory. */
  readonly state: string;
  /** Runs a relayapp command on this relay's state; resolves with its standard output, rejects if it fails. */
  command(args: readonly string[], input?: string): Promise<string>;
  /** Ends its process; resolves once that is gone. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Starts it again on the same port, and on the same state directory unless that was removed; resolves when it listens. */
  startAgain(): Promise<void>;
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
  const start = (on: number): RunningProcess =>
    runProgram('relay', ['serve', '--listen', `${host}:${on}`, '--state', state, ...args], {
      within: at?.namespace,
    });
  const listening = async (): Promise<number> =>
    Number((await relay.output(/"relay-listening".*?:(\d+)[" ]/))[1]);
  let relay = start(port);
  const stop = async (): Promise<void> => {
    await relay.stop(10_000);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const chosen = await listening();
    return {
      ...{ host, port: chosen, state, stop },
      get process() {
        return relay;
      },
      command: (words, input) =>
        output(runProgram('relay', [...words, '--state', state], input === undefined ? {} : { input })),
      end: async (signal) => {
        relay.signalGroup(signal);
        await relay.ended;
        await relay.stop();
      },
      startAgain: async () => {
        relay = start(chosen);
        await listening();
      },
    };
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
