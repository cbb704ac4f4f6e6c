/**
 * The portable splice engine: two legs joined byte for byte, both directions, no payload copied in JavaScript.
 *
 *     near  --data-->  far          near.write() says "full": far's source, near, pauses
 *     near  <--data--  far          far drains: near resumes
 *
 * Back-pressure bounds what is queued in either direction to one chunk above a socket's high-water mark, so a
 * stopped reader stops the writer. While a `filter` is set (the telnet hand-over) chunks go through it instead of
 * straight across; it passes on what it wants with `send`, and what it sends back with `answer`. The splice decides
 * nothing: ends and failures are reported, and the owner answers with `endSide` or by closing the legs.
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

/** Why a side is not read; it is read while there is no reason. */
const NOT_STARTED = 1;
const OTHER_SIDE_FULL = 2;
const OWN_SIDE_FULL = 4;
const HELD_BY_OWNER = 8;

export class Splice {
  /** Set while bytes must not pass straight; null makes the splice raw. */
  filter: SpliceFilter | null = null;
  readonly #near: End;
  readonly #far: End;

  /** Takes both legs over: they report to the splice from now on. Neither is resumed: see `start`. */
  constructor(near: Leg, far: Leg, owner: SpliceOwner) {
    this.#near = new End(near);
    this.#far = new End(far);
    near.sink = this.#sink('near', this.#near, this.#far, owner);
    far.sink = this.#sink('far', this.#far, this.#near, owner);
  }

  /** Lets both directions flow. */
  start(): void {
    this.#near.release(NOT_STARTED);
    this.#far.release(NOT_STARTED);
  }

  /** Writes towards `side` what the other side caused, which is not read while there is no room for it. */
  send(side: Side, bytes: Uint8Array): void {
    if (side === 'near') this.#near.write(bytes, this.#far, OTHER_SIDE_FULL);
    else this.#far.write(bytes, this.#near, OTHER_SIDE_FULL);
  }

  /** Writes towards `side` what it caused itself: a peer that is answered and does not read is not read either. */
  answer(side: Side, bytes: Uint8Array): void {
    const end = this.#end(side);
    end.write(bytes, end, OWN_SIDE_FULL);
  }

  /** Stops reading `side` for a reason of the owner's, until `letGo`. */
  hold(side: Side): void {
    this.#end(side).hold(HELD_BY_OWNER);
  }

  letGo(side: Side): void {
    this.#end(side).release(HELD_BY_OWNER);
  }

  /** Tells the peer on `side` that nothing more will come, after what is queued. What else comes for it is dropped. */
  endSide(side: Side): void {
    const [end, other] = side === 'near' ? [this.#near, this.#far] : [this.#far, this.#near];
    end.leg.end();
    // A leg that was ended does not tell when it has drained.
    roomAt(end, other);
  }

  #end(side: Side): End {
    return side === 'near' ? this.#near : this.#far;
  }

  #sink(side: Side, end: End, other: End, owner: SpliceOwner): LegSink {
    return {
      data: (chunk) => {
        owner.moved(side, chunk);
        if (this.filter === null) other.write(chunk, end, OTHER_SIDE_FULL);
        else if (side === 'near') this.filter.fromNear(chunk);
        else this.filter.fromFar(chunk);
      },
      drained: () => roomAt(end, other),
      ended: () => owner.ended(side),
      closed: (error) => owner.closed(side, error),
    };
  }
}

/** One leg and the reasons for which it is not read. */
class End {
  readonly leg: Leg;
  #holds = NOT_STARTED;

  constructor(leg: Leg) {
    this.leg = leg;
  }

  /** Writes bytes that `source` caused, and holds that for `reason` when too many are queued. */
  write(bytes: Uint8Array, source: End, reason: number): void {
    if (bytes.length === 0) return;
    if (!this.leg.write(bytes) && this.leg.queuedBytes > QUEUED_BYTES_HIGH) source.hold(reason);
  }

  hold(reason: number): void {
    this.#holds |= reason;
    this.leg.pause();
  }

  release(reason: number): void {
    if (this.#holds === 0) return;
    this.#holds &= ~reason;
    if (this.#holds === 0) this.leg.resume();
  }
}

function roomAt(end: End, other: End): void {
  other.release(OTHER_SIDE_FULL);
  end.release(OWN_SIDE_FULL);
}
