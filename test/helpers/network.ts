/**
 * A small network of its own, made of network namespaces (Linux, root): hosts around one router, cables that can be
 * cut, addresses that can change.
 *
 *     relay 10.77.1.2 ---- router ---- 10.77.2.2 site
 *                            +-------- 10.77.3.2 engineer ...
 *
 * A cut is silent, as on the way through the Internet: the router drops what comes from the host and what goes to it,
 * and nobody is told. Programs run on a host by the `within` of their process options; a test itself has no socket
 * there, so socat carries its connections over (`dial`, `expose`): who stops reading stops socat, and socat's kernel.
 * Everything is removed in teardown; names of namespaces are unique, and all other names are inside them.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostPort } from '../../src/base/address.ts';
import { isThere, peerPath, skipUnless } from './peers.ts';
import { RunningProcess } from './processes.ts';

/** A test of tap, or anything else that ends what it began. */
export interface Scope {
  teardown(end: () => unknown): void;
}

/** Half-closed connections stay so: socat would end them after half a second. */
const HALF_CLOSED_S = '3600';

const namespaces = new Set<string>();
let serial = 0;

process.on('exit', removeAll);
// The test runner's listeners end the program in a way that comes to no exit handler; processes.ts goes on from here.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGALRM'] as const)
  process.prependOnceListener(signal, removeAll);

/** For tap's `skip`: false where networks can be made, else why not. */
export function skipWithoutNetwork(): string | false {
  const missing = skipUnless('ip', 'socat');
  if (missing || !isThere('ip')) return missing;
  const name = freeName('probe');
  const steps = [
    ['netns', 'add', name],
    ['-n', name, 'link', 'add', 'uplink', 'type', 'veth'],
    ['-n', name, 'rule', 'add', 'iif', 'uplink', 'blackhole'],
  ];
  const failed = steps.map(ip).find(({ isDone }) => !isDone);
  removeNamespace(name);
  return failed ? `no network namespaces here: ${failed.error}` : false;
}

export class Network {
  readonly #scope: Scope;
  readonly #router = addNamespace('router');
  readonly #folder = mkdtempSync(join(tmpdir(), 'telnet-network-'));
  readonly #hosts: NetworkHost[] = [];

  /** Give it a scope whose teardown comes after that of what runs on its hosts: tap's is last in, first out. */
  constructor(scope: Scope) {
    this.#scope = scope;
    scope.teardown(() => this.#remove());
    run(['netns', 'exec', this.#router, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']);
  }

  /** Adds a host, connected; `name` is for whoever reads a list of namespaces. */
  addHost(name: string): NetworkHost {
    const number = this.#hosts.length + 1;
    const host = new NetworkHost(this.#scope, this.#folder, this.#router, addNamespace(name), number);
    this.#hosts.push(host);
    return host;
  }

  #remove(): void {
    for (const { namespace } of this.#hosts) removeNamespace(namespace);
    removeNamespace(this.#router);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export class NetworkHost {
  /** For `within` of ProcessOptions. */
  readonly namespace: string;
  readonly #scope: Scope;
  readonly #folder: string;
  readonly #router: string;
  readonly #number: number;
  readonly #port: string;
  #hostPart = 2;
  #sockets = 0;

  constructor(scope: Scope, folder: string, router: string, namespace: string, number: number) {
    this.namespace = namespace;
    this.#scope = scope;
    this.#folder = folder;
    this.#router = router;
    this.#number = number;
    this.#port = `host${number}`;
    const cable = ['type', 'veth', 'peer', 'name', this.#port, 'netns', router];
    run(['link', 'add', 'uplink', 'netns', namespace, ...cable]);
    run(['-n', router, 'address', 'add', `${this.#subnet}.1/24`, 'dev', this.#port]);
    run(['-n', router, 'link', 'set', this.#port, 'up']);
    run(['-n', namespace, 'link', 'set', 'lo', 'up']);
    run(['-n', namespace, 'link', 'set', 'uplink', 'up']);
    this.#takeAddress();
  }

  get address(): string {
    return `${this.#subnet}.${this.#hostPart}`;
  }

  /** From now on nothing comes from this host and nothing reaches it. */
  cut(): void {
    for (const direction of this.#directions()) run(['-n', this.#router, 'rule', 'add', ...direction]);
  }

  restore(): void {
    for (const direction of this.#directions()) run(['-n', this.#router, 'rule', 'delete', ...direction]);
  }

  /** Another address in place of the one before, whose connections are dead and are not told. */
  changeAddress(): void {
    run(['-n', this.namespace, 'address', 'delete', `${this.address}/24`, 'dev', 'uplink']);
    this.#hostPart += 1;
    this.#takeAddress();
  }

  /** A connection that this host makes, as a socket of the test; half-open is allowed. */
  async dial({ host, port }: HostPort): Promise<Socket> {
    const path = this.#freePath();
    const carrier = this.#socat(`UNIX-LISTEN:${path}`, `TCP:${host}:${port},nodelay`);
    await carrier.output(/listening on/);
    const socket = connect({ path, allowHalfOpen: true });
    socket.on('error', () => {});
    this.#scope.teardown(() => socket.destroy());
    await carrier.output(/starting data transfer loop/);
    return socket;
  }

  /** Lets programs on this host reach a server of the test; resolves with its address there, on loopback. */
  async expose(server: Server): Promise<HostPort> {
    const path = this.#freePath();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const carrier = this.#socat('TCP-LISTEN:0,bind=127.0.0.1,fork,nodelay', `UNIX-CONNECT:${path}`);
    const [, port] = await carrier.output(/listening on AF=2 127\.0\.0\.1:(\d+)/);
    return { host: '127.0.0.1', port: Number(port) };
  }

  get #subnet(): string {
    return `10.77.${this.#number}`;
  }

  #takeAddress(): void {
    run(['-n', this.namespace, 'address', 'add', `${this.address}/24`, 'dev', 'uplink']);
    run(['-n', this.namespace, 'route', 'replace', 'default', 'via', `${this.#subnet}.1`]);
  }

  #directions(): string[][] {
    return [
      ['iif', this.#port, 'blackhole'],
      ['to', `${this.#subnet}.0/24`, 'blackhole'],
    ];
  }

  #socat(from: string, to: string): RunningProcess {
    const args = ['-d', '-d', '-t', HALF_CLOSED_S, from, to];
    const carrier = new RunningProcess(peerPath('socat'), args, { within: this.namespace });
    this.#scope.teardown(() => carrier.stop(0));
    return carrier;
  }

  #freePath(): string {
    this.#sockets += 1;
    return join(this.#folder, `${this.#number}-${this.#sockets}.sock`);
  }
}

function addNamespace(name: string): string {
  const namespace = freeName(name);
  namespaces.add(namespace);
  run(['netns', 'add', namespace]);
  return namespace;
}

function removeNamespace(namespace: string): void {
  ip(['netns', 'delete', namespace]);
  namespaces.delete(namespace);
}

function removeAll(): void {
  namespaces.forEach(removeNamespace);
}

function freeName(name: string): string {
  serial += 1;
  return `telnet-${process.pid}-${serial}-${name}`;
}

function run(args: readonly string[]): void {
  const { isDone, error } = ip(args);
  if (!isDone) throw new Error(`ip ${args.join(' ')}: ${error}`);
}

function ip(args: readonly string[]): { isDone: boolean; error: string } {
  const { status, stderr } = spawnSync(peerPath('ip'), args, { encoding: 'utf8' });
  return { isDone: status === 0, error: stderr.trim() };
}
