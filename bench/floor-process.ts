/**
 * What a relay is measured against, as a process of its own: it prints its port and serves until it is ended.
 *
 *     floor-process.js pipe PORT     every connection is piped to a port of this machine by node:net alone
 *     floor-process.js tls FOLDER    TLS 1.3 connections are accepted and held; key and certificate are made in FOLDER
 *     floor-process.js dial PORT     makes one TLS 1.3 connection to a port of this machine, prints it, and holds it
 */
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { loadIdentity } from '../src/relay/identity.ts';
import { addressOf } from '../src/relay/listeners.ts';
import { locateState, prepareState } from '../src/relay/state-directory.ts';

const [kind, argument] = process.argv.slice(2);
if (kind === 'dial') await dialTls(Number(argument));
else serve(kind === 'pipe' ? pipeTo(Number(argument)) : await holdTls(argument));

function serve(server: Server): void {
  server.listen(0, '127.0.0.1', () => process.stdout.write(`listening ${addressOf(server).port}\n`));
}

async function dialTls(port: number): Promise<void> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: 'TLSv1.3' });
  await once(socket, 'secureConnect');
  process.stdout.write(`dialled ${port}\n`);
}

function pipeTo(port: number): Server {
  return createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on('error', () => socket.destroy());
  });
}

async function holdTls(folder: string): Promise<Server> {
  const state = locateState(folder, { env: {}, homeDirectory: '/', isRoot: false });
  prepareState(state, null);
  const { keyPem, certificatePem } = await loadIdentity(state, Date.now());
  return createTlsServer({ key: keyPem, cert: certificatePem, minVersion: 'TLSv1.3' }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.resume();
  });
}
