/**
 * The telnet side of one engineer's connection, over its whole life: dialogue with the relay, hand-over to the
 * daemon, the visit, and back to the dialogue.
 *
 * Invariant: during a visit client and daemon see each other's bytes unchanged and in order; only the relay's own
 * ECHO and SGA negotiations are kept from them (`telnet-offer.ts`), and `settled` comes only when none of those is
 * open. Pure: bytes in, bytes out. The dialogue owns one per connection, with its socket and its deadlines.
 */
import { invariant } from '../base/check.ts';
import {
  COMMAND,
  DO,
  DONT,
  OPTION,
  TelnetScanner,
  WILL,
  WONT,
  encodeCommand,
  encodeOption,
} from '../wire/telnet.ts';
import { HeldCommands } from './held-commands.ts';
import { newOffer, renewOffer, stepOffer } from './telnet-offer.ts';
import type { Offer, OfferEvent } from './telnet-offer.ts';
import { CLIENT_RESET } from './telnet-reset.ts';

export interface EngineerTelnetSink {
  toClient(bytes: Uint8Array): void;
  /** Only between `beginVisit` and `endVisit`. */
  toDaemon(bytes: Uint8Array): void;
  /** Data of the dialogue, for the line editor. EC, EL and EOF come as DEL, ^U and ^D. */
  typed(bytes: Uint8Array): void;
  /** IP, BRK or ABORT before the visit; from `startSync` on ^C too, which is `typed` in the dialogue. */
  interrupt(): void;
  /**
   * After `startSync`, `endVisit`: the client has read all that was sent before, and what it typed until then is
   * dropped. Not called for `syncExpired`.
   */
  synced(): void;
  /** Once a visit: nothing is left to swallow and no part of a command is held here. The caller may splice. */
  settled(): void;
  /** The client negotiated more than can be held. Nothing is read any more; close. */
  overflow(): void;
}

/**
 * dialogue -startSync-> syncing -mark, syncExpired-> ready -beginVisit-> handover -settled-> raw
 * handover, raw -endVisit-> resyncing -mark, syncExpired-> dialogue
 * syncing, ready -endVisit-> dialogue: nothing of a daemon has reached the client.
 */
export type EngineerPhase = 'dialogue' | 'syncing' | 'ready' | 'handover' | 'raw' | 'resyncing' | 'closed';

interface PhaseRules {
  /** Data and commands: for the dialogue; dropped but for interrupts; dropped; on to the daemon. */
  input: 'obey' | 'watch' | 'drop' | 'pass';
  /** Options that are not the relay's own: kept for the daemon; dropped; on to the daemon. */
  options: 'hold' | 'drop' | 'pass';
}

const PHASES: Readonly<Record<EngineerPhase, PhaseRules>> = {
  dialogue: { input: 'obey', options: 'hold' },
  syncing: { input: 'watch', options: 'hold' },
  ready: { input: 'watch', options: 'hold' },
  handover: { input: 'pass', options: 'pass' },
  raw: { input: 'pass', options: 'pass' },
  // What a client negotiates here answers the reset, or what is left of the visit.
  resyncing: { input: 'drop', options: 'drop' },
  closed: { input: 'drop', options: 'drop' },
};

const ASK_MARK = encodeOption(DO, OPTION.TIMING_MARK);
const GIVE_MARK = encodeOption(WILL, OPTION.TIMING_MARK);
const SUBNEGOTIATION = encodeCommand(COMMAND.SB);
const SUBNEGOTIATION_END = encodeCommand(COMMAND.SE);
const PRESENT = Buffer.from('\r\n[relay: yes]\r\n');
const ETX = 0x03;

/** Commands that mean what a key means. */
const KEY_OF: ReadonlyMap<number, Uint8Array> = new Map([
  [COMMAND.EC, Uint8Array.of(0x7f)],
  [COMMAND.EL, Uint8Array.of(0x15)],
  [COMMAND.EOF, Uint8Array.of(0x04)],
]);
const INTERRUPTS: ReadonlySet<number> = new Set([COMMAND.IP, COMMAND.BRK, COMMAND.ABORT]);

/** LINEMODE MODE (RFC 1184): the bit by which a daemon has the client edit lines, and so echo them. */
const LINEMODE_MODE = 1;
const LINEMODE_EDIT = 1;

export class EngineerTelnet {
  readonly #sink: EngineerTelnetSink;
  #phase: EngineerPhase = 'dialogue';
  readonly #echo = newOffer(OPTION.ECHO);
  readonly #sga = newOffer(OPTION.SGA);
  readonly #held = new HeldCommands();
  /** What was held when the first visit began: how the client introduces itself to a host. */
  #introduction: Uint8Array | null = null;
  /** DO TIMING-MARKs that the client has not answered yet. */
  #marksOwed = 0;
  /** The mark of a reset is owed: options that still come are answers to it. */
  #resetOwed = false;
  /** `synced` is due at the end of this chunk. */
  #markCame = false;
  /** Whether the client ever negotiated; one that never does is a plain TCP tool and is spared a reset. */
  #negotiates = false;
  /** First three bytes of the daemon's subnegotiation in hand. */
  #daemonSubnegotiation: number[] = [];

  readonly #client = new TelnetScanner({
    data: (bytes, wire) => this.#clientData(bytes, wire),
    command: (code) => this.#clientCommand(code),
    option: (verb, option) => this.#clientOption(verb, option),
    subnegotiationBegan: () => this.#clientNegotiates(SUBNEGOTIATION),
    subnegotiationPart: (_bytes, wire) => this.#clientNegotiates(wire),
    subnegotiationEnded: (complete) => this.#clientSubnegotiationEnded(complete),
  });

  readonly #daemon = new TelnetScanner({
    data: (bytes, wire) => this.#daemonData(bytes, wire),
    command: (code) => this.#sink.toClient(encodeCommand(code)),
    option: (verb, option) => this.#daemonOption(verb, option),
    subnegotiationBegan: () => this.#daemonSubnegotiationBegan(),
    subnegotiationPart: (bytes, wire) => this.#daemonSubnegotiationPart(bytes, wire),
    subnegotiationEnded: (complete) => this.#daemonSubnegotiationEnded(complete),
  });

  constructor(sink: EngineerTelnetSink) {
    this.#sink = sink;
  }

  get phase(): EngineerPhase {
    return this.#phase;
  }

  /** Whether the client leaves the echo to the relay. */
  get echoing(): boolean {
    return this.#echo.state === 'agreed' || this.#echo.state === 'renewed';
  }

  /** Offers ECHO and SGA. Once, before anything else is sent. */
  greet(): void {
    this.#step(this.#echo, 'greeted');
    this.#step(this.#sga, 'greeted');
  }

  fromClient(chunk: Uint8Array): void {
    if (this.#phase === 'closed') return;
    if (this.#phase === 'raw') return this.#sink.toDaemon(chunk);
    this.#client.push(chunk);
    this.#report();
  }

  /** Outside a visit, late bytes of one that is over: they are dropped. */
  fromDaemon(chunk: Uint8Array): void {
    if (this.#phase === 'raw') return this.#sink.toClient(chunk);
    if (this.#phase !== 'handover') return;
    this.#daemon.push(chunk);
    this.#report();
  }

  /** Asks for a timing mark; until it comes, what the client types is dropped (it was typed for the relay). */
  startSync(): void {
    const isGreeted = this.#echo.state !== 'unsent' && this.#echo.state !== 'asked';
    invariant(isGreeted && this.#phase === 'dialogue', 'a sync starts from the dialogue, after the greeting');
    this.#phase = 'syncing';
    this.#marksOwed++;
    this.#sink.toClient(ASK_MARK);
  }

  /** The caller's deadline for `synced` passed: goes on without. A mark that comes later is still swallowed. */
  syncExpired(): void {
    if (this.#phase === 'syncing') this.#phase = 'ready';
    else if (this.#phase === 'resyncing') this.#phase = 'dialogue';
  }

  /** The daemon is connected: replays what the client negotiated so far, then passes both directions on. */
  beginVisit(): void {
    invariant(this.#phase === 'ready', 'a visit begins after a sync');
    this.#phase = 'handover';
    this.#introduction ??= this.#held.whole();
    const held = this.#held.take();
    if (held.length > 0) this.#sink.toDaemon(held);
    this.#step(this.#echo, 'visitBegan');
    this.#step(this.#sga, 'visitBegan');
    this.#report();
  }

  /**
   * Back to the dialogue. After a visit that began, the client is made to forget it, and its answers to that are
   * dropped until `synced` or `syncExpired`; the next visit replays what the first one replayed.
   */
  endVisit(): void {
    const visited = PHASES[this.#phase].options === 'pass';
    invariant(visited || this.#phase === 'syncing' || this.#phase === 'ready', 'a visit ends once');
    if (visited) this.#resume();
    if (visited && this.#negotiates) return this.#reset();
    this.#phase = 'dialogue';
    this.#sink.synced();
  }

  #resume(): void {
    // What is left of a command belongs to the visit.
    this.#client.takePartial();
    this.#daemon.takePartial();
    this.#held.replace(this.#introduction!);
    renewOffer(this.#echo);
    renewOffer(this.#sga);
  }

  #reset(): void {
    this.#phase = 'resyncing';
    this.#marksOwed++;
    this.#resetOwed = true;
    const offers = [this.#echo, this.#sga].map((offer) => encodeOption(WILL, offer.option));
    this.#sink.toClient(Buffer.concat([CLIENT_RESET, ...offers, ASK_MARK]));
  }

  // What the client sends.

  #clientData(bytes: Uint8Array, wire: Uint8Array): void {
    const { input } = PHASES[this.#phase];
    if (input === 'pass') this.#sink.toDaemon(wire);
    else if (input === 'obey') this.#sink.typed(bytes);
    else if (input === 'watch' && bytes.includes(ETX)) this.#sink.interrupt();
  }

  #clientCommand(code: number): void {
    const { input } = PHASES[this.#phase];
    if (input === 'pass') return this.#sink.toDaemon(encodeCommand(code));
    if (input === 'drop') return;
    const key = KEY_OF.get(code);
    if (INTERRUPTS.has(code)) this.#sink.interrupt();
    else if (code === COMMAND.AYT) this.#sink.toClient(PRESENT);
    else if (key && input === 'obey') this.#sink.typed(key);
  }

  #clientOption(verb: number, option: number): void {
    if (this.#phase === 'closed') return;
    this.#negotiates = true;
    if (option === OPTION.TIMING_MARK && this.#clientMark(verb)) return;
    const offer = this.#offerOf(option);
    if (offer && verb === DO) return this.#step(offer, 'clientDo');
    if (offer && verb === DONT) return this.#step(offer, 'clientDont');
    this.#clientNegotiates(encodeOption(verb, option));
    this.#held.close();
  }

  /**
   * Returns whether the command was between client and relay. Outside a visit the relay gives marks itself: a
   * client may be discarding output until its mark comes.
   */
  #clientMark(verb: number): boolean {
    const visiting = PHASES[this.#phase].options === 'pass';
    if (verb === DO && !visiting) this.#sink.toClient(GIVE_MARK);
    if (verb === DO || verb === DONT || this.#marksOwed === 0) return !visiting;
    this.#marksOwed--;
    if (this.#marksOwed === 0) this.#marked();
    return true;
  }

  #marked(): void {
    this.#resetOwed = false;
    this.#step(this.#echo, 'marked');
    this.#step(this.#sga, 'marked');
    if (this.#phase !== 'syncing' && this.#phase !== 'resyncing') return;
    this.#phase = this.#phase === 'syncing' ? 'ready' : 'dialogue';
    this.#markCame = true;
  }

  #clientSubnegotiationEnded(complete: boolean): void {
    if (complete) this.#clientNegotiates(SUBNEGOTIATION_END);
    this.#held.close();
  }

  /** An option command, or part of a subnegotiation, that is not the relay's own. */
  #clientNegotiates(wire: Uint8Array): void {
    const { options } = PHASES[this.#phase];
    if (options === 'pass') return this.#sink.toDaemon(wire);
    if (options === 'drop' || this.#resetOwed || this.#held.add(wire)) return;
    this.#phase = 'closed';
    this.#sink.overflow();
  }

  // What the daemon sends, while the hand-over is not settled.

  #daemonData(bytes: Uint8Array, wire: Uint8Array): void {
    // NULs are padding. None of them is in front of an IAC pair, so wire and bytes agree up to here.
    const spoken = bytes.findIndex((byte) => byte !== 0);
    if (spoken < 0) return this.#sink.toClient(wire);
    if (spoken > 0) this.#sink.toClient(wire.subarray(0, spoken));
    this.#daemonSpoke();
    this.#sink.toClient(spoken === 0 ? wire : wire.subarray(spoken));
  }

  #daemonSpoke(): void {
    this.#step(this.#echo, 'daemonSpoke');
    this.#step(this.#sga, 'daemonSpoke');
  }

  #daemonOption(verb: number, option: number): void {
    const offer = this.#offerOf(option);
    if (offer && verb === WILL) return this.#step(offer, 'daemonWill');
    if (offer && verb === WONT) return this.#step(offer, 'daemonWont');
    this.#sink.toClient(encodeOption(verb, option));
  }

  #daemonSubnegotiationBegan(): void {
    this.#daemonSubnegotiation = [];
    this.#sink.toClient(SUBNEGOTIATION);
  }

  #daemonSubnegotiationPart(bytes: Uint8Array, wire: Uint8Array): void {
    this.#daemonSubnegotiation.push(...bytes.subarray(0, 3 - this.#daemonSubnegotiation.length));
    this.#sink.toClient(wire);
  }

  #daemonSubnegotiationEnded(complete: boolean): void {
    if (complete) this.#sink.toClient(SUBNEGOTIATION_END);
    const [option, what, mode = 0] = this.#daemonSubnegotiation;
    const edits = option === OPTION.LINEMODE && what === LINEMODE_MODE && (mode & LINEMODE_EDIT) !== 0;
    if (edits) this.#daemonSpoke();
  }

  // Common to both.

  #offerOf(option: number): Offer | undefined {
    if (option === OPTION.ECHO) return this.#echo;
    return option === OPTION.SGA ? this.#sga : undefined;
  }

  #step(offer: Offer, event: OfferEvent): void {
    const step = stepOffer(offer, event);
    if (!step) return;
    if (step.toClient) this.#sink.toClient(encodeOption(step.toClient, offer.option));
    if (step.toDaemon) this.#sink.toDaemon(encodeOption(step.toDaemon, offer.option));
    if (step.pass) this.#pass(offer.option, event);
  }

  #pass(option: number, event: OfferEvent): void {
    if (event === 'clientDo') this.#sink.toDaemon(encodeOption(DO, option));
    else if (event === 'clientDont') this.#sink.toDaemon(encodeOption(DONT, option));
    else if (event === 'daemonWill') this.#sink.toClient(encodeOption(WILL, option));
    else if (event === 'daemonWont') this.#sink.toClient(encodeOption(WONT, option));
  }

  /** Tells the caller what came of a chunk only after all of it is passed on, so that it may splice or ask at once. */
  #report(): void {
    if (this.#markCame) {
      this.#markCame = false;
      this.#sink.synced();
    }
    const settled = this.#echo.state === 'open' && this.#sga.state === 'open';
    if (this.#phase === 'handover' && settled) this.#settle();
  }

  #settle(): void {
    this.#phase = 'raw';
    // A late mark now goes to the daemon, which ignores it.
    this.#marksOwed = 0;
    const fromClient = this.#client.takePartial();
    if (fromClient.length > 0) this.#sink.toDaemon(fromClient);
    const fromDaemon = this.#daemon.takePartial();
    if (fromDaemon.length > 0) this.#sink.toClient(fromDaemon);
    this.#sink.settled();
  }
}
