/**
 * Where control connections report, and where it is decided what that means for sessions: who is admitted, who stands,
 * who comes back, and what becomes of the sessions of one that is lost.
 *
 * A connector that does not stay serves the one session it was invited to and ends with it. A standing one serves that
 * session, and every visit that an account opens to it, each in a session of its own; when its connection is lost the
 * visits end, the invitation waits for its return.
 */
import type { Cancel, Clock } from '../base/clock.ts';
import { OperatorError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Leg } from '../stream/leg.ts';
import { VISIT_FAILED, type FrameFields, type RelayCard } from '../wire/frames.ts';
import { signAsRelay } from '../wire/key-auth.ts';
import type { Outcome } from '../wire/outcomes.ts';
import type { Audit } from './audit.ts';
import type { DataHost } from './connector-door.ts';
import type { Admission, ConnectorHost, ConnectorLink, KeyRefusal, StandingTerms } from './connector-link.ts';
import type { Identity } from './identity.ts';
import type { Invitation, Invitations } from './invitations.ts';
import { CONNECTOR_SWEEP_MS } from './limits.ts';
import type { EngineerSeat, Session } from './session.ts';
import type { SessionEvent } from './session-states.ts';
import type { Sessions } from './sessions.ts';
import { isKept, type StandingConnector, type StandingConnectors } from './standing-connectors.ts';

/** Never waited for: a visit to a standing connector has its customer from the start. */
const NO_WAIT_MS = 1_000;

export class ConnectorDesk implements ConnectorHost, DataHost {
  readonly relayCard: RelayCard;
  readonly #identity: Identity;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #audit: Audit;
  readonly #sessions: Sessions;
  readonly #connectors: StandingConnectors;
  readonly #endSweep: Cancel;

  constructor(
    relayCard: RelayCard,
    identity: Identity,
    parts: { clock: Clock; log: Log; audit: Audit; sessions: Sessions; connectors: StandingConnectors },
  ) {
    this.relayCard = relayCard;
    this.#identity = identity;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#audit = parts.audit;
    this.#sessions = parts.sessions;
    this.#connectors = parts.connectors;
    this.#endSweep = parts.clock.every(CONNECTOR_SWEEP_MS, () => this.#sweep());
  }

  get relayKey(): Uint8Array {
    return this.#identity.publicKey;
  }

  get invitations(): Invitations {
    return this.#sessions.invitations;
  }

  signConnection(exporter: Uint8Array, relayCard: Uint8Array): Uint8Array {
    return signAsRelay(this.#identity.privateKey, exporter, relayCard);
  }

  /** Lets standing connectors go, which then dial again. Sessions have been ended before. */
  stop(): void {
    this.#endSweep();
    this.#writeForgotten();
    for (const { link } of this.#connectors.all()) link?.bye('shutdown');
  }

  /**
   * A visit to a standing connector, in a session of its own; the customer is asked. Throws OperatorError when it is
   * away, may not be visited any more, or the relay is full.
   */
  openVisit(connector: StandingConnector, engineer: EngineerSeat): Session {
    const { id, label, owner, link } = connector;
    if (connector.isRevoked)
      throw new OperatorError(`Connector ${id} was revoked: make a new password for its customer.`);
    if (this.#isOverdue(connector))
      throw new OperatorError(`The time of connector ${id} is over: make a new password for its customer.`);
    if (link === null)
      throw new OperatorError(`The customer of ${id} is not connected; it dials in again by itself.`);
    const session = this.#sessions.open({ label, owner, engineerPassword: null, ttlMs: NO_WAIT_MS });
    this.#sessions.attach(session, link, connector);
    this.#sessions.report(session, 'connectorArrived');
    this.#sessions.engineerArrived(session, engineer);
    return session;
  }

  /** Ends a standing connector and its visits, for good. Throws OperatorError when that cannot be written. */
  revoke(connector: StandingConnector): void {
    const { link } = connector;
    this.#audit.record('connector-revoked', { connector: connector.id });
    try {
      this.#connectors.revoke(connector);
    } finally {
      const invited = this.#invitedOf(connector);
      if (link) this.#reportAll(this.#sessions.servedBy(link), 'closedByAdmin');
      else if (invited) this.#sessions.report(invited, 'closedByAdmin');
      connector.link = null;
      link?.bye('closed');
    }
  }

  confirmationWrong(invitation: Invitation, from: string): void {
    const session = this.#sessions.byId(invitation.session);
    this.#audit.record('confirmation-wrong', {
      session: invitation.session,
      from,
      tries: invitation.wrongTries + 1,
    });
    if (this.invitations.countWrong(invitation) && session) {
      this.#audit.record('password-burned', { session: session.id, from });
      this.#sessions.report(session, 'passwordBurned');
    }
  }

  admitConnector(invitation: Invitation, link: ConnectorLink): Admission | null {
    const session = this.#sessions.byId(invitation.session);
    if (!session || this.#sessions.stateOf(session) !== 'awaitingCustomer') return null;
    // Keys are made for one run, and nobody proves here that this one is theirs: it may be another connector's.
    if (link.isStanding && this.#connectors.byKey(link.card.publicKey)) return null;
    const connector = link.isStanding ? this.#enroll(session, link) : null;
    this.#sessions.attach(session, link, connector);
    const standing = connector && this.#termsOf(connector);
    return { session: session.id, terms: this.#sessions.terms, standing };
  }

  keyProved(link: ConnectorLink): void {
    // While another one was asked it may have left, or have been refused for what it said.
    if (!link.isJudged) return;
    const { publicKey } = link.card;
    const connector = this.#connectors.byKey(publicKey);
    const refusal = this.#refusalOf(connector);
    if (refusal !== null) return this.#refuseKey(link, connector, refusal);
    if (connector!.link === null) return this.#letBackIn(link, connector!);
    // It may be the same one, whose old connection is dead: its address changed, its machine slept.
    connector!.link.probe((isAlive) => {
      if (isAlive) this.#refuseKey(link, connector, 'keyInUse');
      else this.keyProved(link);
    });
  }

  connectorArrived(link: ConnectorLink): void {
    const { target, targetAddress, hostName } = link.card;
    const from = link.leg.remoteAddress;
    for (const session of this.#sessions.servedBy(link)) {
      const isBack = this.#sessions.stateOf(session) === 'awaitingReturn';
      if (!isBack) {
        const more = { from, target, targetAddress, hostName, stays: session.standing !== null };
        this.#audit.record('customer-connected', { session: session.id, ...more });
      }
      this.#sessions.report(session, isBack ? 'connectorReturned' : 'connectorArrived');
      this.#sessions.tellWatchers(session, 'customer');
    }
  }

  consentAnswered(link: ConnectorLink, visit: string, granted: boolean): void {
    this.#reportVisit(link, visit, granted ? 'consentGranted' : 'consentRefused');
  }

  visitFailed(link: ConnectorLink, visit: string, reason: number): void {
    const isDaemonAway = reason === VISIT_FAILED.daemonUnreachable;
    this.#reportVisit(link, visit, isDaemonAway ? 'daemonUnreachable' : 'visitFailed');
  }

  visitEnded(link: ConnectorLink, visit: string): void {
    this.#reportVisit(link, visit, 'connectorLeft');
  }

  connectorLeft(link: ConnectorLink, why: Outcome | null): void {
    const connector = this.#standingOf(link);
    for (const session of this.#sessions.servedBy(link)) {
      const waitedLongEnough = why === 'unused' && this.#sessions.stateOf(session) === 'awaitingEngineer';
      this.#sessions.report(session, waitedLongEnough ? 'stageExpired' : 'connectorLeft');
    }
    if (!connector) return;
    this.#audit.record('connector-left', { connector: connector.id });
    this.#connectors.forget(connector);
    link.bye('customer');
  }

  connectorLost(link: ConnectorLink): void {
    const connector = this.#standingOf(link);
    if (!connector) return this.#reportAll(this.#sessions.servedBy(link), 'connectorLost');
    for (const session of this.#sessions.servedBy(link)) {
      this.#sessions.report(session, 'connectorAway');
      if (this.#sessions.stateOf(session) === 'awaitingReturn') this.#sessions.detach(session);
    }
    this.#audit.record('connector-away', { connector: connector.id });
    this.#connectors.away(connector);
    const invited = this.#invitedOf(connector);
    if (invited && !this.#connectors.has(connector.id)) this.#sessions.report(invited, 'connectorLost');
  }

  connectorRefused(from: string, why: string): void {
    this.#log.info('connector-refused', { from, why });
  }

  openData(hello: FrameFields<'dataHello'>, leg: Leg, exporter: Uint8Array): boolean {
    return this.#sessions.openData(hello, leg, exporter);
  }

  closeLeg(leg: Leg): void {
    this.#sessions.closeLeg(leg);
  }

  #enroll({ id, label, owner }: Session, link: ConnectorLink): StandingConnector {
    const { hostName, target } = link.card;
    const publicKey = Buffer.from(link.card.publicKey).toString('base64');
    const { connector, problem } = this.#connectors.enroll({
      ...{ id, label, owner, hostName, target, publicKey, link },
    });
    if (problem !== null) this.#log.error('connector-not-kept', { connector: id, why: problem });
    const goodForMs = this.#connectors.goodForMs(connector);
    this.#audit.record('connector-enrolled', {
      connector: id,
      from: link.leg.remoteAddress,
      hostName,
      goodForMs,
    });
    return connector;
  }

  #letBackIn(link: ConnectorLink, connector: StandingConnector): void {
    const from = link.leg.remoteAddress;
    this.#audit.record('connector-resumed', { connector: connector.id, from });
    this.#connectors.arrived(connector, link);
    const invited = this.#invitedOf(connector);
    if (invited) this.#sessions.attach(invited, link, connector);
    link.letIn(this.#sessions.terms, this.#termsOf(connector));
  }

  /** A key that nobody enrolled is anybody's, and goes to the log only: strangers must not fill the audit file. */
  #refuseKey(link: ConnectorLink, connector: StandingConnector | null, why: KeyRefusal): void {
    const from = link.leg.remoteAddress;
    if (connector) this.#audit.record('connector-key-refused', { connector: connector.id, from, why });
    link.refuseKey(why);
  }

  #refusalOf(connector: StandingConnector | null): KeyRefusal | null {
    if (connector === null) return 'keyUnknown';
    if (connector.isRevoked) return 'keyRevoked';
    return this.#connectors.goodForMs(connector) === 0 ? 'keyExpired' : null;
  }

  #sweep(): void {
    this.#letExpiredGo();
    this.#writeForgotten();
  }

  #writeForgotten(): void {
    const problem = this.#connectors.flush();
    if (problem !== null) this.#log.error('connector-not-forgotten', { why: problem });
  }

  /** A time that is over ends nothing that is under way, and begins nothing new. */
  #letExpiredGo(): void {
    for (const connector of this.#connectors.all()) {
      const { link } = connector;
      if (link === null || !this.#isOverdue(connector)) continue;
      const served = this.#sessions.servedBy(link);
      if (served.some(({ visit }) => visit !== null)) continue;
      this.#reportAll(served, 'connectorLost');
      this.#audit.record('connector-away', { connector: connector.id });
      this.#connectors.away(connector);
      link.bye('expired');
    }
  }

  /** One that was never kept has no time that could be over: it stands as long as its connection does. */
  #isOverdue(connector: StandingConnector): boolean {
    return isKept(connector) && this.#connectors.goodForMs(connector) === 0;
  }

  #termsOf(connector: StandingConnector): StandingTerms {
    return {
      connector: connector.id,
      // Rounded up: 0 would say that it may not come back at all.
      goodForS: Math.ceil(this.#connectors.goodForMs(connector) / 1_000),
      spreadS: this.#connectors.spreadS,
      clockS: Math.floor(this.#clock.wallNow() / 1_000),
    };
  }

  #standingOf(link: ConnectorLink): StandingConnector | null {
    const connector = link.isStanding ? this.#connectors.byKey(link.card.publicKey) : null;
    return connector?.link === link ? connector : null;
  }

  /** The session by whose password it came in, while that is not over: the one that waits for its return. */
  #invitedOf(connector: StandingConnector): Session | null {
    const session = this.#sessions.byId(connector.id);
    return session?.standing === connector ? session : null;
  }

  #reportVisit(link: ConnectorLink, visit: string, event: SessionEvent): void {
    const session = this.#sessions.visitOf(link, visit);
    if (session) this.#sessions.report(session, event);
  }

  #reportAll(sessions: readonly Session[], event: SessionEvent): void {
    for (const session of sessions) this.#sessions.report(session, event);
  }
}
