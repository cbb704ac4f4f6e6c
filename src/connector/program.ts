/**
 * tndconnect as a program: reads the command line, opens log and console, obeys signals, and turns the ending into
 * an exit status. `main.ts` passes the process in.
 *
 * Once it is known how the run ends, the terminal is as it was and signals do again what they do by default: a
 * second Ctrl+C ends at once what the system still waits for.
 */
import { randomInt } from 'node:crypto';
import { hostname } from 'node:os';
import { systemClock } from '../base/clock.ts';
import { OperatorError } from '../base/errors.ts';
import { closeGoneTerminals, Interrupted, readSecret } from '../base/terminal.ts';
import { VERSION } from '../base/version.ts';
import { loadUrgentData } from '../stream/urgent.ts';
import { Connector } from './connector.ts';
import { Console } from './console.ts';
import { outcomeEnding } from './ending.ts';
import { helpConnector, parseConnectorOptions, type ConnectorOptions } from './options.ts';
import { charsetOf } from './screen-filter.ts';
import { screenOutput } from './screen-output.ts';
import { Transcript } from './transcript.ts';

const IMPATIENT = ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const;
/** The hang-up of a closed terminal may come after its end was seen, and is no second order. */
const SIGNALS = [...IMPATIENT, 'SIGHUP'] as const;

const RANDOM_STEPS = 1_000_000;

/** All of it, told to the customer. Resolves with the exit status; nothing is left to do then but to exit. */
export async function runProgram(system: NodeJS.Process): Promise<number> {
  // Whoever reads what we say, or types, may be gone: that stops nothing here.
  for (const stream of [system.stdin, system.stdout, system.stderr]) stream.on('error', () => {});
  system.once('exit', closeGoneTerminals);
  try {
    const options = parseConnectorOptions(system.argv.slice(2));
    if (options !== null) return await runLogged(system, options);
    system.stdout.write(helpConnector());
    return 0;
  } catch (error) {
    system.stderr.write(`tndconnect: ${textOf(error)}\n`);
    return error instanceof OperatorError ? error.status : 1;
  }
}

/** What goes wrong once there is a log is in it. */
async function runLogged(system: NodeJS.Process, options: ConnectorOptions): Promise<number> {
  const transcript = new Transcript(options.file, systemClock, system.geteuid?.());
  try {
    return await runConnector(system, options, transcript);
  } catch (error) {
    transcript.event(textOf(error));
    throw error;
  } finally {
    transcript.close();
  }
}

async function runConnector(
  system: NodeJS.Process,
  options: ConnectorOptions,
  transcript: Transcript,
): Promise<number> {
  const console = new Console({
    input: system.stdin,
    output: screenOutput(system.stdout),
    clock: systemClock,
    charset: charsetOf(system.env, system.platform),
  });
  const connector = new Connector(options, {
    clock: systemClock,
    console,
    transcript,
    urgent: await loadUrgentData(system.platform),
    hostName: hostname(),
    hostsFile: hostsFile(system),
    software: `tndconnect/${VERSION}`,
    random: () => randomInt(RANDOM_STEPS) / RANDOM_STEPS,
  });
  const interrupt = (): void => connector.interrupt();
  const letGo = (): void => {
    for (const signal of IMPATIENT) system.off(signal, interrupt);
    console.releaseKeyboard();
  };
  console.onInterrupt = interrupt;
  for (const signal of SIGNALS) system.on(signal, interrupt);
  connector.stop.addEventListener('abort', letGo);
  try {
    const password = options.password === '-' ? await askPassword(system, connector.stop) : options.password;
    console.open();
    return await connector.run(password);
  } finally {
    letGo();
    await console.close();
  }
}

/** Leaving the prompt is an ending like Ctrl+C at any other time. */
async function askPassword({ stdin, stderr }: NodeJS.Process, stop: AbortSignal): Promise<string> {
  try {
    return await readSecret({ input: stdin, prompts: stderr, stop }, 'One-time password: ');
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    throw new OperatorError(error.message, { status: outcomeEnding('customer').status });
  }
}

/** Where names are added that DNS does not know. */
function hostsFile({ platform, env }: NodeJS.Process): string {
  if (platform !== 'win32') return '/etc/hosts';
  return `${env['SystemRoot'] ?? 'C:\\Windows'}\\System32\\drivers\\etc\\hosts`;
}

function textOf(error: unknown): string {
  if (error instanceof OperatorError) return error.message;
  return (error as Error).stack ?? String(error);
}
