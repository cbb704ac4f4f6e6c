/**
 * tndconnect as a whole: checks the daemon, dials the relay, proves the password, then serves what the relay orders
 * until the session is over, or, when it stays, until somebody ends it. `run` resolves with the exit status; everything
 * it opened is closed by then.
 *
 * The order matters: nothing is dialled before the log is open and the daemon answers, and no password message is
 * sent twice. One that stays comes back by its key, never by the password, and no sooner than the back-off allows.
 */
import { generateKeyPairSync, scrypt, type KeyObject } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { hostPortText, plainAddress } from '../base/address.ts';
import type { Cancel, Clock } from '../base/clock.ts';
import { errorCode, errorText, OperatorError } from '../base/errors.ts';
import { durationText } from '../base/options.ts';
import { visibleText } from '../base/text.ts';
import type { UrgentData } from '../stream/socket-calls.ts';
import {
  FEATURE,
  PROTOCOL_VERSION,
  type ConnectorCard,
  type FrameFields,
  type FrameName,
} from '../wire/frames.ts';
import type { Outcome } from '../wire/outcomes.ts';
import {
  BARE_NAMEPLATE,
  BARE_ODDS,
  chosenSecretBytes,
  guessOdds,
  parsePassword,
  prsOfMade,
  stretchParameters,
  type TypedPassword,
} from '../wire/password.ts';
import { Backoff } from './backoff.ts';
import { Consent, timeText } from './consent.ts';
import type { Console } from './console.ts';
import {
  ControlLink,
  type Accepted,
  type ControlHost,
  type Entered,
  type Standing,
  type StandingKey,
} from './control-link.ts';
import { dialRelay, dialTcp, type Secured } from './dial.ts';
import { Ended, ENDING_STATUS, outcomeEnding, type Ending } from './ending.ts';
import { untilWallMs, type ConnectorOptions } from './options.ts';
import type { Transcript } from './transcript.ts';
import { Visits, type VisitsHost } from './visits.ts';

export interface ConnectorSurroundings {
  readonly clock: Clock;
  readonly console: Console;
  readonly transcript: Transcript;
  readonly urgent: UrgentData;
  readonly hostName: string;
  readonly hostsFile: string;
  readonly software: string;
  /** Numbers from 0 (included) to 1 (excluded), for the back-off. */
  readonly random: () => number;
}

/** A control connection on which the relay has let this connector in. */
interface Uplink {
  readonly link: ControlLink;
  readonly accepted: Accepted;
  readonly sinceMs: number;
}

/** After a visit that ended in good order, last bytes get this long before the program ends. */
const LAST_BYTES_MS = 5_000;
/** Clocks of people's machines are a little off; more is worth a word. */
const CLOCK_OFF_MAX_MS = 120_000;

export class Connector implements ControlHost, VisitsHost {
  readonly clock: Clock;
  readonly urgent: UrgentData;
  readonly hostsFile: string;
  readonly #options: ConnectorOptions;
  readonly #surroundings: ConnectorSurroundings;
  readonly #consent: Consent;
  readonly #visits: Visits;
  readonly #stopping = new AbortController();
  readonly #backoff: Backoff;
  readonly #privateKey: KeyObject;
  readonly #publicKey: Uint8Array;
  #targetAddress = '';
  /** While the relay is being talked to, let in or not yet. */
  #link: ControlLink | null = null;
  #uplink: Uplink | null = null;
  /** Of a connector that may come back. */
  #key: StandingKey | null = null;
  #connectorId = '';
  #cancelWait: Cancel = () => {};
  #waitEndMs = 0;
  #onVisitsOver: () => void = nothing;
  #resolve: (ending: Ending) => void = () => {};
  readonly #ending: Promise<Ending>;

  constructor(options: ConnectorOptions, surroundings: ConnectorSurroundings) {
    const { console, transcript } = surroundings;
    const keys = generateKeyPairSync('ed25519');
    this.#options = options;
    this.#surroundings = surroundings;
    this.clock = surroundings.clock;
    this.urgent = surroundings.urgent;
    this.hostsFile = surroundings.hostsFile;
    this.#backoff = new Backoff(surroundings.random);
    this.#privateKey = keys.privateKey;
    this.#publicKey = keys.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
    // Every dial and every pause listens, and sixteen visits may dial at once.
    setMaxListeners(0, this.stop);
    const policy = {
      mode: options.consent,
      untilWallMs: untilWallMs(options.until, this.clock.wallNow()),
      targetText: options.targetText,
    };
    this.#consent = new Consent(console, this.clock, policy, (text) => this.event(text));
    this.#visits = new Visits(this, console, transcript, this.#consent);
    console.onRoom = () => this.#visits.goOn();
    console.onEndShown = (visit) => this.#visits.endByCustomer(visit);
    console.onWithdraw = () => this.#consent.takeBack();
    this.#ending = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Aborted once it is known how this run ends: nothing is dialled any more. */
  get stop(): AbortSignal {
    return this.#stopping.signal;
  }

  get target() {
    return this.#options.target;
  }

  get stays(): boolean {
    return this.#options.persist;
  }

  get isHidden(): boolean {
    return this.#options.noecho;
  }

  get dataKey(): Uint8Array {
    return this.#uplink!.accepted.dataKey;
  }

  get reached() {
    return this.#uplink!.link.reached;
  }

  /** Does all of it. Rejects with OperatorError for what must be mended before a start. */
  async run(password: string): Promise<number> {
    const typed = parsePassword(password);
    if (typed.kind === 'refused') throw new OperatorError(typed.sentence);
    const start = this.#start(typed).catch((error: unknown) => this.failed(error));
    const ending = await this.#ending;
    await start;
    this.#cancelWait();
    this.#consent.close();
    this.#visits.endAll('now');
    this.#link?.close();
    this.#tell(ending.text);
    return ending.status;
  }

  /** Ctrl+C, or a signal: ends every visit and the program, telling the relay. */
  interrupt(): void {
    if (this.#key !== null && this.#uplink === null && !this.stop.aborted) {
      this.event(`The relay cannot be told now; its operator may revoke connector ${this.#connectorId}.`);
    }
    this.#link?.leave();
    this.#stop(outcomeEnding('customer'));
  }

  async #start(typed: TypedPassword): Promise<void> {
    const { host, port } = this.#options;
    this.event(
      `tndconnect starts: relay ${hostPortText({ host, port })}, target ${hostPortText(this.target)}.`,
    );
    this.#targetAddress = await this.#checkDaemon();
    const odds = typed.kind === 'chosen' ? guessOdds(typed.bits) : undefined;
    if (odds !== undefined) this.event(`This password is short. ${odds}`);
    if (typed.nameplate === BARE_NAMEPLATE) this.event(BARE_ODDS);
    const prs = await passwordString(typed);
    const secured = await dialRelay({ host, port }, this);
    const link = new ControlLink(this, this.clock, secured, this.#cardOn(secured, typed.nameplate));
    this.#link = link;
    await link.enter(prs).finally(() => prs.fill(0));
  }

  letIn(entered: Entered): void {
    const { relay, session, standing, relayKey } = entered;
    const relayId = visibleText(relay.relayId);
    this.#uplink = { link: this.#link!, accepted: entered, sinceMs: this.clock.now() };
    if (this.#key !== null) {
      this.event(`Back at relay ${relayId}; both sides have proved their keys.`);
      this.#backoff.spread(standing!.spreadS * 1_000);
      return this.#compareClocks(standing!.clockS);
    }
    this.event(`Connected to relay ${relayId}; both sides have proved the password.`);
    if (standing) this.#stand(standing, relayKey!);
    else this.#waitForVisit(session);
    this.#consent.open();
  }

  /** One visit, or none if it takes too long. */
  #waitForVisit(session: string): void {
    const { wait } = this.#options;
    const time = durationText(wait);
    this.event(`Session ${visibleText(session)}: waiting for the engineer, at most ${time}. Ctrl+C ends it.`);
    this.#waitEndMs = this.clock.now() + wait;
    this.#wait();
  }

  /** As many visits as come. */
  #stand({ connector, goodForS, spreadS, clockS }: Standing, relayKey: Uint8Array): void {
    this.#connectorId = visibleText(connector);
    this.event(`Connector ${this.#connectorId}: waiting for engineers. Ctrl+C ends it, and all visits.`);
    if (goodForS > 0) {
      this.#key = { privateKey: this.#privateKey, relayKey };
      const untilText = timeText(this.clock.wallNow() + goodForS * 1_000);
      this.event(
        `When the connection is lost it comes back by itself, without a password, until ${untilText}.`,
      );
    } else this.event('This relay keeps no connectors: when the connection is lost, tndconnect ends.');
    this.#backoff.spread(spreadS * 1_000);
    this.#compareClocks(clockS);
  }

  #compareClocks(relayClockS: number): void {
    const aheadMs = this.clock.wallNow() - relayClockS * 1_000;
    if (Math.abs(aheadMs) <= CLOCK_OFF_MAX_MS) return;
    const minutes = Math.round(Math.abs(aheadMs) / 60_000);
    this.event(
      `This machine's clock is ${minutes} min ${aheadMs > 0 ? 'ahead of' : 'behind'} the relay's: ` +
        'the times in the log and -until go by it. Set it if it is wrong.',
    );
  }

  /** The daemon must answer before anything else is dialled. */
  async #checkDaemon(): Promise<string> {
    try {
      const socket = await dialTcp(this.target, this, null);
      const address = plainAddress(socket.remoteAddress ?? '');
      socket.on('error', () => {});
      socket.end();
      socket.destroy();
      this.detail(`The telnet daemon at ${address} answers.`);
      return address;
    } catch (error) {
      throw new Ended(
        'daemonUnreachable',
        `No telnet daemon answers at ${hostPortText(this.target)} (${errorCode(error) || errorText(error)}); ` +
          'start it, or name another with -target.',
      );
    }
  }

  #cardOn(secured: Secured, nameplate: string): ConnectorCard {
    return {
      version: PROTOCOL_VERSION,
      nameplate,
      publicKey: this.#publicKey,
      software: this.#surroundings.software,
      target: this.#options.targetText,
      targetAddress: this.#targetAddress,
      localAddress: secured.localAddress,
      hostName: this.#surroundings.hostName,
      features: this.stays ? FEATURE.standing : 0,
    };
  }

  /** Dials again and again, by key, until the relay lets it in or says that it never will. */
  async #comeBack(key: StandingKey): Promise<void> {
    for (;;) {
      const delayMs = this.#backoff.nextDelayMs();
      this.event(`Dialling the relay again in ${Math.round(delayMs / 1_000)} s.`);
      await this.#pause(delayMs);
      if (this.stop.aborted) return;
      try {
        return await this.#resume(key);
      } catch (error) {
        this.#link = null;
        if (!(error instanceof Ended) || error.ending.status === ENDING_STATUS.keyRefused) throw error;
        if (this.stop.aborted) return;
        this.event(error.message);
      }
    }
  }

  async #resume(key: StandingKey): Promise<void> {
    const { host, port } = this.#options;
    const secured = await dialRelay({ host, port }, this);
    const link = new ControlLink(this, this.clock, secured, this.#cardOn(secured, ''));
    this.#link = link;
    await link.comeBack(key);
  }

  /** Until then, or until it is known how this run ends. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.stop.removeEventListener('abort', done);
        resolve();
      };
      const cancel = this.clock.after(ms, done);
      this.stop.addEventListener('abort', done);
      if (this.stop.aborted) done();
    });
  }

  visitRequested(request: FrameFields<'visitRequest'>): void {
    this.#visits.requested(request);
  }

  visitCancelled(visit: string): void {
    this.#visits.cancelled(visit);
  }

  dataWanted(order: FrameFields<'openData'>): void {
    this.#visits.dataWanted(order);
  }

  warned(warning: FrameFields<'warning'>): void {
    this.#visits.warned(warning);
  }

  visitOver(visit: string, outcome: Outcome | null): void {
    this.#visits.over(visit, outcome ?? 'failure');
  }

  sessionOver(outcome: Outcome | null): void {
    if (this.stays) return this.#letGo(outcome);
    const ending = outcomeEnding(outcome ?? 'failure');
    if (ending.status !== 0 || this.#visits.size === 0) return this.#stop(ending);
    this.#onVisitsOver = () => this.#stop(ending);
    this.#cancelWait = this.clock.after(LAST_BYTES_MS, () => this.#stop(ending));
    this.#visits.endAll('gracefully');
  }

  relayLost(why: string): void {
    this.#lost(`The connection to the relay broke off (${why}).`);
  }

  /** The relay ends the connection of a connector that stays: for good, or because it goes down itself. */
  #letGo(outcome: Outcome | null): void {
    if (outcome === 'closed')
      return this.#stopRefused(
        "The relay's operator has revoked this connector; ask the engineer for a new password.",
      );
    if (outcome === 'expired')
      return this.#stopRefused(
        'The time for which this connector was admitted is over; ask the engineer for a new password.',
      );
    this.#lost(outcome === 'shutdown' ? 'The relay is shutting down.' : 'The relay ended the connection.');
  }

  #stopRefused(text: string): void {
    this.#stop({ status: ENDING_STATUS.keyRefused, text });
  }

  #lost(text: string): void {
    if (this.stop.aborted) return;
    const uplink = this.#uplink;
    this.#uplink = null;
    this.#link = null;
    if (this.#key === null || uplink === null) {
      return this.#stop({ status: ENDING_STATUS.relayLost, text });
    }
    this.event(text);
    this.#visits.endAll('now', 'The visit ended with the connection to the relay.');
    this.#backoff.stood(this.clock.now() - uplink.sinceMs);
    this.#comeBack(this.#key).catch((error: unknown) => this.failed(error));
  }

  send<N extends FrameName>(name: N, fields: FrameFields<N>): void {
    this.#uplink?.link.send(name, fields);
  }

  event(text: string): void {
    this.#tell(text);
  }

  detail(text: string): void {
    if (this.#options.verbose) this.#tell(text);
  }

  visitAsked(): void {
    this.#cancelWait();
  }

  visitWithdrawn(): void {
    if (!this.stays) this.#wait();
  }

  visitsOver(): void {
    this.#onVisitsOver();
  }

  /** Until a visit is asked for, or for what is left of the time after one was withdrawn. */
  #wait(): void {
    const leftMs = Math.max(0, this.#waitEndMs - this.clock.now());
    this.#cancelWait = this.clock.after(leftMs, () => {
      this.#link?.leave('unused');
      this.#stop(outcomeEnding('unused'));
    });
  }

  /** A visit that cannot be recorded is no visit. */
  record(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      this.#link?.leave();
      this.#stop(error.ending);
    }
  }

  failed(error: unknown): void {
    if (!(error instanceof Ended)) throw error;
    this.#stop(error.ending);
  }

  #tell(text: string): void {
    this.record(() => this.#surroundings.transcript.event(text));
    this.#surroundings.console.say(text);
  }

  /** The first ending counts. */
  #stop(ending: Ending): void {
    this.#resolve(ending);
    this.#stopping.abort();
  }
}

const nothing = (): void => {};

/** The password-related string of the exchange: chosen secrets are stretched, made ones need none. */
function passwordString({ kind, nameplate, secret }: TypedPassword): Promise<Uint8Array> {
  if (kind === 'made') return Promise.resolve(prsOfMade(secret));
  const { salt, keyBytes, options } = stretchParameters(nameplate);
  return new Promise((resolve, reject) => {
    scrypt(chosenSecretBytes(secret), salt, keyBytes, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}
