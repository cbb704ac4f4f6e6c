/**
 * The connector's end of the control connection (docs/PROTOCOL.md, sections 3 to 5 and 8).
 *
 *   hello ->   <- challenge   confirm ->         <- accepted (enrolled)     `enter`: by password
 *   resume ->  <- relayProof  connectorProof ->  <- resumed                 `comeBack`: by key
 *
 * then frames as in HANDLERS. Owns the exchange and notices a relay that fell silent. `enter` resolves once the relay
 * has proved that it knows the password too; what it orders is reported to the host. After a failed confirmation nothing
 * is tried again: a second try with the same password would give whoever sits between a second guess. For the same
 * reason whatever comes after `confirm` and is not that proof (a refusal for another reason, a lost connection) ends as
 * a wrong password, and never with the advice to try once more.
 *
 * On the way back it is the relay that proves itself first. Until it has, nothing that comes is more than a failed
 * dial: whoever sits on the way could otherwise end a standing connector with one forged refusal.
 */
import type { KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import type { HostPort } from '../base/address.ts';
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
  FEATURE,
  PROTOCOL_VERSION,
  REFUSED,
  type ConnectorCard,
  type Frame,
  type FrameFields,
  type FrameName,
  type RelayCard,
} from '../wire/frames.ts';
import { isSignedByRelay, resumedDataKey, signAsConnector } from '../wire/key-auth.ts';
import { outcomeCode, outcomeOfCode, type Outcome } from '../wire/outcomes.ts';
import { WireError } from '../wire/wire-error.ts';
import type { Secured } from './dial.ts';
import { Ended } from './ending.ts';

/** What is known once the relay has let the connector in. */
export interface Accepted {
  readonly idleMs: number;
  readonly lifetimeMs: number;
  readonly relay: RelayCard;
  /** Opens this connector's data connections. */
  readonly dataKey: Uint8Array;
  /** Of a connector that stays. */
  readonly standing: Standing | null;
}

export interface Standing {
  /** Its id at the relay. */
  readonly connector: string;
  /** How long it may come back; 0 not at all. */
  readonly goodForS: number;
  /** The relay's calendar, in seconds since 1970. */
  readonly clockS: number;
}

/** By what a standing connector and its relay know each other again. In memory only. */
export interface StandingKey {
  readonly privateKey: KeyObject;
  /** The relay's, DER of a SubjectPublicKeyInfo, as it was told when the password was proved. */
  readonly relayKey: Uint8Array;
}

export interface Entered extends Accepted {
  readonly session: string;
  /** Of `enrolled`. */
  readonly relayKey: Uint8Array | null;
}

/** What becomes of a control connection. */
export interface ControlHost {
  /** The relay has let the connector in. Called before anything that comes behind, even in the same piece. */
  letIn(entered: Entered): void;
  visitRequested(request: FrameFields<'visitRequest'>): void;
  visitCancelled(visit: string): void;
  dataWanted(order: FrameFields<'openData'>): void;
  warned(warning: FrameFields<'warning'>): void;
  /** One visit is over, the connector stays; null for an outcome that this version does not know. */
  visitOver(visit: string, outcome: Outcome | null): void;
  /** The relay ended the session: null for an outcome that this version does not know. */
  sessionOver(outcome: Outcome | null): void;
  /** The connection is gone. */
  relayLost(why: string): void;
  /** A step of the protocol, for `-verbose`. */
  detail(text: string): void;
}

/** A relay that does not answer an exchange is no relay. */
const EXCHANGE_DEADLINE_MS = 20_000;
/** The relay pings every 15 s: after two that are missing, and some time on the way, it is gone. */
const SILENCE_MAX_MS = 40_000;
/** Steps that come so often, and say so little, that they would hide the others. */
const UNTOLD: readonly FrameName[] = ['ping', 'pong'];

const REFUSALS: Readonly<Record<number, () => Ended>> = {
  [REFUSED.password]: () => wrongPassword(),
  [REFUSED.version]: () =>
    new Ended('versionRefused', 'The relay speaks another protocol version; update tndconnect.'),
  [REFUSED.busy]: () => new Ended('relayBusy', 'The relay is too busy; start tndconnect again in a minute.'),
};

const NEW_PASSWORD = 'ask the engineer for a new password and start again.';
/** From a relay that has proved itself. */
const KEY_REFUSALS: Readonly<Record<number, string>> = {
  [REFUSED.keyUnknown]: `The relay does not know this connector any more; ${NEW_PASSWORD}`,
  [REFUSED.keyRevoked]: `The relay's operator has revoked this connector; ${NEW_PASSWORD}`,
  [REFUSED.keyExpired]: `The time for which this connector was admitted is over; ${NEW_PASSWORD}`,
};

type Stage = 'challenge' | 'accepted' | 'enrolled' | 'proof' | 'resumed' | 'open' | 'closed';
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
  enrolled: { enrolled: (link, frame) => link.onEnrolled(frame) },
  proof: {
    relayProof: (link, frame) => link.onRelayProof(frame),
    refused: (link, frame) => link.onRefused(frame),
  },
  resumed: {
    resumed: (link, frame) => link.onResumed(frame),
    refused: (link, { reason }) => link.onKeyRefused(reason),
  },
  open: {
    ping: (link, { token }) => link.send('pong', { token }),
    visitRequest: (link, request) => link.host.visitRequested(request),
    visitCancel: (link, { visit }) => link.host.visitCancelled(visit),
    openData: (link, order) => link.onOpenData(order),
    warning: (link, warning) => link.host.warned(warning),
    visitOver: (link, { visit, outcome }) => link.host.visitOver(visit, outcomeOfCode(outcome)),
    bye: (link, { outcome }) => link.onBye(outcome),
  },
  closed: {},
};

export class ControlLink implements LegSink {
  readonly host: ControlHost;
  readonly #clock: Clock;
  readonly #secured: Secured;
  readonly #card: Uint8Array;
  readonly #stays: boolean;
  readonly #decoder = new FrameDecoder();
  #stage: Stage = 'challenge';
  #exchange: CpaceExchange | null = null;
  #key: StandingKey | null = null;
  #expectedTag: Uint8Array = new Uint8Array(0);
  #dataKey: Uint8Array = new Uint8Array(0);
  #relay: RelayCard | null = null;
  #accepted: FrameFields<'accepted'> | null = null;
  #settle: { resolve(): void; reject(error: Error): void } | null = null;
  #cancelDeadline: Cancel = () => {};

  constructor(host: ControlHost, clock: Clock, secured: Secured, card: ConnectorCard) {
    this.host = host;
    this.#clock = clock;
    this.#secured = secured;
    this.#card = encodeConnectorCard(card);
    this.#stays = (card.features & FEATURE.standing) !== 0;
  }

  /** The address and port that it leads to. */
  get reached(): HostPort {
    return this.#secured.reached;
  }

  /** Proves the password. `prs` is wiped by the caller once this has settled. Rejects with Ended. */
  enter(prs: Uint8Array): Promise<void> {
    this.#exchange = startCpace({
      role: 'initiator',
      prs,
      ci: CPACE_CI,
      sid: this.#secured.exporter,
      ad: this.#card,
    });
    this.#begin('challenge');
    this.send('hello', { share: this.#exchange.share, card: this.#card });
    return this.#settled();
  }

  /** Proves the key. Rejects with Ended: `keyRefused` when the relay itself says that the key is good no more. */
  comeBack(key: StandingKey): Promise<void> {
    this.#key = key;
    this.#begin('proof');
    this.send('resume', { version: PROTOCOL_VERSION });
    return this.#settled();
  }

  send<N extends FrameName>(name: N, fields: FrameFields<N>): void {
    if (this.#stage === 'closed') return;
    if (!UNTOLD.includes(name)) this.host.detail(`Sent to the relay: ${name}.`);
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
    const keys = this.#exchange!.finish(share, card);
    this.#relay = decodeRelayCard(card);
    this.#expectedTag = Uint8Array.from(keys.peerTag);
    this.#dataKey = deriveDataKey(keys.isk);
    this.send('confirm', { tag: Uint8Array.from(keys.ownTag) });
    keys.destroy();
    this.#stage = 'accepted';
  }

  onAccepted(accepted: FrameFields<'accepted'>): void {
    if (!tagsEqual(accepted.tag, this.#expectedTag)) return this.#fail(wrongPassword());
    this.#accepted = accepted;
    if (this.#stays) this.#stage = 'enrolled';
    else this.#open({ ...accepted, standing: null, relayKey: null });
  }

  onEnrolled({ relayKey, ...standing }: FrameFields<'enrolled'>): void {
    this.#open({ ...this.#accepted!, standing, relayKey });
  }

  /** Nothing of this machine is told before. */
  onRelayProof({ card, signature }: FrameFields<'relayProof'>): void {
    const { privateKey, relayKey } = this.#key!;
    const { exporter } = this.#secured;
    if (!isSignedByRelay(signature, relayKey, exporter, card)) return this.#fail(anotherRelay());
    this.#relay = decodeRelayCard(card);
    this.#stage = 'resumed';
    const proof = signAsConnector(privateKey, exporter, this.#card, card);
    this.send('connectorProof', { card: this.#card, signature: proof });
  }

  onResumed({ idleMs, lifetimeMs, ...standing }: FrameFields<'resumed'>): void {
    this.#dataKey = resumedDataKey(this.#secured.resumptionSecret());
    this.#open({ session: '', idleMs, lifetimeMs, standing, relayKey: null });
  }

  onKeyRefused(reason: number): void {
    const text = KEY_REFUSALS[reason];
    if (text !== undefined) return this.#fail(new Ended('keyRefused', text));
    const why =
      reason === REFUSED.keyInUse
        ? 'Another tndconnect with the same key is connected to the relay; is a copy of this machine running?'
        : `The relay does not let this connector back in now (reason ${reason}).`;
    this.#fail(new Ended('relayLost', why));
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
    if (!UNTOLD.includes(frame.name)) this.host.detail(`Received from the relay: ${frame.name}.`);
    handler(this, frame);
  }

  #begin(stage: Stage): void {
    const { leg } = this.#secured;
    this.#stage = stage;
    leg.sink = this;
    leg.resume();
    this.#cancelDeadline = this.#clock.after(EXCHANGE_DEADLINE_MS, () =>
      this.#failEntry(
        new Ended('notARelay', 'The relay accepts connections but does not answer; ask the engineer.'),
      ),
    );
  }

  #settled(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  #open(known: Omit<Entered, 'relay' | 'dataKey'>): void {
    this.#stage = 'open';
    this.#watchSilence();
    this.#settle!.resolve();
    this.#settle = null;
    this.host.letIn({ ...known, relay: this.#relay!, dataKey: this.#dataKey });
  }

  #watchSilence(): void {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#clock.after(SILENCE_MAX_MS, () => this.#lost('it fell silent'));
  }

  #lost(why: string): void {
    if (this.#stage === 'closed') return;
    if (this.#settle) {
      // Later the password is used, or was never in it.
      const advice = this.#stage === 'challenge' ? '; try again.' : '.';
      const text = `The connection to the relay broke off (${why})${advice}`;
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

function anotherRelay(): Ended {
  return new Ended(
    'relayLost',
    'What answers is not the relay that this connector was admitted to: the relay was set up anew, or somebody is ' +
      'between you and it. If it was set up anew, ' +
      NEW_PASSWORD,
  );
}

function wrongPassword(): Ended {
  return new Ended(
    'passwordRefused',
    'The password was not accepted: it is wrong, expired or used, or somebody is between you and the relay. ' +
      'Ask the engineer for a new one.',
  );
}
