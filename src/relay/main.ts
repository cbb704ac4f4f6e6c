#!/usr/bin/env node
/**
 * relayapp: the process. Chooses the command, gives it its surroundings (clock, streams, signals, credentials), and
 * turns what it throws into one line and an exit status. The only file of the relay that touches `process`. Commands
 * are loaded when they are chosen: none waits for what another needs.
 */
import { homedir, hostname } from 'node:os';
import { systemClock } from '../base/clock.ts';
import { errorText, OperatorError } from '../base/errors.ts';
import { Log } from '../base/log.ts';
import { VERSION } from '../base/version.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
const HELP: readonly string[] = ['help', '--help', '-help', '-h', '/?'];

async function main(argv: readonly string[]): Promise<void> {
  // Process lists show the command line to everybody on the machine: no secret may stay in it.
  process.title = 'relayapp';
  const [command = 'help', ...rest] = argv;
  if (['version', '--version'].includes(command)) return print(`relayapp ${VERSION}\n`);
  const asksHelp = HELP.includes(command) || rest.includes('--help') || rest.includes('-help');
  if (command === 'serve' && !asksHelp) return serveUntilSignal(rest);
  const { helpRelay, runCommand } = await import('./commands.ts');
  if (asksHelp) return print(helpRelay());
  print(
    await runCommand(command, rest, {
      ...surroundings(),
      clock: systemClock,
      terminal: { input: process.stdin, prompts: process.stderr, stop: stopAtSignal() },
    }),
  );
}

/** A signal ends the program, but first the prompt: the terminal is not left without echo. */
function stopAtSignal(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of SIGNALS) {
    process.once(signal, () => {
      stopping.abort();
      systemClock.after(0, () => process.kill(process.pid, signal));
    });
  }
  return stopping.signal;
}

async function serveUntilSignal(argv: readonly string[]): Promise<void> {
  const { serve } = await import('./serve.ts');
  // Who read the log may have gone: an error of it must not become a line of it, over and over. Visits go on.
  process.stderr.on('error', () => {});
  const log = new Log(systemClock, (line) => process.stderr.write(line), isVerbose(argv) ? 'debug' : 'info');
  process.on('uncaughtException', (error) =>
    log.error('uncaught', { error: error.stack ?? errorText(error) }),
  );
  const serving = await serve(argv, {
    ...surroundings(),
    clock: systemClock,
    log,
    credentials: process,
    platform: process.platform,
    hostName: hostname(),
    software: `relayapp/${VERSION}`,
  });
  let isStopping = false;
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (isStopping) process.exit(1);
      isStopping = true;
      serving.stop().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error('stop-failed', { error: errorText(error) });
          process.exit(1);
        },
      );
    });
  }
}

function surroundings() {
  return { env: process.env, homeDirectory: homedir(), isRoot: process.getuid?.() === 0 };
}

function isVerbose(argv: readonly string[]): boolean {
  return argv.includes('--verbose') || argv.includes('-verbose');
}

function print(text: string): void {
  process.stdout.write(text);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const isOperators = error instanceof OperatorError;
  process.stderr.write(
    `relayapp: ${isOperators ? error.message : ((error as Error).stack ?? String(error))}\n`,
  );
  process.exitCode = isOperators ? error.status : 1;
});
