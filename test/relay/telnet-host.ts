/**
 * The smallest host around `EngineerTelnet` and `LineEditor`: `open` visits the daemon on `daemonPort`, every other
 * line is repeated. For tests with real clients; the relay's own host is `engineer-line.ts`.
 */
import { createServer, connect } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { once } from 'node:events';
import { EngineerTelnet } from '../../src/relay/engineer-telnet.ts';
import { LineEditor } from '../../src/relay/line-editor.ts';

export const PROMPT = 'relay> ';

/** In hex: what plink sends of its own accord. */
const OPTION_COMMANDS = /ff(?:fb|fc|fd|fe)../g;

/** Listens on a free loopback port; the caller closes it. */
export async function startTelnetHost(daemonPort: number): Promise<Server> {
  return listening(createServer((socket) => new TelnetHost(socket, daemonPort).start()));
}

/** A daemon that never negotiates: says what data it was sent, in hex, line by line; the line `bye` ends it. */
export async function startPlainDaemon(): Promise<Server> {
  return listening(
    createServer((socket) => {
      let line = Buffer.alloc(0);
      socket.on('error', () => {});
      socket.write('plain> ');
      socket.on('data', (chunk: Buffer) => {
        line = Buffer.concat([line, chunk]);
        if (!line.includes('\n')) return;
        if (line.includes('bye')) socket.end('gone\r\n');
        else socket.write(`got ${line.toString('hex').replace(OPTION_COMMANDS, '')}\r\nplain> `);
        line = Buffer.alloc(0);
      });
    }),
  );
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function listening(server: Server): Promise<Server> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

class TelnetHost {
  readonly #socket: Socket;
  readonly #daemonPort: number;
  readonly #telnet: EngineerTelnet;
  readonly #editor: LineEditor;
  #daemon: Socket | null = null;

  constructor(socket: Socket, daemonPort: number) {
    this.#socket = socket.setNoDelay();
    this.#daemonPort = daemonPort;
    this.#editor = new LineEditor({
      echo: (bytes) => socket.write(bytes),
      line: (text) => this.#line(text),
      interrupt: () => this.#prompt(),
      endOfInput: () => socket.end(),
    });
    this.#telnet = new EngineerTelnet({
      toClient: (bytes) => socket.write(bytes),
      toDaemon: (bytes) => this.#daemon?.write(bytes),
      typed: (bytes) => {
        this.#editor.echoing = this.#telnet.echoing;
        this.#editor.push(bytes);
      },
      interrupt: () => this.#prompt(),
      synced: () => (this.#telnet.phase === 'ready' ? this.#visit() : this.#prompt()),
      settled() {},
      overflow: () => socket.destroy(),
    });
  }

  start(): void {
    this.#socket.on('error', () => {});
    this.#socket.on('data', (chunk) => this.#telnet.fromClient(chunk));
    this.#socket.on('close', () => this.#daemon?.destroy());
    this.#telnet.greet();
    this.#prompt();
  }

  #prompt(): void {
    this.#socket.write(PROMPT);
    this.#editor.prompt();
  }

  #line(text: string): void {
    if (text === 'open') return this.#telnet.startSync();
    this.#socket.write(`[${text}]\r\n`);
    this.#prompt();
  }

  #visit(): void {
    const daemon = connect(this.#daemonPort, '127.0.0.1', () => this.#telnet.beginVisit());
    this.#daemon = daemon.setNoDelay();
    daemon.on('error', () => {});
    daemon.on('data', (chunk) => this.#telnet.fromDaemon(chunk));
    daemon.on('close', () => !this.#socket.destroyed && this.#telnet.endVisit());
  }
}
