/**
 * Every telnet client to every telnet daemon through a real relay and a real connector, by both ways in: an
 * engineer's account, and the session id with the engineer password as in the original. What the site shows is
 * held to the same checks as a direct visit.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { daemonPeers, startDaemon, type Daemon, type DaemonKind } from '../helpers/daemons.ts';
import { skipUnless } from '../helpers/peers.ts';
import type { RunningProcess } from '../helpers/processes.ts';
import { addAccount, makeOneTimePassword, startConnector, startRelay } from '../helpers/programs.ts';
import { temporaryFolder } from '../helpers/rig.ts';
import { checkLog, checkSession, leaveSite, logInAtSite } from '../helpers/site-checks.ts';
import { clientKinds, clientPeers, Terminal, type ClientKind } from '../helpers/terminal.ts';

const daemonKinds: readonly DaemonKind[] = ['inetutils', 'busybox'];
const prompt = 'relay> ';

const relay = await startRelay();
t.teardown(() => relay.stop());
const engineer = 'erika';
const engineerPassword = await addAccount(relay, engineer);

t.jobs = 3;

for (const daemon of daemonKinds) {
  for (const client of clientKinds) {
    const skip = skipUnless(...clientPeers[client], ...daemonPeers[daemon]);
    const visits = `${client} visits ${daemon} telnetd`;
    void t.test(`${visits} with an account, twice in one line`, { skip, buffered: true }, (t) =>
      visitWithAccount(t, client, daemon),
    );
    void t.test(`${visits} with a session's own password`, { skip, buffered: true }, (t) =>
      visitWithSessionPassword(t, client, daemon),
    );
  }
}

async function visitWithAccount(t: Test, client: ClientKind, daemon: DaemonKind): Promise<void> {
  const { site, terminal } = await setUp(t, client, daemon);
  await logInAtRelay(t, terminal, engineer, engineerPassword);
  await terminal.await(prompt);
  for (const visit of ['first', 'second']) {
    terminal.sendLine(`new ${visit} visit`);
    const shown = await terminal.await('Waiting for the customer');
    const { connector, log } = connect(t, customerPasswordIn(shown), site);
    await logInAtSite(t, terminal, site);
    await checkSession(t, terminal, client, site);
    leaveSite(terminal);
    await terminal.await('(daemon)');
    await terminal.await(prompt);
    t.same(
      await connector.ended,
      { code: 0, signal: null },
      `the connector ends well after the ${visit} visit`,
    );
    checkLog(t, log(), site);
  }
  terminal.sendLine('quit');
  await terminal.awaitEnd();
}

async function visitWithSessionPassword(t: Test, client: ClientKind, daemon: DaemonKind): Promise<void> {
  const { site, terminal } = await setUp(t, client, daemon);
  const made = await makeOneTimePassword(relay);
  const { connector, log } = connect(t, made.customerPassword, site);
  await logInAtRelay(t, terminal, made.session, made.engineerPassword);
  await logInAtSite(t, terminal, site);
  await checkSession(t, terminal, client, site);
  leaveSite(terminal);
  await terminal.awaitEnd();
  t.same(await connector.ended, { code: 0, signal: null }, 'the connector ends well');
  checkLog(t, log(), site);
}

async function setUp(
  t: Test,
  client: ClientKind,
  daemon: DaemonKind,
): Promise<{ site: Daemon; terminal: Terminal }> {
  const site = await startDaemon(daemon);
  t.teardown(() => site.stop());
  const terminal = await Terminal.open(client, relay.host, relay.port);
  t.teardown(() => terminal.stop());
  return { site, terminal };
}

async function logInAtRelay(t: Test, terminal: Terminal, name: string, password: string): Promise<void> {
  await terminal.await('relay login: ');
  terminal.sendLine(name);
  t.equal(await terminal.await('Password: '), `${name}\r\nPassword: `, 'the relay shows what is typed, once');
  terminal.sendLine(password);
  t.equal(await terminal.await('\n'), '\r\n', 'the relay shows nothing of a password');
}

function connect(t: Test, password: string, site: Daemon): { connector: RunningProcess; log: () => string } {
  const folder = temporaryFolder(t);
  const connector = startConnector(relay, password, site, folder);
  t.teardown(() => connector.stop());
  return { connector, log: () => readFileSync(join(folder, 'tndconnect.log'), 'utf8') };
}

function customerPasswordIn(shown: string): string {
  const [password] = /[0-9A-Z]{6}(-[0-9A-Z]{5}){2}-[0-9A-Z]/.exec(shown) ?? [];
  if (!password) throw new Error(`no one-time password in ${JSON.stringify(shown)}`);
  return password;
}
