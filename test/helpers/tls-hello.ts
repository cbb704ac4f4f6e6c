/** The first flight of a TLS client, for tests that send it in pieces or at the wrong time. */
import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { ALPN } from '../../src/wire/frames.ts';

/** A ClientHello record with the connector's ALPN. */
export function makeClientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(Buffer.from(chunk));
        done();
      },
    });
    connect({ socket: wire, ALPNProtocols: [ALPN], minVersion: 'TLSv1.3' }).on('error', () => {});
  });
}
