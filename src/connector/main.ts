#!/usr/bin/env node
/**
 * tndconnect: the process. Reads the command line, hides the password from it, opens log and console, and turns the
 * ending into an exit status. The only file of the connector that touches `process`.
 */
import { hostname } from 'node:os';
import { systemClock } from '../base/clock.ts';
import { OperatorError } from '../base/errors.ts';
import { readSecret } from '../base/terminal.ts';
import { VERSION } from '../base/version.ts';
import { loadUrgentData } from '../stream/urgent.ts';
import { Connector } from './connector.ts';
import { Console } from './console.ts';
import { helpConnector, parseConnectorOptions } from './options.ts';
import { Transcript } from './transcript.ts';

async function main(argv: readonly string[]): Promise<number> {
  // Process lists show the command line to everybody on the machine: the password must not stay in it.
  process.title = 'tndconnect';
  const options = parseConnectorOptions(argv);
  if (options === null) {
    process.stdout.write(helpConnector());
    return 0;
  }
  const transcript = new Transcript(options.file, systemClock);
  const terminal = { input: process.stdin, prompts: process.stderr };
  const password =
    options.password === '-' ? await readSecret(terminal, 'One-time password: ') : options.password;
  const console = new Console({ input: process.stdin, output: process.stdout });
  const urgent = await loadUrgentData(process.platform);
  const connector = new Connector(options, {
    clock: systemClock,
    console,
    transcript,
    urgent,
    hostName: hostname(),
    hostsFile: hostsFile(),
    software: `tndconnect/${VERSION}`,
  });
  console.onInterrupt = () => connector.interrupt();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => connector.interrupt());
  console.open();
  try {
    return await connector.run(password);
  } finally {
    console.close();
    transcript.close();
  }
}

/** Where names are added that DNS does not know. */
function hostsFile(): string {
  if (process.platform !== 'win32') return '/etc/hosts';
  return `${process.env['SystemRoot'] ?? 'C:\\Windows'}\\System32\\drivers\\etc\\hosts`;
}

main(process.argv.slice(2)).then(
  (status) => exit(status),
  (error: unknown) => {
    const isOperators = error instanceof OperatorError;
    process.stderr.write(
      `tndconnect: ${isOperators ? error.message : ((error as Error).stack ?? String(error))}\n`,
    );
    exit(isOperators ? error.status : 1);
  },
);

/** Exits once the relay has our last bytes, and in any case soon. */
function exit(status: number): void {
  process.exitCode = status;
  setTimeout(() => process.exit(status), 1_000).unref();
}
