/**
 * A relay, a customer's site and a connector on this machine, ready for a visit with an ordinary telnet client.
 *
 * Everything is on loopback, with passwords made for this run, in temporary folders. However the demo ends, what it
 * started ends with it. Started by scripts/demo, which builds first. Exit status: 0 (with --once: a command ran on
 * the far side), 1 when something failed, 2 for a wrong option or a port in use, 130 after Ctrl+C.
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { closeGoneTerminals } from '../../src/base/terminal.ts';
import { daemonPeers, startDaemon, type Daemon, type DaemonKind } from '../../test/helpers/daemons.ts';
import { isThere } from '../../test/helpers/peers.ts';
import type { RunningProcess } from '../../test/helpers/processes.ts';
import {
  addAccount,
  makeOneTimePassword,
  startConnector,
  startRelay,
  type OneTimePassword,
  type Relay,
} from '../../test/helpers/programs.ts';
import { clientKinds, clientPeers, Terminal } from '../../test/helpers/terminal.ts';

const usage = `scripts/demo [--once] [--port N]
  --once     make the visit too, with a real telnet client, and end
  --port N   where the relay listens (default 2323)
`;

class UsageError extends Error {}

interface Stage {
  readonly relay: Relay;
  readonly site: Daemon;
  readonly folder: string;
  readonly accountPassword: string;
}

const endings: (() => Promise<void> | void)[] = [];
let ending: Promise<never> | null = null;
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

// A terminal that is gone stops nothing: what was made has to be removed all the same.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.once('exit', closeGoneTerminals);

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    say('\nending the demo');
    void end(130);
  });
}

try {
  const { once: isOnce, port } = readOptions(process.argv.slice(2));
  const stage = await setUp(port);
  if (isOnce) await visitOnce(stage);
  else await offerVisits(stage);
  await end(0);
} catch (error) {
  // What fails while everything is being ended fails because of that.
  if (!ending) process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  await end(error instanceof UsageError ? 2 : 1);
}

/** Ends what was started, last first, then the process. The first reason to end counts. */
function end(status: number): Promise<never> {
  ending ??= endAll(status);
  return ending;
}

async function endAll(status: number): Promise<never> {
  for (const stop of endings.reverse()) await stop();
  return process.exit(status);
}

function readOptions(args: string[]): { once: boolean; port: number } {
  const options = { once: { type: 'boolean' }, port: { type: 'string' }, help: { type: 'boolean' } } as const;
  let values;
  try {
    ({ values } = parseArgs({ args, options }));
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
  }
  if (values.help) {
    process.stdout.write(usage);
    process.exit(0);
  }
  const port = Number(values.port ?? 2323);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new UsageError('--port takes 1 to 65535');
  return { once: values.once ?? false, port };
}

async function setUp(port: number): Promise<Stage> {
  await checkPortIsFree(port);
  const folder = mkdtempSync(join(tmpdir(), 'telnet-demo-'));
  endings.push(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  chmodSync(folder, 0o711); // started as root, the relay becomes somebody else, who has to get to its state
  process.env['TMPDIR'] = folder; // where everything else makes its folders, so that they go with this one
  const site = await startDaemon(chooseDaemon());
  endings.push(() => site.stop());
  const relay = await startRelay({ port });
  endings.push(() => relay.stop());
  return { relay, site, folder, accountPassword: await addAccount(relay, 'demo', 'admin') };
}

async function checkPortIsFree(port: number): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') throw new UsageError(`port ${port} is in use: choose another with --port N`);
    throw error;
  }
  server.close();
  await once(server, 'close');
}

function chooseDaemon(): DaemonKind {
  const kind = (['busybox', 'inetutils'] as const).find((one) => isThere(...daemonPeers[one]));
  if (!kind)
    throw new Error('there is no telnet daemon on this machine: see what scripts/install-peers says');
  return kind;
}

async function invite({ relay, site, folder }: Stage): Promise<[OneTimePassword, RunningProcess]> {
  const password = await makeOneTimePassword(relay);
  const connector = startConnector(relay, password.customerPassword, site, folder);
  endings.push(async () => void (await connector.stop()));
  await connector.output(/waiting/i);
  return [password, connector];
}

async function offerVisits(stage: Stage): Promise<void> {
  for (;;) {
    const [password, connector] = await invite(stage);
    printLogins(stage, password);
    const { code } = await connector.ended;
    if (ending) return;
    endings.pop();
    await connector.stop();
    say(`\nThe visit is over: ${lastLine(connector)} (the connector's exit status is ${code})`);
    say('A new password was made and a new connector started for the next one.');
  }
}

function printLogins({ relay, site, folder, accountPassword }: Stage, password: OneTimePassword): void {
  say(`
The relay runs, and a customer's connector waits at it. It consents to every visit by itself; a real customer is asked.

  Type in another terminal:   telnet ${relay.host} ${relay.port}

  At "relay login:" either the session's own login:
      ${password.session}  with password  ${password.engineerPassword}
  or the account (an admin, who sees every session)
      demo${' '.repeat(5)}  with password  ${accountPassword}
      and then: open ${password.session}, list, new, help

  At the site's "login:" (a real ${site.kind} telnetd, its shell runs as you on this machine):
      ${site.user}      with password  ${site.password}

  What the customer sees:     tail -f ${join(folder, 'tndconnect.log')}
  Ctrl+C ends the demo and everything it started.
`);
}

/** The visit itself: proven by a product of random numbers that only a shell on the far side can have printed. */
async function visitOnce(stage: Stage): Promise<void> {
  const [password, connector] = await invite(stage);
  printLogins(stage, password);
  const { relay, site } = stage;
  const client = clientKinds.find((kind) => isThere(...clientPeers[kind]));
  if (!client) throw new Error('there is no telnet client with expect: see what scripts/install-peers says');
  const terminal = await Terminal.open(client, relay.host, relay.port, (shown) =>
    process.stdout.write(shown),
  );
  endings.push(() => terminal.stop());
  const [a, b] = [randomInt(1_000, 10_000), randomInt(1_000, 10_000)];
  await answer(terminal, 'relay login: ', password.session);
  await answer(terminal, 'Password: ', password.engineerPassword);
  await answer(terminal, 'login: ', site.user);
  await answer(terminal, 'Password: ', site.password);
  await answer(terminal, '$ ', `echo product=$((${a}*${b}))`);
  await answer(terminal, `product=${a * b}\r\n`, 'exit');
  await terminal.awaitEnd();
  const { code } = await connector.ended;
  say(`\nA command ran on the far side: ${a} * ${b} = ${a * b}.`);
  say(`The customer's connector ended with status ${code}: ${lastLine(connector)}`);
}

async function answer(terminal: Terminal, question: string, line: string): Promise<void> {
  await terminal.await(question);
  terminal.sendLine(line);
}

function lastLine({ stdout, stderr }: RunningProcess): string {
  return `${stderr}\n${stdout}`.trim().split('\n').at(-1)?.trim() ?? '';
}
