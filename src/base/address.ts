/**
 * Addresses as people type them and as sockets report them.
 *
 * `parseHostPort` reads `host`, `host:port`, `[v6]:port` and a bare IPv6 address; `plainAddress` undoes the
 * IPv4-mapped form in which a dual-stack listener reports IPv4 peers, so that one host has one spelling in limits,
 * log and consent prompt; `NetworkList` matches addresses against networks in CIDR form.
 */
import { BlockList, isIP } from 'node:net';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const HOST_CHARACTERS_MAX = 253;

/** Returns null when `text` is not a host with an optional port from 0 to 65535. */
export function parseHostPort(text: string, defaultPort: number): HostPort | null {
  const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text);
  const match = bracketed ?? /^([^:]+)(?::(\d{1,5}))?$/.exec(text);
  const host = match ? match[1] : text;
  const port = match?.[2] === undefined ? defaultPort : Number(match[2]);
  if (port > 65_535 || !(isIP(host) === 6 || (!bracketed && (isIP(host) === 4 || isHostName(host)))))
    return null;
  return { host, port };
}

function isHostName(host: string): boolean {
  return /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?$/.test(host) && host.length <= HOST_CHARACTERS_MAX;
}

export function hostPortText({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `::ffff:192.0.2.1` -> `192.0.2.1`; everything else is returned unchanged, without a zone. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
}

/** A set of networks; `contains` takes an address in any spelling that a socket reports. */
export class NetworkList {
  readonly #list = new BlockList();

  /** Throws RangeError naming the first entry that is neither an address nor a network in CIDR form. */
  constructor(networks: readonly string[]) {
    for (const network of networks) this.#add(network);
  }

  contains(address: string): boolean {
    const plain = plainAddress(address);
    const family = isIP(plain);
    return family !== 0 && this.#list.check(plain, family === 6 ? 'ipv6' : 'ipv4');
  }

  #add(network: string): void {
    const [address = '', bits, ...rest] = network.split('/');
    const family = isIP(address);
    const bitsMax = family === 6 ? 128 : 32;
    const prefix = bits === undefined ? bitsMax : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN;
    if (family === 0 || rest.length > 0 || !(prefix >= 0 && prefix <= bitsMax)) {
      throw new RangeError(`${JSON.stringify(network)} is not an address or a network such as 10.0.0.0/8`);
    }
    this.#list.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4');
  }
}
