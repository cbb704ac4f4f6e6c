/**
 * One engineer's connection: a line of text while the relay talks, a leg of the splice while a visit lasts.
 *
 * Joins the telnet state (engineer-telnet.ts), the line editor and the leg, and offers the dialogue what it needs:
 * `print`, `ask`, `waitFor`. Every wait ends when the caller hangs up (`LineClosed`) or presses ^C (`Interrupted`).
 * As the engineer's seat in a session it starts the hand-over, gives its leg to the splice and takes it back.
 */
import type { Clock } from '../base/clock.ts';
import type { Leg, LegSink } from '../stream/leg.ts';
import type { Splice } from '../stream/splice.ts';
import { closeGracefully } from '../stream/leg.ts';
import type { ConnectionTimer } from './connection-timers.ts';
import { EngineerTelnet } from './engineer-telnet.ts';
import { classify } from './first-bytes.ts';
import { LineEditor } from './line-editor.ts';
import { LINGER_MS, SYNC_MS } from './limits.ts';

export class LineClosed extends Error {}
export class Interrupted extends Error {}

interface Waiter {
  resolve(line: string): void;
  reject(error: Error): void;
}

export class EngineerLine implements LegSink {
  readonly leg: Leg;
  readonly timer: ConnectionTimer;
  readonly #clock: Clock;
  readonly #telnet: EngineerTelnet;
  readonly #editor: LineEditor;
  #waiter: Waiter | null = null;
  #onInterrupt: ((error: Error) => void) | null = null;
  #onSynced: (() => void) | null = null;
  #splice: Splice | null = null;
  #farewell: string | null = null;
  #isClosed = false;
  #isFirstChunk: boolean;

  /** `greetedFirst`: nothing was received yet, so TLS or HTTP may still turn up. */
  constructor(leg: Leg, timer: ConnectionTimer, clock: Clock, greetedFirst: boolean) {
    this.leg = leg;
    this.timer = timer;
    this.#clock = clock;
    this.#isFirstChunk = greetedFirst;
    this.#editor = new LineEditor({
      echo: (bytes) => this.#write(bytes),
      line: (text) => this.#line(text),
      interrupt: () => this.#interrupt(),
      endOfInput: () => this.hangUp(),
    });
    this.#telnet = new EngineerTelnet({
      toClient: (bytes) => this.#toClient(bytes),
      toDaemon: (bytes) => this.#splice?.send('far', bytes),
      typed: (bytes) => this.#typed(bytes),
      interrupt: () => this.#interrupt(),
      synced: () => this.#synced(),
      settled: () => this.#settled(),
      overflow: () => this.hangUp(),
    });
    leg.sink = this;
  }

  get over(): string {
    return this.leg.transport === 'tls'
      ? 'telnet over TLS'
      : 'plain telnet (readable on the way to the relay)';
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Claims the options that let the relay echo. Comes before the first prompt. */
  greet(): void {
    this.#telnet.greet();
  }

  /** Prints `text`; line feeds become CR LF as NVT text demands (RFC 854). */
  print(text: string): void {
    this.#write(Buffer.from(text.replace(/\n/g, '\r\n'), 'utf8'));
  }

  /** Prompts and reads one line, unless the line was stopped. Rejects with LineClosed or Interrupted. */
  ask(prompt: string, options: { hidden?: boolean } = {}): Promise<string> {
    this.#bidFarewell();
    this.#throwIfClosed();
    this.print(prompt);
    return new Promise<string>((resolve, reject) => {
      this.#waiter = { resolve, reject };
      this.#editor.echoing = this.#telnet.echoing;
      this.#editor.prompt(options);
    });
  }

  /** Waits for something other than a line. Rejects with LineClosed or Interrupted when that comes first. */
  async waitFor<T>(promise: Promise<T>): Promise<T> {
    this.#throwIfClosed();
    const stopped = new Promise<never>((_resolve, reject) => {
      this.#onInterrupt = reject;
    });
    try {
      return await Promise.race([promise, stopped]);
    } finally {
      this.#onInterrupt = null;
    }
  }

  /** Nobody has typed a line in time. */
  timeOut(): void {
    this.print('\nNothing was typed in time. Goodbye.\n');
    this.hangUp();
  }

  /** Ends the connection in good order, after what was printed. */
  hangUp(): void {
    if (this.#isClosed) return;
    this.#markClosed();
    closeGracefully(this.leg, this.#clock, LINGER_MS);
  }

  /** Puts a mark into the stream; `done` is called when the client has answered everything before it. */
  startSync(done: () => void): void {
    this.#onSynced = done;
    this.#editor.discard();
    this.#telnet.startSync();
  }

  /** The client does not answer marks: goes on as with one that never negotiates. */
  syncExpired(): void {
    this.#onSynced = null;
    this.#telnet.syncExpired();
  }

  /** From now on the leg belongs to `splice`, through the telnet hand-over until that has settled. */
  join(splice: Splice): void {
    this.#splice = splice;
    splice.filter = {
      fromNear: (chunk) => this.#telnet.fromClient(chunk),
      fromFar: (chunk) => this.#telnet.fromDaemon(chunk),
    };
    this.#telnet.beginVisit();
  }

  /** Takes the leg back after a visit. What it receives is dropped until `resync`. */
  takeBack(): void {
    this.#splice = null;
    this.leg.sink = this;
    this.#editor.discard();
    if (this.leg.isClosed) this.closed();
    this.#throwIfClosed();
    this.leg.resume();
  }

  /** Resolves when the client's telnet state, whatever a visit left of it, is the dialogue's again. */
  async resync(): Promise<void> {
    // A client that half-closed during the visit has heard how it ended, and nothing more will come of it.
    if (this.leg.hasEnded) this.hangUp();
    this.#throwIfClosed();
    if (this.#telnet.phase === 'dialogue') return;
    const synced = new Promise<void>((resolve) => {
      this.#onSynced = resolve;
    });
    this.timer.armIn(SYNC_MS, () => {
      this.#telnet.syncExpired();
      this.#synced();
    });
    this.#telnet.endVisit();
    await this.waitFor(synced);
    this.timer.cancel();
  }

  /** Says `text` and hangs up: at once at a prompt, else where the next would be, after what is still to be said. */
  stop(text: string): void {
    this.#farewell = text;
    if (this.#waiter === null) return;
    this.print('\n');
    this.#bidFarewell();
  }

  data(chunk: Buffer): void {
    if (this.#isFirstChunk) {
      this.#isFirstChunk = false;
      const speech = classify(chunk);
      if (speech === 'tls' || speech === 'http') return this.hangUp();
    }
    this.#telnet.fromClient(chunk);
  }

  drained(): void {
    this.leg.resume();
  }

  ended(): void {
    this.hangUp();
  }

  closed(): void {
    this.#markClosed();
  }

  #bidFarewell(): void {
    if (this.#farewell === null || this.#isClosed) return;
    this.print(this.#farewell);
    this.hangUp();
  }

  #toClient(bytes: Uint8Array): void {
    if (this.#splice) this.#splice.send('near', bytes);
    else this.#write(bytes);
  }

  /** Who does not read the dialogue is not read either, or its answers would pile up; a splice sees to that itself. */
  #write(bytes: Uint8Array): void {
    if (!this.leg.write(bytes) && this.#splice === null) this.leg.pause();
  }

  #typed(bytes: Uint8Array): void {
    this.#editor.echoing = this.#telnet.echoing;
    this.#editor.push(bytes);
  }

  #line(text: string): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.resolve(text);
  }

  #interrupt(): void {
    this.#reject(new Interrupted('interrupted'));
  }

  #reject(error: Error): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.reject(error);
    this.#onInterrupt?.(error);
  }

  #synced(): void {
    const done = this.#onSynced;
    this.#onSynced = null;
    done?.();
  }

  #settled(): void {
    if (this.#splice) this.#splice.filter = null;
  }

  #markClosed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.timer.close();
    this.#reject(new LineClosed('the line is closed'));
  }

  #throwIfClosed(): void {
    if (this.#isClosed) throw new LineClosed('the line is closed');
  }
}
