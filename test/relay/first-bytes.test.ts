import t from 'tap';
import { classify } from '../../src/relay/first-bytes.ts';

const of = (text: string) => classify(Buffer.from(text, 'latin1'));

t.test('a TLS record of a handshake is TLS from its second byte on', async (t) => {
  t.equal(of(''), 'undecided');
  t.equal(of('\x16'), 'undecided');
  t.equal(of('\x16\x03'), 'tls');
  t.equal(of('\x16\x03\x01\x02\x00'), 'tls');
  t.equal(of('\x16\x04'), 'telnet');
});

t.test('a method and a space is HTTP, and each part of one is undecided', async (t) => {
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH']) {
    for (let length = 1; length <= method.length; length += 1)
      t.equal(of(method.slice(0, length)), 'undecided');
    t.equal(of(`${method} `), 'http');
    t.equal(of(`${method} / HTTP/1.1\r\n`), 'http');
  }
});

t.test('every other first byte is telnet at once', async (t) => {
  for (let byte = 0; byte < 256; byte += 1) {
    const isBeginning = byte === 0x16 || 'GHPDCOT'.includes(String.fromCharCode(byte));
    t.equal(classify(Uint8Array.of(byte)), isBeginning ? 'undecided' : 'telnet', `byte ${byte}`);
  }
});

t.test('what only begins like a method is telnet', async (t) => {
  for (const text of ['GETS', 'get /', 'GET\r', 'POSTER', '\xff\xfb\x1f', 'OPTIONS/'])
    t.equal(of(text), 'telnet', text);
});
