/**
 * The relay's end of one control connection (docs/PROTOCOL.md, sections 3 to 5).
 *
 *   hello ->  <- challenge  confirm ->  <- accepted        then frames in any order, see HANDLERS
 *
 * Owns the password exchange and the pings; reports everything else to its `host`, and sends what the host orders.
 * A frame that has no handler in the present stage, or one that cannot be read, closes the connection. One absolute
 * deadline, armed by whoever accepted the connection, covers everything up to `accepted`.
 */
import { CPACE_CI, startCpace, tagsEqual, type CpaceExchange, type CpaceKeys } from '../wire/cpace.ts';
import { deriveDataKey } from '../wire/data-auth.ts';
import type { FrameDecoder } from '../wire/frame-decoder.ts';
import {
  decodeConnectorCard,
  encodeFrame,
  encodeRelayCard,
  REFUSED,
  type ConnectorCard,
  type Frame,
  type FrameFields,
  type FrameName,
  type RelayCard,
} from '../wire/frames.ts';
import { outcomeCode, outcomeOfCode, type Outcome } from '../wire/outcomes.ts';
import { WireError } from '../wire/wire-error.ts';
import { errorText } from '../base/errors.ts';
import type { Leg, LegSink } from '../stream/leg.ts';
import type { ConnectionTimer } from './connection-timers.ts';
import type { Invitation, Invitations } from './invitations.ts';
import { PING_INTERVAL_MS, PONG_DEADLINE_MS } from './limits.ts';

/** What the connector is told when it was let in. */
export interface Terms {
  readonly session: string;
  readonly idleMs: number;
  readonly lifetimeMs: number;
}

/** The rest of the relay, as a control connection sees it. */
export interface ConnectorHost {
  readonly relayCard: RelayCard;
  readonly invitations: Invitations;
  /** A confirmation for a live password was wrong. */
  confirmationWrong(invitation: Invitation, from: string): void;
  /** The password is proved and consumed: the session it admits to, or null when that is over. */
  admitConnector(invitation: Invitation, link: ConnectorLink): Terms | null;
  /** `accepted` is on its way; orders may follow. */
  connectorArrived(link: ConnectorLink): void;
  consentAnswered(link: ConnectorLink, visit: string, granted: boolean): void;
  visitFailed(link: ConnectorLink, visit: string, reason: number): void;
  /** The customer's side ended it: `unused` when it waited long enough, anything else by order of the customer. */
  connectorLeft(link: ConnectorLink, why: Outcome | null): void;
  /** The connection is gone. */
  connectorLost(link: ConnectorLink): void;
  /** For the log. */
  connectorRefused(from: string, why: string): void;
  closeLeg(leg: Leg): void;
}

type Stage = 'hello' | 'confirm' | 'open' | 'closed';
type Handlers = {
  readonly [N in FrameName]?: (link: ConnectorLink, frame: Extract<Frame, { name: N }>) => void;
};

const HANDLERS: Readonly<Record<Stage, Handlers>> = {
  hello: { hello: (link, frame) => link.onHello(frame) },
  confirm: { confirm: (link, frame) => link.onConfirm(frame) },
  open: {
    pong: (link) => link.onPong(),
    consent: (link, { visit, granted }) => link.host.consentAnswered(link, visit, granted === 1),
    visitFailed: (link, { visit, reason }) => link.host.visitFailed(link, visit, reason),
    bye: (link, { outcome }) => link.host.connectorLeft(link, outcomeOfCode(outcome)),
  },
  closed: {},
};

export class ConnectorLink implements LegSink {
  readonly host: ConnectorHost;
  readonly leg: Leg;
  readonly #timer: ConnectionTimer;
  readonly #exporter: Uint8Array;
  readonly #decoder: FrameDecoder;
  #stage: Stage = 'hello';
  #invitation: Invitation | null = null;
  #keys: CpaceKeys | null = null;
  #card: ConnectorCard | null = null;
  #dataKey: Uint8Array | null = null;
  #pings = 0;

  /** `decoder` already holds the `hello` that told this connection from a data connection. */
  constructor(
    host: ConnectorHost,
    leg: Leg,
    timer: ConnectionTimer,
    exporter: Uint8Array,
    decoder: FrameDecoder,
  ) {
    this.host = host;
    this.leg = leg;
    this.#timer = timer;
    this.#exporter = exporter;
    this.#decoder = decoder;
  }

  /** Takes the leg over, beginning with `hello`. */
  start(hello: Extract<Frame, { name: 'hello' }>): void {
    this.leg.sink = this;
    this.#guarded(() => this.#handle(hello));
    this.#readFrames();
  }

  /** What the connector said of itself; set from `hello` on. */
  get card(): ConnectorCard {
    return this.#card!;
  }

  /** Key that opens this connector's data connections; set once the password is proved. */
  get dataKey(): Uint8Array {
    return this.#dataKey!;
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
    const wasOpen = this.#stage === 'open';
    this.#close();
    if (wasOpen) this.host.connectorLost(this);
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

  /** The last frame; the connection is closed in good order and reports nothing more. */
  bye(outcome: Outcome): void {
    this.#send('bye', { outcome: outcomeCode(outcome) });
    this.#close();
    this.host.closeLeg(this.leg);
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
      sid: this.#exporter,
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
    const terms = this.host.admitConnector(invitation, this);
    if (!terms) return this.#refuse(REFUSED.password, 'session is over');
    this.#stage = 'open';
    this.#send('accepted', { tag: keys.ownTag, ...terms });
    this.#forgetExchange();
    this.#timer.armIn(PING_INTERVAL_MS, () => this.#ping());
    this.host.connectorArrived(this);
  }

  onPong(): void {
    this.#timer.armIn(PING_INTERVAL_MS, () => this.#ping());
  }

  #ping(): void {
    this.#pings += 1;
    this.#send('ping', { token: this.#pings >>> 0 });
    this.#timer.armIn(PONG_DEADLINE_MS, () => this.leg.destroy());
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
      if (this.#stage === 'open') {
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
