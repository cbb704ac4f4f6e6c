/** Dialling: what is blamed for an answer that does not come, or is not the relay's. */
import dns from 'node:dns';
import { createServer } from 'node:tls';
import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { dialRelay, dialTcp } from '../../src/connector/dial.ts';
import type { Ended } from '../../src/connector/ending.ts';
import { addressOf } from '../../src/relay/listeners.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { startRig } from '../helpers/rig.ts';

const DEADLINE_MS = 10_000;

for (const [what, host, code] of [
  ['a name server that does not answer is one that does not know the name', 'relay.test', 'EAI_AGAIN'],
  ['an address that does not answer is none that can be reached', '127.0.0.1', 'ETIMEDOUT'],
] as const) {
  t.test(what, async (t) => {
    const clock = new FakeClock();
    const dial = dialTcp(
      { host, port: 9 },
      { clock, stop: new AbortController().signal, detail: () => {} },
      null,
    );
    // No turn of the loop has passed, so nothing has been looked up or reached yet.
    clock.advance(DEADLINE_MS);
    await t.rejects(dial, { code });
    t.equal(clock.armed, 0);
  });
}

t.test('a name that is not found is told as that, whatever word the system has for it', async (t) => {
  const surroundings = { clock: systemClock, stop: new AbortController().signal, detail() {} };
  for (const code of ['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA']) {
    const fail = (_host: string, _options: unknown, done: (error: Error) => void): void =>
      done(Object.assign(new Error('no'), { code }));
    const lookups = t.capture(dns, 'lookup', fail as never);
    const dial = dialRelay({ host: 'relay.test', port: 23 }, { ...surroundings, hostsFile: 'C:\\hosts' });
    const { ending } = (await dial.catch((error: unknown) => error)) as Ended;
    t.match(ending, { status: 21, text: /^DNS does not find relay\.test; .* to C:\\hosts\.$/ });
    t.equal(lookups().length, 1);
    lookups.restore();
  }
});

t.test('what is dialled after the stop is given up at once', async (t) => {
  const clock = new FakeClock();
  const dial = dialTcp(
    { host: '127.0.0.1', port: 9 },
    { clock, stop: AbortSignal.abort(), detail: () => {} },
    null,
  );
  await t.rejects(dial, { code: 'ECANCELED' });
  t.equal(clock.armed, 0);
});

t.test('a TLS failure is told in a word, not in a dump of OpenSSL', async (t) => {
  const { identity } = await startRig(t);
  const server = createServer({ key: identity.keyPem, cert: identity.certificatePem, maxVersion: 'TLSv1.2' });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const surroundings = { clock: systemClock, stop: new AbortController().signal, hostsFile: '', detail() {} };
  await t.rejects(dialRelay(addressOf(server), surroundings), {
    message: /^127\.0\.0\.1:\d+ is reached but is no relay \([a-z0-9 ]+\); check -host/,
  });
});
