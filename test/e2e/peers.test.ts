/**
 * Every telnet client against every telnet daemon, directly: what a visit through the relay has to equal, and the
 * proof that the harness that checks those visits works.
 */
import t from 'tap';
import { daemonPeers, startDaemon, type DaemonKind } from '../helpers/daemons.ts';
import { skipUnless } from '../helpers/peers.ts';
import { isRunning } from '../helpers/processes.ts';
import { checkSession, leaveSite, logInAtSite } from '../helpers/site-checks.ts';
import { clientKinds, clientPeers, Terminal, type ClientKind } from '../helpers/terminal.ts';

const daemonKinds: readonly DaemonKind[] = ['inetutils', 'busybox'];

t.jobs = 3;

for (const daemon of daemonKinds) {
  for (const client of clientKinds) {
    const skip = skipUnless(...clientPeers[client], ...daemonPeers[daemon]);
    void t.test(`${client} visits ${daemon} telnetd`, { skip, buffered: true }, async (t) => {
      const site = await startDaemon(daemon);
      t.teardown(() => site.stop());
      const terminal = await Terminal.open(client, site.host, site.port);
      t.teardown(() => terminal.stop());
      await logInAtSite(t, terminal, site);
      await checkSession(t, terminal, client, site);
      leaveSite(terminal);
      t.equal(await terminal.awaitEnd(), statusAtEnd(client), 'the visit ends with the shell');
    });
  }
}

const skip = skipUnless(...clientPeers.inetutils, ...daemonPeers.busybox);
void t.test(
  'a daemon that is stopped takes with it what runs in its logins',
  { skip, buffered: true },
  async (t) => {
    const site = await startDaemon('busybox');
    t.teardown(() => site.stop());
    const terminal = await Terminal.open('inetutils', site.host, site.port);
    t.teardown(() => terminal.stop());
    await logInAtSite(t, terminal, site);
    terminal.sendLine(`sh -c 'trap "" HUP TERM; echo "<$$>"; while :; do sleep 1; done' &`);
    const [, pid] = /<(\d+)>/.exec(await terminal.await('>\r\n')) ?? [];
    t.ok(isRunning(Number(pid)), 'a program that ignores the end of its terminal runs');
    await site.stop();
    t.notOk(isRunning(Number(pid)), 'it is gone');
  },
);

/** busybox telnet takes the end of the connection for an error, always. */
function statusAtEnd(client: ClientKind): number {
  return client === 'busybox' ? 1 : 0;
}
