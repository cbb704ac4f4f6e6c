/**
 * Peers that vanished in the middle of a visit: a cut cable, a suspended laptop, an address that changed.
 *
 * An idle leg's peer is looked after by keep-alive, which rests while bytes wait for a peer; then this does the same:
 * a peer is dead when nothing was heard from it for a long time and it has left question after question unanswered,
 * the later ones under our eyes. A peer that merely does not read answers, and is never cut, however long.
 *
 *     cut 0 ----- check ---------------------- 30 s ---- 33 s
 *          first   owing since here             silent    the check that finds it dead
 *          question unanswered                  enough
 *
 * Where the system cannot be asked (`unansweredTries` is always 0) nothing is cut here. What Node knows, bytes queued
 * and none of them taken, is the same for a dead peer and for somebody who pressed ^S and went to lunch: a time that
 * spares the second is the idle timeout, and that ends the visit anyway, if the system has not given up before.
 *
 * A dead leg is destroyed and so reported like every leg that fails. One ticker for all legs; each tick looks at a few
 * rows, so that many legs are no pause for anybody.
 */
import type { Cancel, Clock } from '../base/clock.ts';
import type { Leg } from '../stream/leg.ts';
import {
  DEAD_PEER_CHECK_MS,
  DEAD_PEER_OWING_MS,
  DEAD_PEER_SILENCE_MS,
  DEAD_PEER_TRIES_MIN,
  TICK_MS,
} from './limits.ts';

const LEGS_PER_ROW = 2;
const SLICES = DEAD_PEER_CHECK_MS / TICK_MS;
const OWES_NOTHING = -1;

export class DeadPeers {
  readonly #clock: Clock;
  readonly #rows: number;
  readonly #legs: (Leg | null)[];
  /** When a check first found that the peer owes an answer, on the monotonic clock. */
  readonly #owingSinceMs: Float64Array;
  readonly #cancelTicking: Cancel;
  #slice = 0;

  /** For sessions in rows 0..rows-1. Starts ticking at once; `stop` ends it. */
  constructor(clock: Clock, rows: number) {
    this.#clock = clock;
    this.#rows = rows;
    this.#legs = new Array<Leg | null>(rows * LEGS_PER_ROW).fill(null);
    this.#owingSinceMs = new Float64Array(rows * LEGS_PER_ROW).fill(OWES_NOTHING);
    this.#cancelTicking = clock.every(TICK_MS, () => this.#checkSlice());
  }

  /** Looks after both legs of the session in this row until `forget`. */
  watch(row: number, near: Leg, far: Leg): void {
    this.#set(row * LEGS_PER_ROW, near);
    this.#set(row * LEGS_PER_ROW + 1, far);
  }

  /** A row that is not watched is left as it is. */
  forget(row: number): void {
    this.#set(row * LEGS_PER_ROW, null);
    this.#set(row * LEGS_PER_ROW + 1, null);
  }

  stop(): void {
    this.#cancelTicking();
  }

  #set(place: number, leg: Leg | null): void {
    this.#legs[place] = leg;
    this.#owingSinceMs[place] = OWES_NOTHING;
  }

  #checkSlice(): void {
    const nowMs = this.#clock.now();
    this.#slice = (this.#slice + 1) % SLICES;
    for (let row = this.#slice; row < this.#rows; row += SLICES) {
      this.#check(row * LEGS_PER_ROW, nowMs);
      this.#check(row * LEGS_PER_ROW + 1, nowMs);
    }
  }

  #check(place: number, nowMs: number): void {
    const leg = this.#legs[place];
    if (leg === null || leg.isClosed) return;
    const isOwing = this.#owingSinceMs[place] !== OWES_NOTHING;
    const owingMs = isOwing ? nowMs - this.#owingSinceMs[place] : 0;
    if (leg.unansweredTries(owingMs) === 0) this.#owingSinceMs[place] = OWES_NOTHING;
    else if (!isOwing) this.#owingSinceMs[place] = nowMs;
    else if (owingMs >= DEAD_PEER_OWING_MS && isDead(leg)) leg.destroy(new Error(DEAD));
  }
}

const DEAD = `the peer does not answer: nothing was heard from it for ${DEAD_PEER_SILENCE_MS / 1_000} s`;

function isDead(leg: Leg): boolean {
  return leg.unansweredTries(DEAD_PEER_SILENCE_MS) >= DEAD_PEER_TRIES_MIN;
}
