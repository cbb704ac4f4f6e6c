/**
 * Telnet options that would hide the visit from the customer, refused in both directions: encryption (and the
 * authentication that may begin it), TLS and compression inside the telnet stream. Everything else passes byte for
 * byte.
 *
 * Works on one direction: `push` takes a chunk and returns what goes on. An offer or request of a refused option is
 * taken out and answered to its sender with a refusal, as a peer without the option would (RFC 854, RFC 1143); its
 * subnegotiations are taken out. Data is handed to `shown` on the way, without telnet commands. A command that is cut
 * by the end of a chunk is held until the rest comes. However many pieces a chunk falls into, each of these happens
 * at most once a chunk.
 */
import {
  DO,
  DONT,
  encodeCommand,
  encodeOption,
  COMMAND,
  OPTION,
  TelnetScanner,
  WILL,
  WONT,
} from '../wire/telnet.ts';

/** AUTHENTICATION (RFC 2941) may begin encryption or TLS by itself; ENCRYPT is RFC 2946, COMPRESS is MCCP. */
const REFUSED: ReadonlySet<number> = new Set([
  OPTION.AUTHENTICATION,
  OPTION.ENCRYPT,
  OPTION.START_TLS,
  OPTION.COMPRESS,
  OPTION.COMPRESS2,
  OPTION.COMPRESS3,
]);
const ANSWER: ReadonlyMap<number, number> = new Map([
  [WILL, DONT],
  [DO, WONT],
]);
const SUBNEGOTIATION = encodeCommand(COMMAND.SB);
const SUBNEGOTIATION_END = encodeCommand(COMMAND.SE);
const NO_OPERATION = encodeCommand(COMMAND.NOP);

export interface RefusalSink {
  /** Data of this direction, unescaped. Absent where nobody looks. */
  shown?(bytes: Uint8Array): void;
  /** Refusals, for whoever sent the chunk. */
  answer(bytes: Uint8Array): void;
}

export class OptionRefusal {
  readonly #sink: RefusalSink;
  readonly #passed = new Runs();
  readonly #shown: Runs | null;
  readonly #answers = new Runs();
  readonly #scanner: TelnetScanner;
  #subnegotiation: 'begun' | 'passed' | 'dropped' = 'dropped';
  /** A subnegotiation went on without its end: the command that cut it off has to follow. */
  #isCutOff = false;

  constructor(sink: RefusalSink) {
    this.#sink = sink;
    this.#shown = sink.shown ? new Runs() : null;
    this.#scanner = new TelnetScanner({
      data: (bytes, wire) => {
        this.#shown?.add(bytes);
        this.#passed.add(wire);
      },
      command: (code) => this.#pass(encodeCommand(code)),
      option: (verb, option) => this.#option(verb, option),
      subnegotiationBegan: () => {
        this.#subnegotiation = 'begun';
      },
      subnegotiationPart: (bytes, wire) => this.#subnegotiationPart(bytes, wire),
      subnegotiationEnded: (complete) => this.#subnegotiationEnded(complete),
    });
  }

  /** What goes on: a view of `chunk` when nothing is taken out of it, empty when nothing goes on. */
  push(chunk: Uint8Array): Uint8Array {
    this.#scanner.push(chunk);
    if (this.#shown && !this.#shown.isEmpty) this.#sink.shown!(this.#shown.take());
    if (!this.#answers.isEmpty) this.#sink.answer(this.#answers.take());
    return this.#passed.take();
  }

  #option(verb: number, option: number): void {
    if (!REFUSED.has(option)) return this.#pass(encodeOption(verb, option));
    this.#drop();
    const answer = ANSWER.get(verb);
    if (answer !== undefined) this.#answers.add(encodeOption(answer, option));
  }

  #subnegotiationPart(bytes: Uint8Array, wire: Uint8Array): void {
    if (this.#subnegotiation === 'begun') this.#judgeSubnegotiation(bytes[0]);
    if (this.#subnegotiation === 'passed') this.#passed.add(wire);
  }

  #judgeSubnegotiation(option: number): void {
    this.#subnegotiation = REFUSED.has(option) ? 'dropped' : 'passed';
    if (this.#subnegotiation === 'passed') this.#pass(SUBNEGOTIATION);
    else this.#drop();
  }

  #subnegotiationEnded(complete: boolean): void {
    if (this.#subnegotiation === 'begun') this.#pass(SUBNEGOTIATION);
    if (this.#subnegotiation !== 'dropped') {
      if (complete) this.#passed.add(SUBNEGOTIATION_END);
      this.#isCutOff = !complete;
    }
    this.#subnegotiation = 'dropped';
  }

  #pass(command: Uint8Array): void {
    this.#isCutOff = false;
    this.#passed.add(command);
  }

  /** In place of a command that is taken out: without it, what follows would become part of a subnegotiation. */
  #drop(): void {
    if (this.#isCutOff) this.#pass(NO_OPERATION);
  }
}

/** Views in order; neighbours in one buffer become one view, so that plain data is not copied. */
class Runs {
  readonly #runs: Uint8Array[] = [];
  #bytes: ArrayBufferLike | null = null;
  #from = 0;
  #to = 0;

  get isEmpty(): boolean {
    return this.#bytes === null;
  }

  add(view: Uint8Array): void {
    if (view.buffer === this.#bytes && view.byteOffset === this.#to) {
      this.#to += view.length;
      return;
    }
    this.#close();
    this.#bytes = view.buffer;
    this.#from = view.byteOffset;
    this.#to = view.byteOffset + view.length;
  }

  /** All that was added since the last call, as one. */
  take(): Uint8Array {
    this.#close();
    const runs = this.#runs.splice(0);
    return runs.length === 1 ? runs[0] : Buffer.concat(runs);
  }

  #close(): void {
    if (this.#bytes !== null) this.#runs.push(new Uint8Array(this.#bytes, this.#from, this.#to - this.#from));
    this.#bytes = null;
  }
}
