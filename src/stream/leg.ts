/**
 * A live byte stream as the rest of the program sees it: seven verbs and one consumer at a time.
 *
 * The consumer (`sink`) is replaced when a stage is over (first bytes, dialogue or frames, splice); bytes that a
 * consumer had but did not use are handed to the next one explicitly. A leg reports `closed` exactly once, last.
 * Adapters hold no policy: what an event means is the consumer's business.
 */
import type { Clock } from '../base/clock.ts';

export interface LegSink {
  data(chunk: Buffer): void;
  /** What was written has left for the kernel, after a `write` that returned false. */
  drained(): void;
  /** The peer has sent all it will send (half-close); writing may go on. */
  ended(): void;
  /** Both directions are over. `error` is null after an orderly end. */
  closed(error: Error | null): void;
}

export interface Leg {
  readonly transport: 'tcp' | 'tls';
  /** The peer's address in plain form; stays readable after the close. */
  readonly remoteAddress: string;
  /** The port of this machine that the peer reached. */
  readonly localPort: number;
  /** Bytes written that the kernel has not taken yet. */
  readonly queuedBytes: number;
  readonly isClosed: boolean;
  /** Whether the peer has half-closed: reported once, to the consumer of that time. */
  readonly hasEnded: boolean;
  sink: LegSink;
  /** Returns false when the source of these bytes should pause until `drained`. Ignored after `end` and close. */
  write(bytes: Uint8Array): boolean;
  pause(): void;
  resume(): void;
  /** Sends what is queued, then this side's end. */
  end(): void;
  /** Closes both directions at once; what is queued is lost. With `error` the leg reports that it failed so. */
  destroy(error?: Error): void;
  /**
   * How often the peer was asked in vain for an answer that it owes; 0 if anything was heard from it in the last
   * `silentMs`, or if nobody can know.
   */
  unansweredTries(silentMs: number): number;
}

/** Consumes nothing and wants nothing more: for a leg that is on its way out. */
export const discardingSink: LegSink = {
  data() {},
  drained() {},
  ended() {},
  closed() {},
};

/**
 * Ends a leg so that its last bytes arrive: what still comes in is read and dropped (unread bytes would turn the
 * close into a reset that destroys the last message on its way), and a peer that keeps its side open is cut off
 * after `lingerMs`.
 */
export function closeGracefully(leg: Leg, clock: Clock, lingerMs: number): void {
  if (leg.isClosed) return;
  const cancel = clock.after(lingerMs, () => leg.destroy());
  leg.sink = { ...discardingSink, ended: () => leg.destroy(), closed: cancel };
  leg.resume();
  leg.end();
}
