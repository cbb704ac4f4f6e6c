/**
 * The listening sockets: where, and one clear line when a port cannot be had.
 */
import { createServer, type AddressInfo, type Server } from 'node:net';
import { hostPortText, parseHostPort, type HostPort } from '../base/address.ts';
import { errorCode, OperatorError } from '../base/errors.ts';
import { LISTEN_BACKLOG } from './limits.ts';

/** Reads `--listen` values; `*:23` stands for every address, IPv4 and IPv6. Throws OperatorError. */
export function parseListen(values: readonly string[]): readonly HostPort[] {
  return values.map((value) => {
    const every = /^\*:(\d{1,5})$/.exec(value);
    const parsed = every ? { host: '*', port: Number(every[1]) } : parseHostPort(value, -1);
    if (!parsed || parsed.port < 0 || parsed.port > 65_535) {
      throw new OperatorError(
        `--listen takes HOST:PORT such as 127.0.0.1:2323 or *:23, not ${JSON.stringify(value)}`,
      );
    }
    return parsed;
  });
}

/** Binds every address or none; rejects with OperatorError. */
export async function listenAll(addresses: readonly HostPort[]): Promise<readonly Server[]> {
  const results = await Promise.allSettled(addresses.map((address) => listen(address)));
  const servers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (!failed) return servers;
  for (const server of servers) server.close();
  throw failed.reason;
}

/** Binds one address; rejects with OperatorError. Connections wait until somebody listens for them. */
export function listen({ host, port }: HostPort): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  const options = { port, backlog: LISTEN_BACKLOG, exclusive: true };
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, { host, port })));
    server.listen(host === '*' ? options : { ...options, host }, () => {
      server.removeAllListeners('error');
      resolve(server);
    });
  });
}

/** The address that a server got, with the port that the system chose for port 0. */
export function addressOf(server: Server): HostPort {
  const { address, port } = server.address() as AddressInfo;
  return { host: address, port };
}

function listenError(error: unknown, address: HostPort): OperatorError {
  const where = hostPortText(address);
  switch (errorCode(error)) {
    case 'EADDRINUSE':
      return new OperatorError(
        `${where} is in use by another program; stop that, or listen elsewhere with --listen`,
      );
    case 'EACCES':
      return new OperatorError(
        `no permission to listen on ${where}: start as root (given up after binding), grant the capability ` +
          'cap_net_bind_service, or listen on a port above 1023 with --listen',
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new OperatorError(`${address.host} is no address of this machine; correct --listen`);
    default:
      return new OperatorError(`cannot listen on ${where} (${errorCode(error) || String(error)})`);
  }
}
