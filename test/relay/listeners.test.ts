import { connect } from 'node:net';
import t from 'tap';
import { addressOf, listen, listenAll, parseListen } from '../../src/relay/listeners.ts';

t.test('addresses as typed', async (t) => {
  t.same(parseListen(['127.0.0.1:2323', '*:23', '[::1]:80', 'localhost:0']), [
    { host: '127.0.0.1', port: 2323 },
    { host: '*', port: 23 },
    { host: '::1', port: 80 },
    { host: 'localhost', port: 0 },
  ]);
  for (const text of ['127.0.0.1', '23', '*:', '*:70000', 'a b:1', '']) {
    t.throws(() => parseListen([text]), /--listen takes HOST:PORT/, text);
  }
});

t.test('a port in use is named with the fix, and the other ports are let go', async (t) => {
  const first = await listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => first.close());
  const taken = addressOf(first);
  const free = await listen({ host: '127.0.0.1', port: 0 });
  const other = addressOf(free);
  await new Promise((resolve) => free.close(resolve));
  await t.rejects(listenAll([other, taken]), /is in use by another program; stop that, or listen elsewhere/);
  await t.rejects(
    new Promise((resolve, reject) => connect(other).once('connect', resolve).once('error', reject)),
    { code: 'ECONNREFUSED' },
  );
});

t.test('an address of another machine is refused', async (t) => {
  await t.rejects(listen({ host: '192.0.2.1', port: 0 }), /192.0.2.1 is no address of this machine/);
});
