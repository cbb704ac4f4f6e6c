import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import t from 'tap';
import { loadIdentity } from '../../src/relay/identity.ts';
import { locateState } from '../../src/relay/state-directory.ts';
import { temporaryFolder } from '../helpers/rig.ts';

const stateIn = (folder: string) => locateState(folder, { env: {}, homeDirectory: '/', isRoot: false });

t.test('the first start makes a key and a certificate, later ones keep them', async (t) => {
  const state = stateIn(temporaryFolder(t));
  const now = Date.UTC(2026, 0, 1);
  const first = await loadIdentity(state, now);
  t.same(await loadIdentity(state, now + 1), first);
  const certificate = new X509Certificate(first.certificatePem);
  t.ok(certificate.checkPrivateKey(createPrivateKey(first.keyPem)));
  t.ok(certificate.verify(certificate.publicKey));
  t.ok(new Date(certificate.validFrom).getTime() < now);
  t.match(first.relayId, /^[0-9a-f]{32}$/);
  t.equal(statSync(state.keyFile).mode & 0o777, 0o600);
});

t.test('two relays have two names', async (t) => {
  const [a, b] = [stateIn(temporaryFolder(t)), stateIn(temporaryFolder(t))];
  t.not((await loadIdentity(a, 0)).relayId, (await loadIdentity(b, 0)).relayId);
});

for (const which of ['keyFile', 'certificateFile'] as const) {
  t.test(`a ${which} that is damaged, empty or missing stops the start with the fix`, async (t) => {
    const state = stateIn(temporaryFolder(t));
    await loadIdentity(state, 0);
    const isRefused = (why: RegExp) =>
      t.rejects(loadIdentity(state, 0), { name: 'OperatorError', message: why });
    for (const content of ['damaged', '']) {
      writeFileSync(state[which], content);
      await isRefused(/; restore both files, or remove both/);
    }
    rmSync(state[which]);
    await isRefused(/\((relay-key|relay-cert)\.pem is missing\); restore both files, or remove both/);
    t.notOk(existsSync(state[which]), 'nothing is made');
  });
}
