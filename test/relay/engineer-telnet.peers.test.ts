/**
 * Real clients and a daemon that never negotiates: the client must fall back to its own echo and lines, as in a
 * direct connection, also on the second visit, and find the dialogue again in between. Daemons that do negotiate are
 * visited in test/e2e.
 */
import t from 'tap';
import { skipUnless } from '../helpers/peers.ts';
import { clientKinds, clientPeers, Terminal } from '../helpers/terminal.ts';
import { PROMPT, portOf, startPlainDaemon, startTelnetHost } from './telnet-host.ts';

const PLAIN_PROMPT = 'plain> ';
const LOCALHOST = '127.0.0.1';

const daemon = await startPlainDaemon();
const host = await startTelnetHost(portOf(daemon));
t.teardown(() => {
  daemon.close();
  host.close();
});

for (const client of clientKinds) {
  const skip = skipUnless(...clientPeers[client]);
  void t.test(
    `${client} visits a daemon that never negotiates as if directly connected`,
    { skip },
    async (t) => {
      const direct = await Terminal.open(client, LOCALHOST, portOf(daemon));
      t.teardown(() => direct.stop());
      await direct.await(PLAIN_PROMPT);
      const shownDirectly = await oneLine(direct);

      const relayed = await Terminal.open(client, LOCALHOST, portOf(host));
      t.teardown(() => relayed.stop());
      await relayed.await(PROMPT);
      for (const visit of ['first', 'second']) {
        relayed.sendLine('open');
        await relayed.await(PLAIN_PROMPT);
        t.equal(await oneLine(relayed), shownDirectly, `${visit} visit`);
        relayed.sendLine('bye');
        await relayed.await('gone\r\n'.trim());
        await relayed.await(PROMPT);
        relayed.sendLine('list');
        const shown = await relayed.await('[list]');
        t.match(
          shown,
          /^list\r\n\[list\]$|^list\r\r?\n\[list\]$/,
          `dialogue after the ${visit} visit, echoed once`,
        );
        await relayed.await(PROMPT);
      }
    },
  );
}

/** What is shown of a line and its answer. */
async function oneLine(terminal: Terminal): Promise<string> {
  terminal.sendLine('joe');
  return terminal.await(PLAIN_PROMPT);
}
