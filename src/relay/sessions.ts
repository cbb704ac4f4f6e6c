/**
 * Runs the sessions: feeds events to the pure state table and performs the actions it answers with.
 *
 * Everything that happens to a session comes through `report`; nothing else changes a state. Deadlines come back
 * as events like any other. What connectors do is told by the connector desk (connector-desk.ts), what engineers do by
 * the dialogue (dialogue.ts); what may be asked from outside is in administration.ts.
 */
import { randomBytes, randomInt } from 'node:crypto';
import type { Cancel, Clock } from '../base/clock.ts';
import { OperatorError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { closeGracefully, discardingSink, type Leg } from '../stream/leg.ts';
import { Splice, type Side, type SpliceOwner } from '../stream/splice.ts';
import { dataTag, verifyDataTag } from '../wire/data-auth.ts';
import { encodeFrame, VISIT_ID_BYTES, WARNING, type FrameFields } from '../wire/frames.ts';
import { outcomeRow, type Outcome } from '../wire/outcomes.ts';
import { isOnlyNop } from '../wire/telnet.ts';
import type { Audit } from './audit.ts';
import type { DataHost } from './connector-door.ts';
import type { ConnectorLink, Terms } from './connector-link.ts';
import { DeadPeers } from './dead-peers.ts';
import { Deadlines, type DeadlineLimits } from './deadlines.ts';
import { Invitations, type Invitation } from './invitations.ts';
import { hashOf } from './engineer-way.ts';
import { DAEMON_END_MS, LINGER_MS } from './limits.ts';
import type { EngineerSeat, Session } from './session.ts';
import { transition, type SessionAction, type SessionEvent, type SessionState } from './session-states.ts';
import { SessionTable } from './session-table.ts';
import type { StandingConnector } from './standing-connectors.ts';

export interface SessionLimits extends DeadlineLimits {
  readonly sessionsMax: number;
}

/** A session as lists show it. */
export interface SessionView {
  readonly session: string;
  readonly state: SessionState;
  /** Id of the standing connector that serves it. */
  readonly connector: string | null;
  readonly label: string;
  readonly owner: string | null;
  readonly createdAt: string;
  readonly customer: string | null;
  readonly target: string | null;
  readonly engineer: string | null;
  readonly bytesFromEngineer: number;
  readonly bytesFromDaemon: number;
  readonly queuedToEngineer: number;
  readonly queuedToDaemon: number;
}

type Row = number;
type Perform = (session: Session, row: Row, outcome: Outcome | null) => void;

export class Sessions implements DataHost {
  readonly invitations = new Invitations();
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #audit: Audit;
  readonly #limits: SessionLimits;
  readonly #table: SessionTable<Session>;
  readonly #deadlines: Deadlines;
  readonly #deadPeers: DeadPeers;
  readonly #byId = new Map<string, Session>();
  readonly #byVisit = new Map<string, Session>();
  readonly #byConnector = new Map<ConnectorLink, Set<Session>>();
  readonly #isTaken: (id: string) => boolean;

  /** `isTaken` tells ids that no session may have, because something else bears them. */
  constructor(
    clock: Clock,
    log: Log,
    audit: Audit,
    limits: SessionLimits,
    isTaken: (id: string) => boolean = () => false,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#audit = audit;
    this.#isTaken = isTaken;
    this.#limits = limits;
    this.#table = new SessionTable(limits.sessionsMax);
    this.#deadPeers = new DeadPeers(clock, limits.sessionsMax);
    this.#deadlines = new Deadlines(clock, this.#table, limits, {
      stageExpired: (row) => this.report(this.#table.attachmentAt(row), 'stageExpired'),
      idleExpired: (row) => this.report(this.#table.attachmentAt(row), 'idleExpired'),
      lifetimeExpired: (row) => this.report(this.#table.attachmentAt(row), 'lifetimeExpired'),
      idleWarning: (row, remainingMs) => this.#warn(row, 'idle', remainingMs),
      lifetimeWarning: (row, remainingMs) => this.#warn(row, 'lifetime', remainingMs),
    });
  }

  get size(): number {
    return this.#table.size;
  }

  /** What a connector is told of the time that a visit may take. */
  get terms(): Terms {
    return { idleMs: this.#limits.idleMs, lifetimeMs: this.#limits.lifetimeMs };
  }

  /**
   * Opens a session that waits for its customer. Without an engineer's password nobody but its first engineer gets into
   * it. Throws OperatorError when the table is full.
   */
  open(request: {
    label: string;
    owner: string | null;
    engineerPassword: string | null;
    ttlMs: number;
  }): Session {
    const { engineerPassword } = request;
    const session: Session = {
      id: this.#freeId(),
      label: request.label,
      owner: request.owner,
      engineerPasswordHash: engineerPassword === null ? null : hashOf(engineerPassword),
      createdWallMs: this.#clock.wallNow(),
      handle: 0 as Session['handle'],
      invitation: null,
      connector: null,
      standing: null,
      engineer: null,
      visit: null,
      data: null,
      splice: null,
      startedMs: null,
      watchers: new Set(),
    };
    const handle = this.#table.open(session, this.#deadlines.tick);
    if (handle === null)
      throw new OperatorError(`all ${this.#table.capacity} sessions are in use; close some first`);
    session.handle = handle;
    this.#byId.set(session.id, session);
    const row = this.#table.resolve(handle);
    this.#deadlines.setPasswordTtl(row, request.ttlMs);
    this.#deadlines.enterState(row, this.#table.stateAt(row));
    return session;
  }

  /** Makes the session's password live. */
  invite(session: Session, invitation: Invitation): void {
    session.invitation = invitation;
    this.invitations.add(invitation);
  }

  /** `id` as typed, with or without its dash. */
  byId(id: string): Session | null {
    return this.#byId.get(withDash(id)) ?? null;
  }

  stateOf(session: Session): SessionState {
    const row = this.#table.resolve(session.handle);
    return row < 0 ? 'ended' : this.#table.stateAt(row);
  }

  /** Every session that is not over. */
  all(): Iterable<Session> {
    return this.#byId.values();
  }

  /** Sessions in order of rows; of one owner, or all. */
  list(owner: string | null = null): readonly SessionView[] {
    const sessions = [...this.#table.handles()].map((handle) =>
      this.#table.attachmentAt(this.#table.resolve(handle)),
    );
    return sessions
      .filter((session) => owner === null || session.owner === owner)
      .map((session) => this.#view(session));
  }

  /**
   * Tells once when the customer is there (or has been: the session may be over), or the outcome when the session ends
   * before. Returns what ends the watch.
   */
  watchCustomer(session: Session, tell: (event: 'customer' | Outcome) => void): Cancel {
    const state = this.stateOf(session);
    if (state === 'awaitingCustomer' || state === 'awaitingReturn') session.watchers.add(tell);
    else tell('customer');
    return () => void session.watchers.delete(tell);
  }

  /** Seats the engineer and asks the customer. False when somebody sits there or nobody can be asked. */
  engineerArrived(session: Session, engineer: EngineerSeat): boolean {
    if (session.engineer !== null || this.stateOf(session) !== 'awaitingEngineer') return false;
    session.engineer = engineer;
    this.report(session, 'engineerArrived');
    return true;
  }

  /** The engineer went away before the splice. */
  engineerLeft(session: Session, engineer: EngineerSeat): void {
    if (session.engineer !== engineer) return;
    if (session.engineerPasswordHash === null) return this.report(session, 'visitorLeft');
    session.engineer = null;
    this.report(session, 'engineerLeft');
  }

  /** Ends a session by order of an administrator. */
  close(session: Session): void {
    this.report(session, 'closedByAdmin');
  }

  /** Ends every session, telling both people. */
  stop(): void {
    for (const session of [...this.#byId.values()]) this.report(session, 'relayStopping');
    this.#deadlines.stop();
    this.#deadPeers.stop();
  }

  /** The session's customer is here, over `link`. */
  attach(session: Session, link: ConnectorLink, standing: StandingConnector | null): void {
    const served = this.#byConnector.get(link) ?? new Set();
    this.#byConnector.set(link, served.add(session));
    session.connector = link;
    session.standing = standing;
  }

  /** Its connection is gone, but it may come back. */
  detach(session: Session): void {
    const { connector } = session;
    session.connector = null;
    if (connector) this.#release(session, connector);
  }

  /** The sessions that a connector serves. */
  servedBy(link: ConnectorLink): readonly Session[] {
    return [...(this.#byConnector.get(link) ?? [])];
  }

  /** The session of a visit, if it is still the one that the connector was asked for. */
  visitOf(link: ConnectorLink, visit: string): Session | null {
    const session = this.#byVisit.get(visit);
    return session?.connector === link ? session : null;
  }

  /** Tells those who wait for the customer, once. */
  tellWatchers(session: Session, event: 'customer' | Outcome): void {
    const watchers = [...session.watchers];
    session.watchers.clear();
    for (const tell of watchers) tell(event);
  }

  openData({ visit, tag }: FrameFields<'dataHello'>, leg: Leg, exporter: Uint8Array): boolean {
    const session = this.#byVisit.get(visit);
    if (!session || this.stateOf(session) !== 'awaitingData') return false;
    if (!verifyDataTag(tag, session.connector!.dataKey, 'connector', Buffer.from(visit, 'hex'), exporter))
      return false;
    session.data = { leg, exporter };
    this.report(session, 'dataArrived');
    return true;
  }

  closeLeg(leg: Leg): void {
    closeGracefully(leg, this.#clock, LINGER_MS);
  }

  /** The only way in which a session changes. Events of sessions that are over are dropped. */
  report(session: Session, event: SessionEvent): void {
    const row = this.#table.resolve(session.handle);
    if (row < 0) return;
    const before = this.#table.stateAt(row);
    const { next, actions, outcome } = transition(before, event);
    this.#log.debug('session-event', { session: session.id, before, what: event, next });
    if (next !== before) {
      this.#table.setState(row, next);
      this.#deadlines.enterState(row, next);
    }
    for (const action of actions) this.#perform[action](session, row, outcome ?? null);
  }

  readonly #perform: Readonly<Record<SessionAction, Perform>> = {
    requestConsent: (session) => {
      const { who, from, over } = session.engineer!;
      session.visit = randomBytes(VISIT_ID_BYTES).toString('hex');
      this.#byVisit.set(session.visit, session);
      const connector = session.standing?.id ?? null;
      this.#audit.record('consent-asked', { session: session.id, connector, who, from });
      const answerMs = this.#limits.consentMs;
      session.connector!.requestVisit({ visit: session.visit, who, from, over, answerMs });
      session.engineer!.tell(`Asking the customer (${answerMs / 1_000} s to answer)...`);
    },
    withdrawVisit: (session) => {
      session.connector!.cancelVisit(session.visit!);
      this.#forgetVisit(session);
    },
    startSync: (session) => {
      const { who, from } = session.engineer!;
      const connector = session.standing?.id ?? null;
      this.#audit.record('consent-given', { session: session.id, connector, who, from });
      session.engineer!.tell('The customer agreed. Connecting to the telnet daemon...');
      session.engineer!.startSync(() => this.report(session, 'synced'));
    },
    openData: (session) => {
      // Without effect when the mark came; else the client is one that never answers it.
      session.engineer!.syncExpired();
      session.connector!.openData(session.visit!);
    },
    splice: (session, row) => this.#splice(session, row),
    endDaemonSide: (session) => session.splice!.endSide('far'),
    endEngineerSide: (session) => this.#endEngineerSide(session),
    finish: (session, row, outcome) => this.#finish(session, row, outcome!),
  };

  /** Nothing is spliced that the audit file does not know of. */
  #splice(session: Session, row: Row): void {
    const { leg, exporter } = session.data!;
    const engineer = session.engineer!;
    session.startedMs = this.#clock.now();
    const { who, from, over } = engineer;
    const connector = session.standing?.id ?? null;
    if (!this.#audit.record('visit-start', { session: session.id, connector, who, from, over })) {
      return this.report(session, 'auditFailed');
    }
    const visit = Buffer.from(session.visit!, 'hex');
    leg.write(
      encodeFrame('dataAccepted', { tag: dataTag(session.connector!.dataKey, 'relay', visit, exporter) }),
    );
    session.splice = new Splice(engineer.leg, leg, this.#spliceOwner(session, row));
    this.#deadPeers.watch(row, engineer.leg, leg);
    engineer.join(session.splice);
    session.splice.start();
  }

  #spliceOwner(session: Session, row: Row): SpliceOwner {
    return {
      moved: (side, chunk) => this.#moved(row, side, chunk),
      ended: (side) => {
        if (side === 'near') this.report(session, 'engineerEnded');
        else this.#clock.after(DAEMON_END_MS, () => this.report(session, 'daemonEnded'));
      },
      closed: (side, error) => this.#sideClosed(session, side, error),
    };
  }

  #moved(row: Row, side: Side, chunk: Buffer): void {
    const tick = isOnlyNop(chunk) ? this.#table.lastSeenTick[row] : this.#deadlines.tick;
    if (side === 'near') this.#table.countFromEngineer(row, chunk.length, tick);
    else this.#table.countFromDaemon(row, chunk.length, tick);
  }

  /** A leg that closes without its peer's end has failed, whatever the reason. */
  #sideClosed(session: Session, side: Side, error: Error | null): void {
    this.#log.debug('leg-closed', { session: session.id, side, error: error?.message ?? null });
    this.report(session, 'legFailed');
  }

  /** A line that goes on to its prompt has no end to pass on: for it the visit is over. */
  #endEngineerSide(session: Session): void {
    const { engineer } = session;
    if (engineer!.returns) return this.report(session, 'engineerEnded');
    engineer!.tell(`${outcomeRow('daemon').forEngineer} (daemon)`);
    session.splice!.endSide('near');
  }

  #finish(session: Session, row: Row, outcome: Outcome): void {
    const { engineer, connector, data, visit } = session;
    this.#recordEnd(session, row, outcome);
    if (session.invitation) this.invitations.revoke(session.invitation);
    this.#forgetVisit(session);
    this.#byId.delete(session.id);
    if (connector) this.#release(session, connector);
    this.#deadPeers.forget(row);
    this.#table.release(session.handle);
    if (data) this.closeLeg(data.leg);
    connector?.sessionOver(visit, outcome);
    session.engineer = null;
    if (engineer && session.splice) {
      // From here on the row may be another session's: nothing of this line is counted any more.
      engineer.leg.pause();
      engineer.leg.sink = discardingSink;
    }
    engineer?.sessionOver(outcome);
    this.tellWatchers(session, outcome);
  }

  #recordEnd(session: Session, row: Row, outcome: Outcome): void {
    const fields = {
      session: session.id,
      connector: session.standing?.id ?? null,
      outcome,
      who: session.engineer?.who ?? null,
      from: session.engineer?.from ?? null,
      bytesFromEngineer: this.#table.bytesFromEngineer[row],
      bytesFromDaemon: this.#table.bytesFromDaemon[row],
      durationMs: session.startedMs === null ? 0 : Math.round(this.#clock.now() - session.startedMs),
    };
    this.#audit.record('session-end', fields);
    this.#log.info('session-end', fields);
  }

  #warn(row: Row, kind: keyof typeof WARNING, remainingMs: number): void {
    const session = this.#table.attachmentAt(row);
    const seconds = Math.round(remainingMs / 1_000);
    const why = kind === 'idle' ? 'Nothing was typed or shown for a while' : 'The visit has lasted its time';
    session.engineer?.tell(`${why}: it ends in ${seconds} s.`);
    session.connector?.warn(session.visit!, WARNING[kind], remainingMs);
  }

  #forgetVisit(session: Session): void {
    if (session.visit !== null) this.#byVisit.delete(session.visit);
    session.visit = null;
  }

  #release(session: Session, link: ConnectorLink): void {
    const served = this.#byConnector.get(link);
    served?.delete(session);
    if (served?.size === 0) this.#byConnector.delete(link);
  }

  #view(session: Session): SessionView {
    const row = this.#table.resolve(session.handle);
    const { connector, engineer, data } = session;
    return {
      session: session.id,
      state: this.#table.stateAt(row),
      connector: session.standing?.id ?? null,
      label: session.label,
      owner: session.owner,
      createdAt: new Date(session.createdWallMs).toISOString(),
      customer: connector?.leg.remoteAddress ?? null,
      target: connector?.card.target ?? null,
      engineer: engineer === null ? null : `${engineer.who} from ${engineer.from}`,
      bytesFromEngineer: this.#table.bytesFromEngineer[row],
      bytesFromDaemon: this.#table.bytesFromDaemon[row],
      queuedToEngineer: data ? (engineer?.leg.queuedBytes ?? 0) : 0,
      queuedToDaemon: data?.leg.queuedBytes ?? 0,
    };
  }

  #freeId(): string {
    for (;;) {
      const digits = String(randomInt(SESSION_IDS)).padStart(8, '0');
      const id = `${digits.slice(0, 4)}-${digits.slice(4)}`;
      if (!this.#byId.has(id) && !this.#isTaken(id)) return id;
    }
  }
}

/** An id as typed, as it is kept. */
export function withDash(id: string): string {
  return id.replace(/^(\d{4})(\d{4})$/, '$1-$2');
}

/** Eight digits. */
const SESSION_IDS = 100_000_000;
