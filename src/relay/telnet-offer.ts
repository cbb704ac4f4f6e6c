/**
 * Where one of the relay's two telnet offers (WILL ECHO, WILL SGA) to an engineer's client stands: one table.
 *
 * Before a visit this is RFC 1143 for the offering side. During a visit the offer is handed to the daemon: what the
 * client agreed to must not be undone (busybox would fall into line mode for good), so the daemon's own WILL is
 * answered in the client's stead, and only a daemon that speaks without claiming the option has it taken back.
 * `EngineerTelnet` owns two of these and carries out the steps.
 */
import { DO, WILL, WONT } from '../wire/telnet.ts';

/**
 * Before a visit: `unsent`; `asked` (the client's DO came before our WILL and is its answer); `offered`; `agreed`;
 * `refused`; `renewed` (offered again after a visit to a client that agreed before: silence means it still does).
 * During a visit: `waiting` for the daemon to claim what was agreed; `yielding` (the client was sent a WONT that the
 * daemon will see no answer to: its DONT is to be swallowed); `open` (between client and daemon alone).
 */
export type OfferState =
  'unsent' | 'asked' | 'offered' | 'agreed' | 'refused' | 'renewed' | 'waiting' | 'yielding' | 'open';

/**
 * `marked`: the client has read everything we sent. `daemonSpoke`: data came from the daemon, or line editing was
 * switched on, before a claim: this daemon leaves the echo to the client.
 */
export type OfferEvent =
  | 'greeted'
  | 'marked'
  | 'visitBegan'
  | 'clientDo'
  | 'clientDont'
  | 'daemonWill'
  | 'daemonWont'
  | 'daemonSpoke';

export interface OfferStep {
  next: OfferState;
  /** Verbs to send about this option. */
  toClient?: number;
  toDaemon?: number;
  /** Whether the command that is the event goes on to the other side. */
  pass?: boolean;
}

/** An event that is not listed changes nothing and is not passed on. */
export const OFFER_STEPS: Readonly<Record<OfferState, Readonly<Partial<Record<OfferEvent, OfferStep>>>>> = {
  unsent: {
    greeted: { next: 'offered', toClient: WILL },
    clientDo: { next: 'asked' },
  },
  asked: {
    greeted: { next: 'agreed', toClient: WILL },
    clientDont: { next: 'unsent' },
  },
  offered: {
    clientDo: { next: 'agreed' },
    clientDont: { next: 'refused' },
    visitBegan: { next: 'open' },
  },
  agreed: {
    clientDont: { next: 'refused', toClient: WONT },
    visitBegan: { next: 'waiting' },
  },
  refused: {
    clientDo: { next: 'agreed', toClient: WILL },
    visitBegan: { next: 'open' },
  },
  renewed: {
    clientDo: { next: 'agreed' },
    // No WONT: this DONT may answer a WONT of the visit, with the DO to the renewed offer right behind it, and
    // answering it would start a loop.
    clientDont: { next: 'refused' },
    marked: { next: 'agreed' },
    visitBegan: { next: 'waiting' },
  },
  waiting: {
    clientDo: { next: 'waiting', pass: true },
    clientDont: { next: 'open', toClient: WONT },
    daemonWill: { next: 'open', toDaemon: DO },
    daemonWont: { next: 'yielding', pass: true },
    daemonSpoke: { next: 'yielding', toClient: WONT },
  },
  yielding: {
    clientDo: { next: 'yielding', pass: true },
    clientDont: { next: 'open' },
    // The client answers in order: its DONT to our WONT, swallowed, comes before its answer to this.
    daemonWill: { next: 'yielding', pass: true },
    daemonWont: { next: 'yielding', pass: true },
  },
  open: {
    clientDo: { next: 'open', pass: true },
    clientDont: { next: 'open', pass: true },
    daemonWill: { next: 'open', pass: true },
    daemonWont: { next: 'open', pass: true },
  },
};

export interface Offer {
  readonly option: number;
  state: OfferState;
  everAgreed: boolean;
}

export function newOffer(option: number): Offer {
  return { option, state: 'unsent', everAgreed: false };
}

/** Takes the step for `event`, if there is one. The caller sends what it says. */
export function stepOffer(offer: Offer, event: OfferEvent): OfferStep | undefined {
  const step = OFFER_STEPS[offer.state][event];
  if (!step) return undefined;
  offer.state = step.next;
  if (step.next === 'agreed') offer.everAgreed = true;
  return step;
}

/** Takes an offer back from a visit that is over. The caller sends the new WILL. */
export function renewOffer(offer: Offer): void {
  offer.state = offer.everAgreed ? 'renewed' : 'offered';
}
