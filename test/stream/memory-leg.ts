/**
 * A `Leg` without a network: the test plays the peer.
 *
 * What the peer sends is held while the leg is paused, as a socket holds it. What is written piles up in `queued`
 * once the peer stopped reading (`stall`), and `drain` delivers it and tells the sink as a socket does: only after a
 * `write` that returned false, and not once the leg was ended.
 */
import { discardingSink, type Leg, type LegSink } from '../../src/stream/leg.ts';

/** From here on a write returns false, as Node's sockets do. */
const HIGH_WATER_MARK = 16 * 1_024;

export class MemoryLeg implements Leg {
  readonly transport = 'tcp';
  readonly remoteAddress = '192.0.2.1';
  readonly localPort = 23;
  sink: LegSink = discardingSink;
  isClosed = false;
  isPaused = true;
  hasEnded = false;
  /** What the system would say of the peer. */
  tries = 0;
  silentMs = 0;
  /** Whether the peer has heard that nothing more will come. */
  peerHeardEnd = false;
  /** All that reached the peer. */
  readonly delivered: Buffer[] = [];
  readonly #arriving: Buffer[] = [];
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #isStalled = false;
  #owesDrain = false;
  #isEnding = false;
  #peerEnded = false;

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get text(): string {
    return Buffer.concat(this.delivered).toString('latin1');
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isEnding || this.isClosed) return true;
    this.#queue.push(Buffer.from(bytes));
    this.#queuedBytes += bytes.length;
    const isBelow = this.#queuedBytes < HIGH_WATER_MARK;
    this.#owesDrain ||= !isBelow;
    if (!this.#isStalled) this.drain();
    return isBelow;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.#flow();
  }

  end(): void {
    this.#isEnding = true;
    if (!this.#isStalled) this.drain();
  }

  destroy(error?: Error): void {
    this.fail(error ?? null);
  }

  unansweredTries(silentMs: number): number {
    return this.silentMs >= silentMs ? this.tries : 0;
  }

  /** The peer sends bytes. */
  arrive(bytes: string | Uint8Array): void {
    this.#arriving.push(Buffer.from(bytes as Uint8Array));
    this.#flow();
  }

  /** The peer half-closes, after what it sent. */
  arriveEnd(): void {
    this.#peerEnded = true;
    this.#flow();
  }

  /** The peer reads nothing from now on. */
  stall(): void {
    this.#isStalled = true;
  }

  /** The peer reads all there is and goes on reading. */
  drain(): void {
    this.#isStalled = false;
    this.delivered.push(...this.#queue);
    this.#queue = [];
    this.#queuedBytes = 0;
    if (this.#isEnding) this.peerHeardEnd = true;
    else if (this.#owesDrain) {
      this.#owesDrain = false;
      this.sink.drained();
    }
  }

  fail(error: Error | null): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.sink.closed(error);
  }

  #flow(): void {
    while (!this.isPaused && this.#arriving.length > 0) this.sink.data(this.#arriving.shift()!);
    if (this.#arriving.length > 0 || !this.#peerEnded || this.hasEnded) return;
    this.hasEnded = true;
    this.sink.ended();
  }
}
