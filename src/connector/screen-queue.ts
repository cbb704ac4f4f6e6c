/**
 * What waits for the customer's terminal, in order. It is handed over in small pieces, one at a time, so that it is
 * seen how fast they are taken: a slow terminal holds its source up, one that takes nothing for a while is *stalled*
 * and must not hold up anybody.
 *
 * Two kinds wait: output of the daemon, which can be left out, and words of the connector, which are made when their
 * turn comes. So whoever makes them, and filters the output, knows exactly what the terminal has been given.
 */
import type { Writable } from 'node:stream';
import type { Cancel, Clock } from '../base/clock.ts';

export interface ScreenQueueHost {
  /** What the terminal is given for these bytes of output. */
  filter(output: Uint8Array): Uint8Array;
  /** There is room again, after `isFull`. */
  room(): void;
  /** The terminal takes nothing. Called once, until it takes something again. */
  stalled(): void;
}

interface Output {
  readonly kind: 'output';
  bytes: Uint8Array;
}
interface Word {
  readonly kind: 'word';
  readonly make: () => Uint8Array | string;
  /** The terminal has taken it. */
  readonly taken: () => void;
}

/** Taken within STALL_MS even by a serial console of 9600 baud. */
const PIECE_BYTES = 1_024;
const STALL_MS = 2_000;
const FULL_BYTES = 64 * 1_024;
const ROOM_BYTES = 16 * 1_024;
const WORDS_MAX = 1_000;
const nothing = (): void => {};

export class ScreenQueue {
  readonly #output: Writable;
  readonly #clock: Clock;
  readonly #host: ScreenQueueHost;
  readonly #waiting: Array<Output | Word> = [];
  #outputBytes = 0;
  #isWriting = false;
  #isStalled = false;
  #wasFull = false;
  #note: Word | null = null;
  #onEmpty: () => void = nothing;
  /** Of what is being written. */
  #taken: () => void = nothing;
  /** When the terminal last took something, or began to be waited for. */
  #takenMs = 0;
  /** While there is something to be taken, and the terminal is not known to be stalled. */
  #cancelWatch: Cancel | null = null;

  constructor(output: Writable, clock: Clock, host: ScreenQueueHost) {
    this.#output = output;
    this.#clock = clock;
    this.#host = host;
  }

  get isFull(): boolean {
    return this.#outputBytes > FULL_BYTES;
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && !this.#isWriting;
  }

  show(bytes: Uint8Array): void {
    this.#waiting.push({ kind: 'output', bytes });
    this.#outputBytes += bytes.length;
    this.#wasFull ||= this.isFull;
    this.#handOver();
  }

  /** Beyond a thousand words that wait the oldest is left out. */
  say(make: () => Uint8Array | string, taken: () => void = nothing): void {
    this.#waiting.push({ kind: 'word', make, taken });
    if (this.#waiting.length > WORDS_MAX) this.#dropWords();
    this.#handOver();
  }

  /** Forgets all output that waits. */
  drop(): void {
    const words = this.#waiting.filter(({ kind }) => kind === 'word');
    this.#waiting.splice(0, this.#waiting.length, ...words);
    this.#outputBytes = 0;
    this.#wasFull = false;
  }

  /** Leaves out the oldest output until `keptBytes` are left, and says so once. False when there is no more. */
  cut(keptBytes: number, note: () => Uint8Array | string): boolean {
    if (this.#outputBytes <= keptBytes) return false;
    let at = 0;
    while (this.#outputBytes > keptBytes) {
      const entry = this.#waiting[at];
      if (entry.kind === 'word') at += 1;
      else if (this.#shorten(entry, this.#outputBytes - keptBytes)) this.#waiting.splice(at, 1);
    }
    if (this.#note === null || !this.#waiting.includes(this.#note)) {
      this.#note = { kind: 'word', make: note, taken: nothing };
      this.#waiting.splice(at, 0, this.#note);
    }
    this.#handOver();
    return true;
  }

  /** Resolves with true when all has been taken, with false when the terminal is stalled or `withinMs` is over. */
  async emptied(withinMs: number): Promise<boolean> {
    if (this.isEmpty || this.#isStalled) return this.isEmpty;
    let cancel: Cancel = () => {};
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      cancel = this.#clock.after(withinMs, resolve);
    });
    cancel();
    return this.isEmpty;
  }

  #handOver(): void {
    while (!this.#isWriting) {
      const next = this.#waiting[0];
      if (next === undefined) return this.#onEmpty();
      if (next.kind === 'word') {
        this.#waiting.shift();
        this.#write(next.make(), next.taken);
      } else this.#write(this.#host.filter(this.#nextPiece(next)), nothing);
    }
  }

  #nextPiece(next: Output): Uint8Array {
    const piece = next.bytes.subarray(0, PIECE_BYTES);
    if (this.#shorten(next, piece.length)) this.#waiting.shift();
    return piece;
  }

  /** Takes bytes off the beginning, as many as there are; true when nothing is left. */
  #shorten(entry: Output, byBytes: number): boolean {
    const rest = entry.bytes.subarray(byBytes);
    this.#outputBytes -= entry.bytes.length - rest.length;
    entry.bytes = rest;
    return rest.length === 0;
  }

  #write(bytes: Uint8Array | string, taken: () => void): void {
    if (bytes.length === 0) return taken();
    this.#isWriting = true;
    this.#taken = taken;
    if (this.#cancelWatch === null) this.#watchFrom(this.#clock.now());
    this.#output.write(bytes, this.#onTaken);
  }

  /** One for all pieces: they are small, and many. */
  readonly #onTaken = (): void => {
    this.#isWriting = false;
    this.#isStalled = false;
    this.#takenMs = this.#clock.now();
    this.#taken();
    if (this.#wasFull && this.#outputBytes < ROOM_BYTES) {
      this.#wasFull = false;
      this.#host.room();
    }
    this.#handOver();
    if (!this.isEmpty) return;
    this.#cancelWatch?.();
    this.#cancelWatch = null;
  };

  /** Looks once the terminal has had its time, counted from when it last took something. */
  #watchFrom(takenMs: number): void {
    this.#takenMs = takenMs;
    this.#cancelWatch = this.#clock.after(takenMs + STALL_MS - this.#clock.now(), () => {
      this.#cancelWatch = null;
      if (this.#clock.now() - this.#takenMs < STALL_MS) return this.#watchFrom(this.#takenMs);
      this.#isStalled = true;
      this.#onEmpty();
      this.#host.stalled();
    });
  }

  #dropWords(): void {
    const words = this.#waiting.filter(({ kind }) => kind === 'word');
    if (words.length > WORDS_MAX) this.#waiting.splice(this.#waiting.indexOf(words[0]), 1);
  }
}
