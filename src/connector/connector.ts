/**
 * tndconnect as a whole: checks the daemon, dials the relay, proves the password, then serves what the relay orders
 * until the session is over. `run` resolves with the exit status; everything it opened is closed by then.
 *
 * The order matters: nothing is dialled before the log is open and the daemon answers, and no password message is
 * sent twice.
 */
import { generateKeyPairSync, scrypt } from 'node:crypto';
import { hostPortText, plainAddress } from '../base/address.ts';
import type { Cancel, Clock } from '../base/clock.ts';
import { errorCode, errorText, OperatorError } from '../base/errors.ts';
import { durationText } from '../base/options.ts';
import { visibleText } from '../base/text.ts';
import type { UrgentData } from '../stream/socket-calls.ts';
import { PROTOCOL_VERSION, WARNING, type FrameFields } from '../wire/frames.ts';
import type { Outcome } from '../wire/outcomes.ts';
import {
  chosenSecretBytes,
  guessOdds,
  parsePassword,
  prsOfMade,
  stretchParameters,
  type TypedPassword,
} from '../wire/password.ts';
import { WireError } from '../wire/wire-error.ts';
import type { Console } from './console.ts';
import { ControlLink, type Accepted, type ControlHost } from './control-link.ts';
import { dialRelay, dialTcp, type Secured } from './dial.ts';
import { Ended, ENDING_STATUS, outcomeEnding, type Ending } from './ending.ts';
import type { ConnectorOptions } from './options.ts';
import type { Transcript } from './transcript.ts';
import { Visit, type VisitHost } from './visit.ts';

export interface ConnectorSurroundings {
  readonly clock: Clock;
  readonly console: Console;
  readonly transcript: Transcript;
  readonly urgent: UrgentData;
  readonly hostName: string;
  readonly hostsFile: string;
  readonly software: string;
}

/** After a visit that ended in good order, last bytes get this long before the program ends. */
const LAST_BYTES_MS = 5_000;
/** A person's, from seeing that a question is gone to not pressing its key any more, amply. */
const REACTION_MS = 1_000;

export class Connector implements ControlHost, VisitHost {
  readonly clock: Clock;
  readonly urgent: UrgentData;
  readonly hostsFile: string;
  readonly #options: ConnectorOptions;
  readonly #surroundings: ConnectorSurroundings;
  readonly #visits = new Map<string, Visit>();
  readonly #stopping = new AbortController();
  #secured: Secured | null = null;
  #link: ControlLink | null = null;
  #accepted: Accepted | null = null;
  #cancelWait: Cancel = () => {};
  #waitEndMs = 0;
  #asking: string | null = null;
  /** A key that is pressed before may be meant for the question that was withdrawn. */
  #nextQuestionMs = 0;
  #onVisitsOver: () => void = () => {};
  #resolve: (ending: Ending) => void = () => {};
  readonly #ending: Promise<Ending>;

  constructor(options: ConnectorOptions, surroundings: ConnectorSurroundings) {
    this.#options = options;
    this.#surroundings = surroundings;
    this.clock = surroundings.clock;
    this.urgent = surroundings.urgent;
    this.hostsFile = surroundings.hostsFile;
    surroundings.console.onRoom = () => {
      for (const visit of this.#visits.values()) visit.goOn();
    };
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

  get dataKey(): Uint8Array {
    return this.#accepted!.dataKey;
  }

  /** Does all of it. Rejects with OperatorError for what must be mended before a start. */
  async run(password: string): Promise<number> {
    const typed = parsePassword(password);
    if (typed.kind === 'refused') throw new OperatorError(typed.sentence);
    const start = this.#start(typed).catch((error: unknown) => this.#stop(endingOf(error)));
    const ending = await this.#ending;
    await start;
    this.#cancelWait();
    this.#surroundings.console.withdraw();
    for (const visit of this.#visits.values()) visit.end('now');
    this.#link?.close();
    this.#tell(ending.text);
    return ending.status;
  }

  /** Ctrl+C, or a signal: ends the visit and the program, telling the relay. */
  interrupt(): void {
    this.#link?.leave();
    this.#stop(outcomeEnding('customer'));
  }

  async #start(typed: TypedPassword): Promise<void> {
    const { host, port, targetText, wait } = this.#options;
    this.event(
      `tndconnect starts: relay ${hostPortText({ host, port })}, target ${hostPortText(this.target)}.`,
    );
    const targetAddress = await this.#checkDaemon();
    const odds = typed.kind === 'chosen' ? guessOdds(typed.bits) : undefined;
    if (odds !== undefined) this.event(`This password is short. ${odds}`);
    const prs = await passwordString(typed);
    const secured = await dialRelay({ host, port }, this);
    this.#secured = secured;
    const { publicKey } = generateKeyPairSync('ed25519');
    const card = {
      version: PROTOCOL_VERSION,
      nameplate: typed.nameplate,
      publicKey: publicKey.export({ type: 'spki', format: 'der' }).subarray(-32),
      software: this.#surroundings.software,
      target: targetText,
      targetAddress,
      localAddress: secured.localAddress,
      hostName: this.#surroundings.hostName,
      features: 0,
    };
    this.#link = new ControlLink(this, this.clock, secured, card, prs);
    const accepted = await this.#link.enter().finally(() => prs.fill(0));
    this.#accepted = accepted;
    this.event(`Connected to relay ${accepted.relay.relayId}; both sides have proved the password.`);
    this.event(
      `Session ${accepted.session}: waiting for the engineer, at most ${durationText(wait)}. Ctrl+C ends it.`,
    );
    if (this.#options.consent === 'auto')
      this.event('-consent auto: engineers are let in without a question.');
    this.#waitEndMs = this.clock.now() + wait;
    this.#wait();
  }

  /** Until a visit is asked for, or for what is left of the time after one was withdrawn. */
  #wait(): void {
    this.#cancelWait = this.clock.after(Math.max(0, this.#waitEndMs - this.clock.now()), () => {
      this.#link?.leave('unused');
      this.#stop(outcomeEnding('unused'));
    });
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

  visitRequested(request: FrameFields<'visitRequest'>): void {
    if (this.#visits.size > 0) throw new WireError('unexpected-frame', 'a second visit at once');
    this.#answer(request).catch((error: unknown) => this.#stop(endingOf(error)));
  }

  async #answer(request: FrameFields<'visitRequest'>): Promise<void> {
    const { console } = this.#surroundings;
    const { visit: id, who, from, over } = request;
    const visit = new Visit(id, this);
    this.#visits.set(id, visit);
    this.#cancelWait();
    this.event(`Visit asked for by ${visibleText(who)} from ${visibleText(from)} over ${visibleText(over)}.`);
    const answer = await this.#consent(request);
    if (answer === 'withdrawn' || visit.isOver) return;
    this.event(answer === 'yes' ? 'The visit is allowed.' : 'The visit is refused.');
    if (answer === 'yes') visit.allow();
    else if (!console.hasKeyboard)
      this.event('There is no terminal to ask at: use -consent auto to allow visits.');
    this.#link?.send('consent', { visit: id, granted: answer === 'yes' ? 1 : 0 });
  }

  async #consent({
    visit: id,
    who,
    answerMs,
  }: FrameFields<'visitRequest'>): Promise<'yes' | 'no' | 'withdrawn'> {
    const { console } = this.#surroundings;
    if (this.#options.consent === 'auto') return 'yes';
    if (!console.hasKeyboard) return 'no';
    await this.#pause(this.#nextQuestionMs - this.clock.now());
    if (this.#visits.get(id)?.isOver !== false) return 'withdrawn';
    const seconds = Math.round(answerMs / 1_000);
    const question = `Let ${visibleText(who)} work on ${this.#options.targetText}? (y/n, ${seconds} s)`;
    const cancel = this.clock.after(answerMs, () => console.withdraw());
    this.#asking = id;
    try {
      return await console.ask(question);
    } finally {
      this.#asking = null;
      cancel();
    }
  }

  #pause(ms: number): Promise<void> | void {
    if (ms > 0) return new Promise((resolve) => void this.clock.after(ms, resolve));
  }

  visitCancelled(id: string): void {
    const visit = this.#visits.get(id);
    if (!visit) return;
    this.event('The engineer is gone again; waiting.');
    if (this.#asking === id) {
      this.#nextQuestionMs = this.clock.now() + REACTION_MS;
      this.#surroundings.console.withdraw();
    }
    visit.end('now');
    this.#wait();
  }

  dataWanted({ visit: id, host, port }: FrameFields<'openData'>): void {
    const { reached } = this.#secured!;
    const relay = { host: host === '' ? reached.host : host, port: port === 0 ? reached.port : port };
    this.#visits
      .get(id)
      ?.open(relay)
      .catch((error: unknown) => this.#stop(endingOf(error)));
  }

  warned({ kind, remainingMs }: FrameFields<'warning'>): void {
    const seconds = Math.round(remainingMs / 1_000);
    const why =
      kind === WARNING.idle ? 'Nothing was typed or shown for a while' : 'The visit has lasted its time';
    this.event(`${why}: it ends in ${seconds} s.`);
  }

  sessionOver(outcome: Outcome | null): void {
    const ending = outcomeEnding(outcome ?? 'failure');
    const active = [...this.#visits.values()].filter((visit) => !visit.isOver);
    if (ending.status !== 0 || active.length === 0) return this.#stop(ending);
    this.#onVisitsOver = () => this.#stop(ending);
    this.#cancelWait = this.clock.after(LAST_BYTES_MS, () => this.#stop(ending));
    for (const visit of active) visit.end('gracefully');
  }

  relayLost(why: string): void {
    const text = `The connection to the relay broke off (${why}).`;
    this.#stop({ status: ENDING_STATUS.relayLost, text });
  }

  shown(bytes: Uint8Array): boolean {
    const { console, transcript } = this.#surroundings;
    this.#record(() => transcript.shown(bytes));
    return this.#options.noecho || console.show(bytes);
  }

  event(text: string): void {
    this.#tell(text);
  }

  detail(text: string): void {
    if (this.#options.verbose) this.#tell(text);
  }

  failed(visit: string, reason: number): void {
    this.#link?.send('visitFailed', { visit, reason });
  }

  visitOver(id: string): void {
    this.#surroundings.console.restoreScreen();
    this.#visits.delete(id);
    if (this.#visits.size === 0) this.#onVisitsOver();
  }

  #tell(text: string): void {
    this.#record(() => this.#surroundings.transcript.event(text));
    this.#surroundings.console.say(text);
  }

  /** A visit that cannot be recorded is no visit. */
  #record(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      this.#link?.leave();
      this.#stop(error.ending);
    }
  }

  /** The first ending counts. */
  #stop(ending: Ending): void {
    this.#resolve(ending);
    this.#stopping.abort();
  }
}

function endingOf(error: unknown): Ending {
  if (error instanceof Ended) return error.ending;
  throw error;
}

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
