/**
 * The connector's end of the control connection (docs/PROTOCOL.md, sections 3 to 5).
 *
 *   hello ->  <- challenge  confirm ->  <- accepted        then frames as in HANDLERS
 *
 * Owns the password exchange and notices a relay that fell silent. `enter` resolves once the relay has proved that it
 * knows the password too; then visits are reported to the host. After a failed confirmation nothing is tried again:
 * a second try with the same password would give whoever sits between a second guess. For the same reason whatever
 * comes after `confirm` and is not that proof (a refusal for another reason, a lost connection) ends as a wrong
 * password, and never with the advice to try once more.
 */
import { isIP } from 'node:net';
import type { Cancel, Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { LegSink } from '../stream/leg.ts';
import { CPACE_CI, startCpace, tagsEqual, type CpaceExchange } from '../wire/cpace.ts';
import { deriveDataKey } from '../wire/data-auth.ts';
import { FrameDecoder } from '../wire/frame-decoder.ts';
import {
  decodeRelayCard,
  encodeConnectorCard,
  encodeFrame,
  REFUSED,
  type ConnectorCard,
  type Frame,
  type FrameFields,
  type FrameName,
  type RelayCard,
} from '../wire/frames.ts';
import { outcomeCode, outcomeOfCode, type Outcome } from '../wire/outcomes.ts';
import { WireError } from '../wire/wire-error.ts';
import type { Secured } from './dial.ts';
import { Ended } from './ending.ts';

export interface Accepted {
  readonly session: string;
  readonly idleMs: number;
  readonly lifetimeMs: number;
  readonly relay: RelayCard;
  /** Opens this connector's data connections. */
  readonly dataKey: Uint8Array;
}

/** What the relay orders, once `enter` has resolved. */
export interface ControlHost {
  visitRequested(request: FrameFields<'visitRequest'>): void;
  visitCancelled(visit: string): void;
  dataWanted(order: FrameFields<'openData'>): void;
  warned(warning: FrameFields<'warning'>): void;
  /** The relay ended the session: null for an outcome that this version does not know. */
  sessionOver(outcome: Outcome | null): void;
  /** The connection is gone. */
  relayLost(why: string): void;
}

/** A relay that does not answer an exchange is no relay. */
const EXCHANGE_DEADLINE_MS = 20_000;
/** The relay pings every 15 s; three missed pings mean that it is gone. */
const SILENCE_MAX_MS = 45_000;

const REFUSALS: Readonly<Record<number, () => Ended>> = {
  [REFUSED.password]: () => wrongPassword(),
  [REFUSED.version]: () =>
    new Ended('versionRefused', 'The relay speaks another protocol version; update tndconnect.'),
  [REFUSED.busy]: () => new Ended('relayBusy', 'The relay is too busy; start tndconnect again in a minute.'),
};

type Stage = 'challenge' | 'accepted' | 'open' | 'closed';
type Handlers = {
  readonly [N in FrameName]?: (link: ControlLink, frame: Extract<Frame, { name: N }>) => void;
};

const HANDLERS: Readonly<Record<Stage, Handlers>> = {
  challenge: {
    challenge: (link, frame) => link.onChallenge(frame),
    refused: (link, frame) => link.onRefused(frame),
  },
  accepted: {
    accepted: (link, frame) => link.onAccepted(frame),
    refused: (link, frame) => link.onRefused(frame),
  },
  open: {
    ping: (link, { token }) => link.send('pong', { token }),
    visitRequest: (link, request) => link.host.visitRequested(request),
    visitCancel: (link, { visit }) => link.host.visitCancelled(visit),
    openData: (link, order) => link.onOpenData(order),
    warning: (link, warning) => link.host.warned(warning),
    bye: (link, { outcome }) => link.onBye(outcome),
  },
  closed: {},
};

export class ControlLink implements LegSink {
  readonly host: ControlHost;
  readonly #clock: Clock;
  readonly #secured: Secured;
  readonly #card: Uint8Array;
  readonly #exchange: CpaceExchange;
  readonly #decoder = new FrameDecoder();
  #stage: Stage = 'challenge';
  #expectedTag: Uint8Array = new Uint8Array(0);
  #dataKey: Uint8Array = new Uint8Array(0);
  #relay: RelayCard | null = null;
  #settle: { resolve(accepted: Accepted): void; reject(error: Error): void } | null = null;
  #cancelDeadline: Cancel = () => {};

  /** `prs` is wiped by the caller once `enter` has settled. */
  constructor(host: ControlHost, clock: Clock, secured: Secured, card: ConnectorCard, prs: Uint8Array) {
    this.host = host;
    this.#clock = clock;
    this.#secured = secured;
    this.#card = encodeConnectorCard(card);
    this.#exchange = startCpace({
      role: 'initiator',
      prs,
      ci: CPACE_CI,
      sid: secured.exporter,
      ad: this.#card,
    });
  }

  /** Runs the exchange. Rejects with Ended. */
  enter(): Promise<Accepted> {
    const { leg } = this.#secured;
    leg.sink = this;
    leg.resume();
    this.#cancelDeadline = this.#clock.after(EXCHANGE_DEADLINE_MS, () =>
      this.#failEntry(
        new Ended('notARelay', 'The relay accepts connections but does not answer; ask the engineer.'),
      ),
    );
    this.send('hello', { share: this.#exchange.share, card: this.#card });
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  send<N extends FrameName>(name: N, fields: FrameFields<N>): void {
    if (this.#stage === 'closed') return;
    // A relay that does not take its answers is not read either, or they would pile up.
    if (!this.#secured.leg.write(encodeFrame(name, fields))) this.#secured.leg.pause();
  }

  /** This side ends the session: says why and closes. */
  leave(outcome: Outcome = 'customer'): void {
    if (this.#stage === 'open') this.send('bye', { outcome: outcomeCode(outcome) });
    this.close();
  }

  /** Closes without reporting anything, but that an `enter` under way rejects. */
  close(): void {
    if (this.#stage === 'closed') return;
    this.#stage = 'closed';
    this.#cancelDeadline();
    this.#dataKey.fill(0);
    this.#secured.leg.end();
    this.#settle?.reject(new Ended('relayLost', 'The connection to the relay was given up.'));
    this.#settle = null;
  }

  /** Cuts what `close` may have left. */
  destroy(): void {
    this.close();
    this.#secured.leg.destroy();
  }

  data(chunk: Buffer): void {
    try {
      this.#decoder.push(chunk);
      for (
        let frame = this.#decoder.next();
        frame && this.#stage !== 'closed';
        frame = this.#decoder.next()
      ) {
        this.#handle(frame);
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      if (error.code === 'bad-share') return this.#fail(wrongPassword());
      this.#lost(`it sent what this version does not understand: ${errorText(error)}`);
    }
  }

  drained(): void {
    this.#secured.leg.resume();
  }

  ended(): void {
    this.#lost('it closed the connection');
  }

  closed(error: Error | null): void {
    this.#lost(error ? error.message : 'it closed the connection');
  }

  onChallenge({ share, card }: FrameFields<'challenge'>): void {
    const keys = this.#exchange.finish(share, card);
    this.#relay = decodeRelayCard(card);
    this.#expectedTag = Uint8Array.from(keys.peerTag);
    this.#dataKey = deriveDataKey(keys.isk);
    this.send('confirm', { tag: Uint8Array.from(keys.ownTag) });
    keys.destroy();
    this.#stage = 'accepted';
  }

  onAccepted({ tag, session, idleMs, lifetimeMs }: FrameFields<'accepted'>): void {
    if (!tagsEqual(tag, this.#expectedTag)) return this.#fail(wrongPassword());
    this.#stage = 'open';
    this.#watchSilence();
    this.#settle!.resolve({ session, idleMs, lifetimeMs, relay: this.#relay!, dataKey: this.#dataKey });
    this.#settle = null;
  }

  onRefused({ reason }: FrameFields<'refused'>): void {
    const refusal = REFUSALS[reason];
    this.#failEntry(
      refusal ? refusal() : new Ended('notARelay', 'The relay did not understand the connection.'),
    );
  }

  /** A relay may name an address, never a name: looking it up would be a query into the customer's network. */
  onOpenData(order: FrameFields<'openData'>): void {
    if (order.host !== '' && isIP(order.host) === 0)
      throw new WireError('malformed-frame', 'openData names no address');
    this.host.dataWanted(order);
  }

  onBye(code: number): void {
    this.close();
    this.host.sessionOver(outcomeOfCode(code));
  }

  #handle(frame: Frame): void {
    const handler = HANDLERS[this.#stage][frame.name] as
      ((link: ControlLink, frame: Frame) => void) | undefined;
    if (!handler) throw new WireError('unexpected-frame', `${frame.name} in stage ${this.#stage}`);
    if (this.#stage === 'open') this.#watchSilence();
    handler(this, frame);
  }

  #watchSilence(): void {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#clock.after(SILENCE_MAX_MS, () => this.#lost('it fell silent'));
  }

  #lost(why: string): void {
    if (this.#stage === 'closed') return;
    if (this.#settle) {
      const text = `The connection to the relay broke off (${why}); try again.`;
      return this.#failEntry(new Ended('relayLost', text));
    }
    this.destroy();
    this.host.relayLost(why);
  }

  #failEntry(error: Ended): void {
    this.#fail(this.#stage === 'accepted' ? wrongPassword() : error);
  }

  #fail(error: Ended): void {
    const settle = this.#settle;
    this.#settle = null;
    this.destroy();
    settle?.reject(error);
  }
}

function wrongPassword(): Ended {
  return new Ended(
    'passwordRefused',
    'The password was not accepted: it is wrong, expired or used, or somebody is between you and the relay. ' +
      'Ask the engineer for a new one.',
  );
}
