/**
 * The visits of a connector: asked for, allowed or not, opened, shown, recorded, ended.
 *
 * A connector that goes with its one visit has one at a time; one that stays has several, each with a number by which
 * log and console tell them apart. They share the control connection: when that is lost they are over. What the
 * relay orders for a visit that is not there changes nothing.
 */
import type { HostPort } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import { visibleText } from '../base/text.ts';
import type { UrgentData } from '../stream/socket-calls.ts';
import { WARNING, type FrameFields, type FrameName } from '../wire/frames.ts';
import { outcomeRow, type Outcome } from '../wire/outcomes.ts';
import { WireError } from '../wire/wire-error.ts';
import type { Consent } from './consent.ts';
import type { Console } from './console.ts';
import type { RelayDialSurroundings } from './dial.ts';
import type { Transcript, VisitTranscript } from './transcript.ts';
import { Visit, type VisitHost } from './visit.ts';

/** What the visits need of the connector. */
export interface VisitsHost extends RelayDialSurroundings {
  readonly target: HostPort;
  readonly urgent: UrgentData;
  /** Whether the connector stays after a visit. */
  readonly stays: boolean;
  /** Whether output is kept off the console. */
  readonly isHidden: boolean;
  /** Of the control connection that there is. */
  readonly dataKey: Uint8Array;
  /** The address and port at which the relay was reached. */
  readonly reached: HostPort;
  send<N extends FrameName>(name: N, fields: FrameFields<N>): void;
  /** A line on the console and in the log. */
  event(text: string): void;
  /** Does what writes to the log; a log that cannot be written ends everything. */
  record(write: () => void): void;
  visitAsked(): void;
  /** A visit that was asked for does not begin: its engineer is gone. */
  visitWithdrawn(): void;
  /** None is left. */
  visitsOver(): void;
  /** What nobody waits for has failed. */
  failed(error: unknown): void;
}

interface Entry {
  readonly visit: Visit;
  readonly who: string;
  readonly from: string;
  /** Null in a connector that has one visit at a time. */
  readonly number: number | null;
  readonly transcript: VisitTranscript;
  /** Whether the customer knows how it ended. */
  isTold: boolean;
}

/** More than engineers who could work side by side on one machine; fewer than would crowd a terminal. */
export const VISITS_MAX = 16;

export class Visits implements VisitHost {
  readonly clock: Clock;
  readonly urgent: UrgentData;
  readonly hostsFile: string;
  readonly stop: AbortSignal;
  readonly target: HostPort;
  readonly #host: VisitsHost;
  readonly #console: Console;
  readonly #transcript: Transcript;
  readonly #consent: Consent;
  readonly #entries = new Map<string, Entry>();
  /** Over, but the relay has not said how yet. */
  readonly #untold = new Map<string, Entry>();
  #count = 0;

  constructor(host: VisitsHost, console: Console, transcript: Transcript, consent: Consent) {
    this.clock = host.clock;
    this.urgent = host.urgent;
    this.hostsFile = host.hostsFile;
    this.stop = host.stop;
    this.target = host.target;
    this.#host = host;
    this.#console = console;
    this.#transcript = transcript;
    this.#consent = consent;
  }

  /** Visits that are not over. */
  get size(): number {
    return this.#entries.size;
  }

  get dataKey(): Uint8Array {
    return this.#host.dataKey;
  }

  requested(request: FrameFields<'visitRequest'>): void {
    if (this.#entries.has(request.visit)) throw new WireError('unexpected-frame', 'a visit asked for twice');
    if (!this.#host.stays && this.size > 0) throw new WireError('unexpected-frame', 'a second visit at once');
    this.#answer(request).catch((error: unknown) => this.#host.failed(error));
  }

  /** The engineer went away before the visit began. */
  cancelled(id: string): void {
    if (!this.#entries.has(id)) return;
    this.#tellEnd(id, 'The engineer is gone again; waiting.');
    this.#end(id, 'now');
    this.#host.visitWithdrawn();
  }

  dataWanted({ visit: id, host, port }: FrameFields<'openData'>): void {
    const { reached } = this.#host;
    const relay = { host: host === '' ? reached.host : host, port: port === 0 ? reached.port : port };
    this.#entries
      .get(id)
      ?.visit.open(relay)
      .catch((error: unknown) => this.#host.failed(error));
  }

  warned({ visit, kind, remainingMs }: FrameFields<'warning'>): void {
    const seconds = Math.round(remainingMs / 1_000);
    const why =
      kind === WARNING.idle ? 'Nothing was typed or shown for a while' : 'The visit has lasted its time';
    this.event(visit, `${why}: it ends in ${seconds} s.`);
  }

  /** The relay says that a visit is over; what is on its way to either side still arrives. */
  over(id: string, outcome: Outcome): void {
    const { word, exitStatus, forCustomer } = outcomeRow(outcome);
    this.#tellEnd(id, `${forCustomer} (${word})`);
    this.#end(id, exitStatus === 0 ? 'gracefully' : 'now');
  }

  /** The customer ends one visit. */
  endByCustomer(id: string): void {
    if (!this.#entries.has(id)) return;
    this.#tellEnd(id, 'You ended the visit.');
    this.#host.send('visitEnd', { visit: id });
    this.#end(id, 'now');
  }

  /** `why` is what became of each, where that is not told otherwise. */
  endAll(how: 'now' | 'gracefully', why?: string): void {
    this.#untold.clear();
    if (why !== undefined) for (const id of this.#entries.keys()) this.#tellEnd(id, why);
    for (const id of [...this.#entries.keys()]) this.#end(id, how);
    this.#untold.clear();
  }

  /** The console wants output again. */
  goOn(): void {
    for (const { visit } of this.#entries.values()) visit.goOn();
  }

  event(id: string, text: string): void {
    const entry = this.#entries.get(id);
    this.#host.event(entry ? named(entry, text) : text);
  }

  detail(text: string): void {
    this.#host.detail(text);
  }

  began(id: string): void {
    const { who, from } = this.#entries.get(id)!;
    const keys = this.#console.hasKeyboard ? ' Ctrl+D ends it, Tab shows another, ? tells all keys.' : '';
    const advice = this.#host.stays ? keys : ' Ctrl+C ends the visit.';
    this.event(id, `The engineer is connected to the telnet daemon.${advice}`);
    this.#console.visitBegan({ id, who, from });
  }

  shown(id: string, bytes: Uint8Array): boolean {
    const entry = this.#entries.get(id);
    if (!entry) return true;
    this.#host.record(() => entry.transcript.shown(bytes));
    return this.#host.isHidden || this.#console.show(id, bytes);
  }

  moved(id: string, fromEngineerBytes: number, fromDaemonBytes: number): void {
    this.#console.moved(id, fromEngineerBytes, fromDaemonBytes);
  }

  failed(visit: string, reason: number): void {
    this.#host.send('visitFailed', { visit, reason });
  }

  visitOver(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    if (this.#host.stays && !entry.isTold) this.#untold.set(id, entry);
    this.#console.visitEnded(id);
    this.#host.record(() => entry.transcript.close());
    if (this.size === 0) this.#host.visitsOver();
  }

  async #answer(request: FrameFields<'visitRequest'>): Promise<void> {
    const { visit: id, who, from, over, answerMs } = request;
    const entry = this.#admit(request);
    this.#host.visitAsked();
    this.event(
      id,
      `Visit asked for by ${visibleText(who)} from ${visibleText(from)} over ${visibleText(over)}.`,
    );
    const isRoom = this.size <= VISITS_MAX;
    if (!isRoom) this.event(id, `${VISITS_MAX} visits are under way, which is the most.`);
    const answer = isRoom ? await this.#consent.decide({ visit: id, who, answerMs }) : 'no';
    if (answer === 'withdrawn' || entry.visit.isOver) return;
    entry.isTold = answer === 'no';
    this.event(id, answer === 'yes' ? 'The visit is allowed.' : 'The visit is refused.');
    if (answer === 'yes') entry.visit.allow();
    this.#host.send('consent', { visit: id, granted: answer === 'yes' ? 1 : 0 });
    if (answer === 'no' && this.#host.stays) entry.visit.end('now');
  }

  #admit({ visit: id, who, from }: FrameFields<'visitRequest'>): Entry {
    this.#count += 1;
    const number = this.#host.stays ? this.#count : null;
    const transcript = this.#transcript.visit(number);
    const entry = { visit: new Visit(id, this), who, from, number, transcript, isTold: false };
    this.#entries.set(id, entry);
    return entry;
  }

  /** Once for each visit. */
  #tellEnd(id: string, text: string): void {
    const entry = this.#entries.get(id) ?? this.#untold.get(id);
    this.#untold.delete(id);
    if (!entry || entry.isTold) return;
    entry.isTold = true;
    this.#host.event(named(entry, text));
  }

  #end(id: string, how: 'now' | 'gracefully'): void {
    this.#consent.withdraw(id);
    this.#entries.get(id)?.visit.end(how);
  }
}

function named({ number, who }: Entry, text: string): string {
  return number === null ? text : `Visit ${number} (${visibleText(who)}): ${text}`;
}
