/**
 * The relay's end of one control connection (docs/PROTOCOL.md, sections 3 to 5 and 8).
 *
 *   hello ->   <- challenge   confirm ->         <- accepted (enrolled)     by password
 *   resume ->  <- relayProof  connectorProof ->  <- resumed                 by the key of a standing connector
 *
 * then frames in any order, see HANDLERS. Owns the password exchange, the proofs and the pings; reports everything
 * else to its `host`, and sends what the host orders. A frame that has no handler in the present stage, or one that
 * cannot be read, closes the connection. One absolute deadline, armed by whoever accepted the connection, covers
 * everything up to `accepted` or `resumed`.
 */
import { CPACE_CI, startCpace, tagsEqual, type CpaceExchange, type CpaceKeys } from '../wire/cpace.ts';
import { deriveDataKey } from '../wire/data-auth.ts';
import type { FrameDecoder } from '../wire/frame-decoder.ts';
import {
  decodeConnectorCard,
  encodeFrame,
  encodeRelayCard,
  FEATURE,
  PROTOCOL_VERSION,
  REFUSED,
  type ConnectorCard,
  type Frame,
  type FrameFields,
  type FrameName,
  type RelayCard,
} from '../wire/frames.ts';
import { outcomeCode, outcomeOfCode, type Outcome } from '../wire/outcomes.ts';
import { isSignedByConnector, resumedDataKey } from '../wire/key-auth.ts';
import { WireError } from '../wire/wire-error.ts';
import { errorText } from '../base/errors.ts';
import type { Leg, LegSink } from '../stream/leg.ts';
import type { ConnectionTimer } from './connection-timers.ts';
import type { Invitation, Invitations } from './invitations.ts';
import { PING_INTERVAL_MS, PONG_DEADLINE_MS, PROBE_DEADLINE_MS } from './limits.ts';

/** What both ends of a TLS connection know of it, and nobody else. */
export interface Channel {
  /** Binds password and proofs to this connection. */
  readonly exporter: Uint8Array;
  /** What K_data of a resumed connection is made of. */
  resumptionSecret(): Uint8Array;
}

/** What the connector is told when it was let in. */
export interface Terms {
  readonly idleMs: number;
  readonly lifetimeMs: number;
}

/** What a standing connector is told besides. */
export interface StandingTerms {
  /** Its id. */
  readonly connector: string;
  /** How long it may come back. */
  readonly goodForS: number;
  /** Over how long all connectors that lost the relay should come back. */
  readonly spreadS: number;
  /** The relay's own calendar. */
  readonly clockS: number;
}

export interface Admission {
  readonly session: string;
  readonly terms: Terms;
  /** Null for a connector that does not stay. */
  readonly standing: StandingTerms | null;
}

/** Why a key does not let in: names of REFUSED. */
export type KeyRefusal = 'keyUnknown' | 'keyRevoked' | 'keyExpired' | 'keyInUse';

/** The rest of the relay, as a control connection sees it. */
export interface ConnectorHost {
  readonly relayCard: RelayCard;
  readonly relayKey: Uint8Array;
  readonly invitations: Invitations;
  /** The relay's signature over a connection. */
  signConnection(exporter: Uint8Array, relayCard: Uint8Array): Uint8Array;
  /** A confirmation for a live password was wrong. */
  confirmationWrong(invitation: Invitation, from: string): void;
  /** The password is proved and consumed: the session it admits to, or null when that is over, or its key known. */
  admitConnector(invitation: Invitation, link: ConnectorLink): Admission | null;
  /** The key of the connector's card is proved: answered with `letIn` or `refuseKey`, now or a little later. */
  keyProved(link: ConnectorLink): void;
  /** The connector was told that it is in; orders may follow. */
  connectorArrived(link: ConnectorLink): void;
  consentAnswered(link: ConnectorLink, visit: string, granted: boolean): void;
  visitFailed(link: ConnectorLink, visit: string, reason: number): void;
  /** The customer ended one visit. */
  visitEnded(link: ConnectorLink, visit: string): void;
  /** The customer's side ended it: `unused` when it waited long enough, anything else by order of the customer. */
  connectorLeft(link: ConnectorLink, why: Outcome | null): void;
  /** The connection is gone. */
  connectorLost(link: ConnectorLink): void;
  /** For the log. */
  connectorRefused(from: string, why: string): void;
  closeLeg(leg: Leg): void;
}

type Stage = 'hello' | 'confirm' | 'proof' | 'judged' | 'open' | 'closed';
type Handlers = {
  readonly [N in FrameName]?: (link: ConnectorLink, frame: Extract<Frame, { name: N }>) => void;
};

const HANDLERS: Readonly<Record<Stage, Handlers>> = {
  hello: { hello: (link, frame) => link.onHello(frame), resume: (link, frame) => link.onResume(frame) },
  confirm: { confirm: (link, frame) => link.onConfirm(frame) },
  proof: { connectorProof: (link, frame) => link.onConnectorProof(frame) },
  judged: {},
  open: {
    pong: (link) => link.onPong(),
    consent: (link, { visit, granted }) => link.host.consentAnswered(link, visit, granted === 1),
    visitFailed: (link, { visit, reason }) => link.host.visitFailed(link, visit, reason),
    visitEnd: (link, { visit }) => link.host.visitEnded(link, visit),
    bye: (link, { outcome }) => link.host.connectorLeft(link, outcomeOfCode(outcome)),
  },
  closed: {},
};

export class ConnectorLink implements LegSink {
  readonly host: ConnectorHost;
  readonly leg: Leg;
  readonly #timer: ConnectionTimer;
  readonly #channel: Channel;
  readonly #decoder: FrameDecoder;
  #stage: Stage = 'hello';
  #invitation: Invitation | null = null;
  #keys: CpaceKeys | null = null;
  #card: ConnectorCard | null = null;
  #dataKey: Uint8Array | null = null;
  #pings = 0;
  /** Told whether the connector answers. */
  #probes: Array<(isAlive: boolean) => void> = [];

  /** `decoder` already holds the frame that told this connection from a data connection. */
  constructor(
    host: ConnectorHost,
    leg: Leg,
    timer: ConnectionTimer,
    channel: Channel,
    decoder: FrameDecoder,
  ) {
    this.host = host;
    this.leg = leg;
    this.#timer = timer;
    this.#channel = channel;
    this.#decoder = decoder;
  }

  /** Takes the leg over, beginning with `hello` or `resume`. */
  start(first: Frame): void {
    this.leg.sink = this;
    this.#guarded(() => this.#handle(first));
    this.#readFrames();
  }

  /** What the connector said of itself; set from `hello` or `connectorProof` on. */
  get card(): ConnectorCard {
    return this.#card!;
  }

  /** Key that opens this connector's data connections; set once password or key is proved. */
  get dataKey(): Uint8Array {
    return this.#dataKey!;
  }

  /** Whether the connector stays after a visit. */
  get isStanding(): boolean {
    return (this.card.features & FEATURE.standing) !== 0;
  }

  get isOpen(): boolean {
    return this.#stage === 'open';
  }

  /** Whether it has proved its key and has no answer yet. */
  get isJudged(): boolean {
    return this.#stage === 'judged';
  }

  data(chunk: Buffer): void {
    this.#decoder.push(chunk);
    this.#readFrames();
  }

  drained(): void {}

  /** Reported before the close, which takes a while: see DAEMON_END_MS. */
  ended(): void {
    this.closed();
    this.leg.destroy();
  }

  closed(): void {
    const wasOpen = this.isOpen;
    this.#close();
    if (wasOpen) this.host.connectorLost(this);
    this.#tellProbes(false);
  }

  /** Whether the connector answers a ping soon; `tell` is called once. One that does not is cut. */
  probe(tell: (isAlive: boolean) => void): void {
    this.#probes.push(tell);
    // One ping for all who ask: each would put the deadline off.
    if (this.#probes.length === 1) this.#sendPing(PROBE_DEADLINE_MS);
  }

  /** The answer to a key that is good: see ConnectorHost.keyProved. Without effect when it left meanwhile. */
  letIn(terms: Terms, standing: StandingTerms): void {
    if (this.#stage !== 'judged') return;
    this.#stage = 'open';
    this.#send('resumed', { ...terms, ...standing });
    this.#opened();
  }

  /** The answer to a key that is not. */
  refuseKey(why: KeyRefusal): void {
    if (this.#stage === 'judged') this.#refuse(REFUSED[why], why);
  }

  requestVisit(fields: FrameFields<'visitRequest'>): void {
    this.#send('visitRequest', fields);
  }

  cancelVisit(visit: string): void {
    this.#send('visitCancel', { visit });
  }

  /** The connector dials the address and port that it reached for this very connection. */
  openData(visit: string): void {
    this.#send('openData', { visit, host: '', port: 0 });
  }

  warn(visit: string, kind: number, remainingMs: number): void {
    this.#send('warning', { visit, kind, remainingMs });
  }

  /** A session that this connector served is over: with it ends the visit, or the connection of one that does not stay. */
  sessionOver(visit: string | null, outcome: Outcome): void {
    if (!this.isStanding) this.bye(outcome);
    else if (visit !== null) this.#send('visitOver', { visit, outcome: outcomeCode(outcome) });
  }

  /** The last frame; the connection is closed in good order and reports nothing more. */
  bye(outcome: Outcome): void {
    this.#send('bye', { outcome: outcomeCode(outcome) });
    this.#close();
    this.host.closeLeg(this.leg);
    this.#tellProbes(false);
  }

  onHello({ share, card }: FrameFields<'hello'>): void {
    this.#card = decodeConnectorCard(card);
    const { invitations, relayCard } = this.host;
    this.#invitation = invitations.find(this.#card.nameplate);
    const relayCardBytes = encodeRelayCard(relayCard);
    const exchange: CpaceExchange = startCpace({
      role: 'responder',
      prs: this.#invitation?.prs ?? invitations.decoyPrs(),
      ci: CPACE_CI,
      sid: this.#channel.exporter,
      ad: relayCardBytes,
    });
    this.#keys = exchange.finish(share, card);
    this.#send('challenge', { share: exchange.share, card: relayCardBytes });
    this.#stage = 'confirm';
  }

  /** The one place where a password is judged: confirmation first, then the atomic take, then our own tag. */
  onConfirm({ tag }: FrameFields<'confirm'>): void {
    const keys = this.#keys!;
    const invitation = this.#invitation;
    if (!tagsEqual(tag, keys.peerTag)) {
      // The answer first: what is written for a live password would tell by its time that there is one.
      this.#refuse(REFUSED.password, 'wrong password');
      if (invitation) this.host.confirmationWrong(invitation, this.leg.remoteAddress);
      return;
    }
    if (!invitation || !this.host.invitations.consume(invitation)) {
      return this.#refuse(REFUSED.password, 'password already used');
    }
    this.#dataKey = deriveDataKey(keys.isk);
    const admission = this.host.admitConnector(invitation, this);
    if (!admission) return this.#refuse(REFUSED.password, 'session is over, or key known');
    const { session, terms, standing } = admission;
    this.#stage = 'open';
    this.#send('accepted', { tag: keys.ownTag, session, ...terms });
    if (standing) this.#send('enrolled', { ...standing, relayKey: this.host.relayKey });
    this.#forgetExchange();
    this.#opened();
  }

  /** The relay proves itself first: a connector tells a stranger nothing. */
  onResume({ version }: FrameFields<'resume'>): void {
    if (version !== PROTOCOL_VERSION)
      throw new WireError('unsupported-version', `protocol version ${version} is not ${PROTOCOL_VERSION}`);
    const card = encodeRelayCard(this.host.relayCard);
    this.#send('relayProof', { card, signature: this.host.signConnection(this.#channel.exporter, card) });
    this.#stage = 'proof';
  }

  onConnectorProof({ card, signature }: FrameFields<'connectorProof'>): void {
    this.#card = decodeConnectorCard(card);
    const relayCard = encodeRelayCard(this.host.relayCard);
    const { exporter } = this.#channel;
    if (!this.isStanding || !isSignedByConnector(signature, this.#card.publicKey, exporter, card, relayCard))
      throw new WireError('bad-signature', 'the key of the card is not proved');
    // Now, while the connection stands for sure: the answer may come when it is about to close.
    this.#dataKey = resumedDataKey(this.#channel.resumptionSecret());
    this.#stage = 'judged';
    this.host.keyProved(this);
  }

  onPong(): void {
    this.#timer.armIn(PING_INTERVAL_MS, () => this.#sendPing(PONG_DEADLINE_MS));
    this.#tellProbes(true);
  }

  #opened(): void {
    this.#timer.armIn(PING_INTERVAL_MS, () => this.#sendPing(PONG_DEADLINE_MS));
    this.host.connectorArrived(this);
  }

  #sendPing(deadlineMs: number): void {
    this.#pings += 1;
    this.#send('ping', { token: this.#pings >>> 0 });
    this.#timer.armIn(deadlineMs, () => this.leg.destroy());
  }

  #tellProbes(isAlive: boolean): void {
    const probes = this.#probes;
    this.#probes = [];
    for (const tell of probes) tell(isAlive);
  }

  #readFrames(): void {
    this.#guarded(() => {
      while (this.#stage !== 'closed') {
        const frame = this.#decoder.next();
        if (!frame) return;
        this.#handle(frame);
      }
    });
  }

  #handle(frame: Frame): void {
    const handler = HANDLERS[this.#stage][frame.name] as
      ((link: ConnectorLink, frame: Frame) => void) | undefined;
    if (!handler) throw new WireError('unexpected-frame', `${frame.name} in stage ${this.#stage}`);
    handler(this, frame);
  }

  /** What a peer does wrong ends its own connection and nothing else. */
  #guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      const isVersion = error.code === 'unsupported-version';
      if (this.isOpen) {
        this.host.connectorRefused(this.leg.remoteAddress, errorText(error));
        this.leg.destroy();
      } else this.#refuse(isVersion ? REFUSED.version : REFUSED.protocol, errorText(error));
    }
  }

  #refuse(reason: number, why: string): void {
    this.host.connectorRefused(this.leg.remoteAddress, why);
    this.#send('refused', { reason });
    this.#close();
    this.host.closeLeg(this.leg);
  }

  #close(): void {
    this.#stage = 'closed';
    this.#forgetExchange();
    this.#dataKey?.fill(0);
    this.#timer.close();
  }

  #forgetExchange(): void {
    this.#keys?.destroy();
    this.#keys = null;
    this.#invitation = null;
  }

  #send<N extends FrameName>(name: N, fields: FrameFields<N>): void {
    if (this.#stage !== 'closed') this.leg.write(encodeFrame(name, fields));
  }
}
