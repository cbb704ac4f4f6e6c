/**
 * Somebody between connector and relay who sees where TLS records begin and end, and no more: lets so many of them
 * through, of both directions in the order in which they come, and holds what follows.
 *
 * A connection that ends on one side is ended on the other. Everything is ended in teardown.
 */
import { connect, createServer, type Socket } from 'node:net';
import type { HostPort } from '../../src/base/address.ts';
import { addressOf } from '../../src/relay/listeners.ts';
import type { Scope } from './tunnel.ts';

/** Type, version and length. */
const HEADER_BYTES = 5;
/** What follows a record without a wait has come by then. */
const QUIET_MS = 300;

export class RecordProxy {
  readonly address: HostPort;
  /** Records that went through on the newest connection. */
  passed = 0;
  #allowed = Infinity;
  #onPassed: () => void = () => {};
  #dials = 0;
  readonly #relay: HostPort;
  readonly #sockets = new Set<Socket>();

  private constructor(relay: HostPort, address: HostPort) {
    this.#relay = relay;
    this.address = address;
  }

  static async start(scope: Scope, relay: HostPort): Promise<RecordProxy> {
    const server = createServer({ allowHalfOpen: true }, (client) => proxy.#join(client));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new RecordProxy(relay, addressOf(server));
    scope.teardown(() => {
      for (const socket of proxy.#sockets) socket.destroy();
      server.close();
    });
    return proxy;
  }

  /** Connections that came from the connector's side. */
  get dials(): number {
    return this.#dials;
  }

  /** Cuts all connections on both sides. None of them may have been ended: Node never closes such a one by a reset. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /**
   * Lets this many records of the next connection through. Resolves when they have passed and the next one is held, or
   * none comes for a while.
   */
  allow(records: number): Promise<void> {
    this.#allowed = records;
    this.passed = -1;
    return new Promise((resolve) => {
      this.#onPassed = resolve;
    });
  }

  /** Lets everything of further connections through. */
  allowAll(): void {
    this.#allowed = Infinity;
    this.#onPassed = () => {};
  }

  #join(client: Socket): void {
    const allowed = this.#allowed;
    const server = connect({ ...this.#relay, allowHalfOpen: true });
    let timer: NodeJS.Timeout | undefined;
    this.#dials += 1;
    this.passed = 0;
    const record = (bytes: Buffer, to: Socket): void => {
      clearTimeout(timer);
      if (this.passed >= allowed) return this.#onPassed();
      this.passed += 1;
      to.write(bytes);
      if (this.passed === allowed) timer = setTimeout(() => this.#onPassed(), QUIET_MS);
    };
    if (allowed === 0) server.once('connect', () => this.#onPassed());
    for (const [from, to] of [
      [client, server],
      [server, client],
    ]) {
      this.#sockets.add(from);
      from.on('error', () => {});
      from.on(
        'data',
        recordsOf((bytes) => record(bytes, to)),
      );
      from.once('end', () => to.end());
      from.once('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}

/** What takes chunks and gives whole records. */
function recordsOf(take: (record: Buffer) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const length = rest.length < HEADER_BYTES ? Infinity : HEADER_BYTES + rest.readUInt16BE(3);
      if (rest.length < length) return;
      const record = rest.subarray(0, length);
      rest = rest.subarray(length);
      take(record);
    }
  };
}
