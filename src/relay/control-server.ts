/**
 * The management socket's server end: bounded requests, one answer each.
 *
 * Whoever connects may be silent, keep its end open, or not read: each connection is closed from here, once it is
 * answered or late, and `close` waits for none of them longer than last bytes take.
 */
import { chmodSync, existsSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Cancel, Clock } from '../base/clock.ts';
import { errorCode, errorText, OperatorError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { makeOrders, type AdministrationHost } from './administration.ts';
import { CONTROL_REQUEST_BYTES_MAX, CONTROL_REQUEST_DEADLINE_MS, LINGER_MS } from './limits.ts';
import { StretchingBusy } from './stretching.ts';

type AnyOrder = (request: unknown) => unknown;

export class ControlServer {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #orders: ReadonlyMap<string, AnyOrder>;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(host: AdministrationHost, clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
    this.#orders = new Map(Object.entries(makeOrders(host, clock))) as unknown as ReadonlyMap<
      string,
      AnyOrder
    >;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Listens at `path`, mode 0600. Rejects with OperatorError when another relay uses the state directory. */
  async listen(path: string): Promise<void> {
    if (existsSync(path)) {
      if (await isAnswered(path)) {
        throw new OperatorError(
          `another relay runs with this state directory (${path}); stop it, or use another --state`,
        );
      }
      unlinkSync(path);
    }
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) =>
        reject(new OperatorError(`cannot make the management socket ${path} (${errorCode(error)})`)),
      );
      this.#server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
  }

  /** Removes the socket and closes what is open on it: at once, or when an answer that is not read is cut. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      const cut = this.#clock.after(LINGER_MS, () => this.#sockets.forEach((socket) => socket.destroy()));
      this.#server.close(() => {
        cut();
        resolve();
      });
      for (const socket of this.#sockets) socket.destroySoon();
    });
  }

  #accept(socket: Socket): void {
    const cancel = this.#clock.after(CONTROL_REQUEST_DEADLINE_MS, () => socket.destroy());
    let received = '';
    this.#sockets.add(socket);
    socket.setEncoding('utf8');
    socket.on('error', (error) => this.#log.debug('control-failed', { error: errorCode(error) }));
    socket.on('close', () => {
      cancel();
      this.#sockets.delete(socket);
    });
    socket.on('data', (chunk: string) => {
      received += chunk;
      if (received.length > CONTROL_REQUEST_BYTES_MAX) socket.destroy();
      else if (received.includes('\n')) this.#answerOnce(socket, received, cancel);
    });
    socket.on('end', () => socket.end());
  }

  #answerOnce(socket: Socket, received: string, cancel: Cancel): void {
    socket.removeAllListeners('data');
    socket.resume();
    cancel();
    this.#answer(received.slice(0, received.indexOf('\n')))
      .then((answer) => {
        socket.end(`${JSON.stringify(answer)}\n`);
        socket.destroySoon();
      })
      .catch((error: unknown) => {
        this.#log.error('control-failed', { error: errorText(error) });
        socket.destroy();
      });
  }

  async #answer(line: string): Promise<unknown> {
    try {
      const { name, request } = JSON.parse(line) as { name?: unknown; request?: unknown };
      const order = typeof name === 'string' ? this.#orders.get(name) : undefined;
      if (!order || typeof request !== 'object' || request === null)
        throw new OperatorError('unknown request');
      return { ok: true, answer: await order(request) };
    } catch (error) {
      if (error instanceof OperatorError || error instanceof StretchingBusy || error instanceof SyntaxError) {
        return { ok: false, error: error.message };
      }
      this.#log.error('order-failed', { error: errorText(error) });
      return {
        ok: false,
        error: `the relay could not do it (${errorCode(error) || 'internal error'}); see its log`,
      };
    }
  }
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
