import t from 'tap';
import { hostPortText, NetworkList, parseHostPort, plainAddress } from '../../src/base/address.ts';

t.test('hosts with and without port, IPv6 with and without brackets', async (t) => {
  const cases: Array<[string, string, number]> = [
    ['relay.example.com', 'relay.example.com', 23],
    ['relay:2323', 'relay', 2323],
    ['10.0.0.1:80', '10.0.0.1', 80],
    ['[::1]:80', '::1', 80],
    ['[fe80::1]', 'fe80::1', 23],
    ['2001:db8::1', '2001:db8::1', 23],
    ['under_score', 'under_score', 23],
  ];
  for (const [text, host, port] of cases) t.same(parseHostPort(text, 23), { host, port }, text);
});

t.test('what is no host or port is refused', async (t) => {
  for (const text of [
    '',
    ':23',
    'a:b',
    'a:70000',
    '[::1',
    'a b',
    'a/b',
    '-a',
    'a:1:2',
    '[relay]:1',
    'x'.repeat(300),
  ]) {
    t.equal(parseHostPort(text, 23), null, JSON.stringify(text));
  }
});

t.test('printed so that it can be read back', async (t) => {
  for (const text of ['relay:23', '[::1]:80']) t.equal(hostPortText(parseHostPort(text, 1)!), text);
});

t.test('one host has one spelling', async (t) => {
  t.equal(plainAddress('::ffff:192.0.2.1'), '192.0.2.1');
  t.equal(plainAddress('fe80::1%eth0'), 'fe80::1');
  t.equal(plainAddress('2001:db8::ffff:1'), '2001:db8::ffff:1');
});

t.test('networks contain their addresses in any spelling', async (t) => {
  const list = new NetworkList(['10.0.0.0/8', '::1/128', '192.0.2.7']);
  t.same(
    ['10.255.0.1', '::ffff:10.1.2.3', '::1', '192.0.2.7', '192.0.2.8', '11.0.0.1', 'fe80::1', '', 'host'].map(
      (a) => list.contains(a),
    ),
    [true, true, true, true, false, false, false, false, false],
  );
});

t.test('what is no network is refused by name', async (t) => {
  for (const text of ['10.0.0.0/33', '10.0.0/8', 'host', '::1/129', '1.2.3.4/', '1.2.3.4/8/8', '1.2.3.4/x']) {
    t.throws(() => new NetworkList([text]), { name: 'RangeError', message: text });
  }
});
