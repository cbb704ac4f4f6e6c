/**
 * The portable splice engine: two legs joined byte for byte, both directions, no payload copied in JavaScript.
 *
 *     near  --data-->  far          near.write() says "full": far's source, near, pauses
 *     near  <--data--  far          far drains: near resumes
 *
 * Back-pressure bounds what is queued in either direction to one chunk above a socket's high-water mark, so a
 * stopped reader stops the writer. While a `filter` is set (the telnet hand-over) chunks go through it instead of
 * straight across; it passes on what it wants with `send`. The splice decides nothing: ends and failures are
 * reported, and the owner answers with `endSide` or by closing the legs.
 */
import type { Leg, LegSink } from './leg.ts';

export type Side = 'near' | 'far';

export interface SpliceOwner {
  /** A chunk arrived from `side`; called before it is passed on. */
  moved(side: Side, chunk: Buffer): void;
  /** The peer on `side` half-closed. */
  ended(side: Side): void;
  /** The leg on `side` is gone: with an error, or orderly after both ends. */
  closed(side: Side, error: Error | null): void;
}

/** What takes chunks before the splice is raw; see `Splice.filter`. */
export interface SpliceFilter {
  fromNear(chunk: Buffer): void;
  fromFar(chunk: Buffer): void;
}

/**
 * Above this a source is paused even if the socket would queue more. With the largest chunk that a socket reads
 * (64 KiB) on top, less than 256 KiB can ever be queued in a direction.
 */
const QUEUED_BYTES_HIGH = 64 * 1_024;

export class Splice {
  /** Set while bytes must not pass straight; null makes the splice raw. */
  filter: SpliceFilter | null = null;
  readonly #near: Leg;
  readonly #far: Leg;

  /** Takes both legs over: they report to the splice from now on. Neither is resumed: see `start`. */
  constructor(near: Leg, far: Leg, owner: SpliceOwner) {
    this.#near = near;
    this.#far = far;
    near.sink = this.#sink('near', near, far, owner);
    far.sink = this.#sink('far', far, near, owner);
  }

  /** Lets both directions flow. */
  start(): void {
    this.#near.resume();
    this.#far.resume();
  }

  /** Writes towards `side`, pausing the other side's reading when it is full. */
  send(side: Side, bytes: Uint8Array): void {
    if (side === 'near') transfer(this.#far, this.#near, bytes);
    else transfer(this.#near, this.#far, bytes);
  }

  /** Tells the peer on `side` that nothing more will come, after what is queued. */
  endSide(side: Side): void {
    (side === 'near' ? this.#near : this.#far).end();
  }

  #sink(side: Side, from: Leg, to: Leg, owner: SpliceOwner): LegSink {
    return {
      data: (chunk) => {
        owner.moved(side, chunk);
        if (this.filter === null) transfer(from, to, chunk);
        else if (side === 'near') this.filter.fromNear(chunk);
        else this.filter.fromFar(chunk);
      },
      drained: () => to.resume(),
      ended: () => owner.ended(side),
      closed: (error) => owner.closed(side, error),
    };
  }
}

function transfer(from: Leg, to: Leg, bytes: Uint8Array): void {
  if (!to.write(bytes) && to.queuedBytes > QUEUED_BYTES_HIGH) from.pause();
}
