/**
 * A client, the relay's `EngineerTelnet` and a daemon, with every byte between them on its way in a queue that is
 * emptied in random order and pieces. Client and daemon negotiate ECHO and SGA by the book (RFC 1143).
 */
import { EngineerTelnet } from '../../src/relay/engineer-telnet.ts';
import { DO, DONT, OPTION, WILL, WONT, encodeOption } from '../../src/wire/telnet.ts';
import { TelnetDecoder } from '../wire/telnet-reader.ts';
import type { SeededRandom } from '../wire/seeded.ts';

export const OPTIONS: readonly number[] = [OPTION.ECHO, OPTION.SGA];

/** Client, relay, daemon and the four half-connections between them, each a queue that random cuts drain. */
export class World {
  readonly telnet: EngineerTelnet;
  readonly client: OptionTaker;
  daemon: OptionOfferer;
  /** Each daemon reads from its first byte. */
  #daemonDecoder = decoderFor((verb, option) => this.daemon.receive(verb, option));
  readonly #random: SeededRandom;
  readonly #queues = { clientToRelay: [], relayToClient: [], daemonToRelay: [], relayToDaemon: [] } as Queues;
  readonly #readers: Readers;
  #isSynced = false;
  #spoke = false;
  #sent = 0;

  constructor(random: SeededRandom, agrees: boolean) {
    this.#random = random;
    const send = (queue: keyof Queues) => (bytes: Uint8Array) => {
      this.#sent += bytes.length;
      this.#queues[queue].push(...bytes);
    };
    this.telnet = new EngineerTelnet({
      toClient: send('relayToClient'),
      toDaemon: send('relayToDaemon'),
      typed() {},
      interrupt() {},
      synced: () => (this.#isSynced = true),
      settled() {},
      overflow() {},
    });
    this.client = new OptionTaker(agrees, send('clientToRelay'));
    this.daemon = new OptionOfferer(send('daemonToRelay'));
    const clientDecoder = decoderFor((verb, option) => this.client.receive(verb, option));
    this.#readers = {
      relayToClient: (bytes) => clientDecoder.push(bytes),
      clientToRelay: (bytes) => this.telnet.fromClient(bytes),
      relayToDaemon: (bytes) => this.#daemonDecoder.push(bytes),
      daemonToRelay: (bytes) => this.telnet.fromDaemon(bytes),
    };
    this.telnet.greet();
    this.#settleDown();
  }

  /** A whole visit, up to where nothing moves any more. Returns what is wrong then, if anything. */
  visit(): string | undefined {
    this.beginVisit();
    return this.#settleDown() ?? this.#disagreement();
  }

  /** A visit with bytes still on their way in all directions. */
  beginVisit(): void {
    this.daemon = new OptionOfferer((bytes) => {
      this.#sent += bytes.length;
      this.#queues.daemonToRelay.push(...bytes);
    });
    this.#daemonDecoder = decoderFor((verb, option) => this.daemon.receive(verb, option));
    this.#spoke = false;
    this.#sync(() => this.telnet.startSync());
    this.telnet.beginVisit();
    for (let acts = this.#random.integer(8); acts > 0; acts--) {
      this.#daemonActs();
      for (let moves = this.#random.integer(4); moves > 0; moves--) this.#move();
    }
  }

  /** The daemon is gone, at whatever byte of a command. */
  leave(): void {
    this.#queues.daemonToRelay.length = 0;
    this.#sync(() => this.telnet.endVisit());
    this.#queues.relayToDaemon.length = 0;
  }

  #sync(start: () => void): void {
    this.#isSynced = false;
    start();
    this.#settleDown();
    if (!this.#isSynced) throw new Error('not synced');
  }

  #daemonActs(): void {
    const option = OPTIONS[this.#random.integer(2)];
    const act = this.#random.integer(5);
    if (act < 2) this.daemon.want(option, true);
    else if (act === 2) this.daemon.want(option, false);
    else if (act === 3) this.#daemonSpeaks();
  }

  #daemonSpeaks(): void {
    this.#spoke = true;
    this.#queues.daemonToRelay.push(0x78);
  }

  /** Moves some bytes of one queue. Returns false if all are empty. */
  #move(): boolean {
    const full = (Object.keys(this.#queues) as Array<keyof Queues>).filter(
      (name) => this.#queues[name].length > 0,
    );
    if (full.length === 0) return false;
    const name = full[this.#random.integer(full.length)];
    const bytes = this.#queues[name].splice(0, 1 + this.#random.integer(4));
    this.#readers[name](Uint8Array.from(bytes));
    return true;
  }

  #settleDown(): string | undefined {
    const limit = this.#sent + 1_000;
    while (this.#move()) if (this.#sent > limit) return 'a negotiation loop';
    return undefined;
  }

  #disagreement(): string | undefined {
    for (const option of OPTIONS) {
      const [client, daemon] = [this.client.isOn(option), this.daemon.isOn(option)];
      // Agreed with the relay and not claimed yet: the one state in which client and daemon may differ.
      const waits = client && !daemon && !this.#spoke && this.telnet.phase === 'handover';
      if (client !== daemon && !waits) return `option ${option}: client ${client}, daemon ${daemon}`;
    }
    return undefined;
  }
}

type Queues = Record<'clientToRelay' | 'relayToClient' | 'daemonToRelay' | 'relayToDaemon', number[]>;
type Readers = Record<keyof Queues, (bytes: Uint8Array) => void>;

/** The client's end of both options (RFC 1143, "him"), and of TIMING-MARK: never of its own accord. */
class OptionTaker {
  readonly #agrees: boolean;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #on = new Set<number>();

  constructor(agrees: boolean, send: (bytes: Uint8Array) => void) {
    this.#agrees = agrees;
    this.#send = send;
  }

  isOn(option: number): boolean {
    return this.#on.has(option);
  }

  receive(verb: number, option: number): void {
    if (verb === DO && option === OPTION.TIMING_MARK) this.#send(encodeOption(WONT, option));
    if (!OPTIONS.includes(option)) return;
    if (verb === WILL && !this.#on.has(option)) {
      if (this.#agrees) this.#on.add(option);
      this.#send(encodeOption(this.#agrees ? DO : DONT, option));
    } else if (verb === WONT && this.#on.delete(option)) {
      this.#send(encodeOption(DONT, option));
    }
  }
}

type Us = 'no' | 'wantYes' | 'wantYesOpposite' | 'yes' | 'wantNo' | 'wantNoOpposite';

/** The daemon's end (RFC 1143 with queue bits, "us"): it agrees to what it is asked. */
class OptionOfferer {
  readonly #send: (bytes: Uint8Array) => void;
  readonly #states = new Map<number, Us>();

  constructor(send: (bytes: Uint8Array) => void) {
    this.#send = send;
  }

  isOn(option: number): boolean {
    return this.#state(option) === 'yes';
  }

  want(option: number, on: boolean): void {
    const state = this.#state(option);
    if (on && state === 'no') this.#change(option, 'wantYes', WILL);
    else if (on && state === 'wantNo') this.#states.set(option, 'wantNoOpposite');
    else if (on && state === 'wantYesOpposite') this.#states.set(option, 'wantYes');
    else if (!on && state === 'yes') this.#change(option, 'wantNo', WONT);
    else if (!on && state === 'wantYes') this.#states.set(option, 'wantYesOpposite');
    else if (!on && state === 'wantNoOpposite') this.#states.set(option, 'wantNo');
  }

  receive(verb: number, option: number): void {
    if (verb !== DO && verb !== DONT) return;
    const state = this.#state(option);
    if (verb === DO) {
      if (state === 'no') this.#change(option, 'yes', WILL);
      else if (state === 'wantYes') this.#states.set(option, 'yes');
      else if (state === 'wantYesOpposite') this.#change(option, 'wantNo', WONT);
      else if (state === 'wantNo') this.#states.set(option, 'no');
      else if (state === 'wantNoOpposite') this.#states.set(option, 'yes');
    } else if (state === 'yes') this.#change(option, 'no', WONT);
    else if (state === 'wantNoOpposite') this.#change(option, 'wantYes', WILL);
    else if (state !== 'no') this.#states.set(option, 'no');
  }

  #state(option: number): Us {
    return this.#states.get(option) ?? 'no';
  }

  #change(option: number, state: Us, verb: number): void {
    this.#states.set(option, state);
    this.#send(encodeOption(verb, option));
  }
}

function decoderFor(option: (verb: number, option: number) => void): TelnetDecoder {
  return new TelnetDecoder({ data() {}, command() {}, option, subnegotiation() {}, overflow() {} });
}
