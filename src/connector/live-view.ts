/**
 * Which visit the customer sees: one is shown, the others are kept. Output of a visit that is not shown goes to its ring
 * and holds nobody up; when a visit comes to the screen, what the one before left switched on is undone and the newest of
 * its own output is shown again. While a question is open the screen stands still.
 */
import type { Clock } from '../base/clock.ts';
import { RecentOutput } from './recent-output.ts';
import type { Screen } from './screen.ts';
import type { StatusFacts } from './status-line.ts';

export interface VisitOnScreen {
  readonly id: string;
  /** From the relay, as it came. */
  readonly who: string;
  readonly from: string;
}

interface Entry extends StatusFacts {
  readonly id: string;
  readonly recent: RecentOutput;
  fromEngineerBytes: number;
  fromDaemonBytes: number;
  lastMovedMs: number;
}

export class LiveView {
  readonly #screen: Screen;
  readonly #clock: Clock;
  readonly #heading: (facts: StatusFacts) => string;
  /** In the order in which they began. */
  readonly #entries = new Map<string, Entry>();
  #shown: Entry | null = null;
  /**
   * While the screen stands still: how far the shown visit had come, or -1 when it is to be shown anew; null when it
   * moves.
   */
  #heldAt: number | null = null;

  /** `heading` names a visit in the line before its output. */
  constructor(screen: Screen, clock: Clock, heading: (facts: StatusFacts) => string) {
    this.#screen = screen;
    this.#clock = clock;
    this.#heading = heading;
  }

  get shown(): (StatusFacts & { readonly id: string }) | null {
    return this.#shown;
  }

  get all(): readonly StatusFacts[] {
    return [...this.#entries.values()];
  }

  /** The first one is shown at once. */
  began({ id, who, from }: VisitOnScreen): void {
    const entry: Entry = {
      ...{ id, who, from, sinceWallMs: this.#clock.wallNow(), lastMovedMs: this.#clock.now() },
      ...{ fromEngineerBytes: 0, fromDaemonBytes: 0, recent: new RecentOutput() },
    };
    this.#entries.set(id, entry);
    this.#shown ??= entry;
  }

  /** False when no more is wanted for now; never for a visit that is not shown. */
  show(id: string, bytes: Uint8Array): boolean {
    const entry = this.#entries.get(id);
    entry?.recent.push(bytes);
    return entry === undefined || entry !== this.#shown || this.#heldAt !== null || this.#screen.show(bytes);
  }

  moved(id: string, fromEngineerBytes: number, fromDaemonBytes: number): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.fromEngineerBytes += fromEngineerBytes;
    entry.fromDaemonBytes += fromDaemonBytes;
    entry.lastMovedMs = this.#clock.now();
  }

  /** What is still to be seen of it is shown; then another one, if there is one. */
  ended(id: string): void {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    if (!entry || entry !== this.#shown) return;
    if (this.#heldAt === null) this.#screen.restore();
    this.#shown = this.#entries.values().next().value ?? null;
    if (this.#shown && this.#heldAt === null) this.#present(this.#shown);
    // What was held is the other one's; this one begins with its recent output.
    else if (this.#heldAt !== null) this.#heldAt = -1;
  }

  /** Shows the visit that began after the shown one. False when there is no other. */
  next(): boolean {
    const ids = [...this.#entries.keys()];
    if (this.#shown === null || ids.length < 2 || this.#heldAt !== null) return false;
    const place = (ids.indexOf(this.#shown.id) + 1) % ids.length;
    this.#shown = this.#entries.get(ids[place])!;
    this.#screen.dropOutput();
    this.#screen.restore();
    this.#present(this.#shown);
    this.#screen.onRoom();
    return true;
  }

  /** The screen stands still: there is a question to be read. */
  hold(): void {
    if (this.#heldAt !== null) return;
    const recent = this.#shown?.recent;
    if (recent?.isAlternate) this.#screen.restore();
    this.#heldAt = recent && !recent.isAlternate ? recent.endsAt : -1;
    this.#screen.onRoom();
  }

  /** It moves again. */
  letGo(): void {
    const heldAt = this.#heldAt;
    this.#heldAt = null;
    if (heldAt === null || this.#shown === null) return;
    const { recent } = this.#shown;
    if (heldAt < 0 || recent.isAlternate) this.#present(this.#shown);
    else this.#replay(recent.since(heldAt));
  }

  #present(entry: Entry): void {
    this.#screen.say(this.#heading(entry));
    this.#replay(entry.recent.replay());
  }

  #replay({ bytes, isCut }: { bytes: Uint8Array; isCut: boolean }): void {
    if (isCut) this.#screen.noteCut();
    if (bytes.length > 0) this.#screen.show(bytes);
  }
}
