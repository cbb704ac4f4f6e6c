/**
 * Telnet as a reader has it: data, commands, options and whole subnegotiations, in words where a test compares them,
 * and the encoders of what the programs never send themselves. Built on the scanner under test.
 */
import { checkInteger } from '../../src/base/check.ts';
import { COMMAND, DO, DONT, IAC, OPTION, TelnetScanner, WILL, WONT } from '../../src/wire/telnet.ts';

const NOTHING = new Uint8Array(0);
const VERB_NAMES: ReadonlyMap<number, string> = new Map([
  [WILL, 'WILL'],
  [WONT, 'WONT'],
  [DO, 'DO'],
  [DONT, 'DONT'],
]);
const COMMAND_NAMES = namesOf(COMMAND);
const OPTION_NAMES = namesOf(OPTION);

/** "DO NAWS", "WILL 99": one negotiation in words, for logs and tests. */
export function describeOption(verb: number, option: number): string {
  return `${VERB_NAMES.get(verb) ?? verb} ${OPTION_NAMES.get(option) ?? option}`;
}

/** "IP", "AYT", "200": one command in words. */
export function describeCommand(code: number): string {
  return COMMAND_NAMES.get(code) ?? String(code);
}

/** What a `TelnetDecoder` reads, in order. Bytes are views, valid during the call. */
export interface TelnetSink {
  data(bytes: Uint8Array): void;
  /** One of COMMAND, or an unknown code from 0 to 249. */
  command(code: number): void;
  /** `verb` is WILL, WONT, DO or DONT; `option` any byte. */
  option(verb: number, option: number): void;
  /** A whole subnegotiation, unescaped, without its option byte. */
  subnegotiation(option: number, bytes: Uint8Array): void;
  /** A subnegotiation grew beyond the limit; it is skipped to its end. */
  overflow(): void;
}

/** Reads telnet. Subnegotiations beyond `limitBytes` (option byte not counted) are reported and skipped. */
export class TelnetDecoder {
  readonly #sink: TelnetSink;
  readonly #scanner: TelnetScanner;
  readonly #limitBytes: number;
  /** The subnegotiation being read, option first; allocated when the first one comes. */
  #held = NOTHING;
  #heldLength = 0;
  #tooLong = false;

  constructor(sink: TelnetSink, limitBytes = 512) {
    this.#sink = sink;
    this.#limitBytes = checkInteger('limitBytes', limitBytes, 1, 65_536);
    this.#scanner = new TelnetScanner({
      data: (bytes) => sink.data(bytes),
      command: (code) => sink.command(code),
      option: (verb, option) => sink.option(verb, option),
      subnegotiationBegan: () => this.#begin(),
      subnegotiationPart: (bytes) => this.#append(bytes),
      subnegotiationEnded: (complete) => this.#end(complete),
    });
  }

  push(chunk: Uint8Array): void {
    this.#scanner.push(chunk);
  }

  #begin(): void {
    if (this.#held.length === 0) this.#held = new Uint8Array(1 + this.#limitBytes);
    this.#heldLength = 0;
    this.#tooLong = false;
  }

  #append(bytes: Uint8Array): void {
    if (this.#tooLong) return;
    if (this.#heldLength + bytes.length > this.#held.length) {
      this.#tooLong = true;
      this.#sink.overflow();
      return;
    }
    this.#held.set(bytes, this.#heldLength);
    this.#heldLength += bytes.length;
  }

  #end(complete: boolean): void {
    if (!complete || this.#tooLong || this.#heldLength === 0) return;
    this.#sink.subnegotiation(this.#held[0], this.#held.subarray(1, this.#heldLength));
  }
}

/** IAC SB option content IAC SE, with every 255 in option and content doubled (RFC 855). */
export function encodeSubnegotiation(option: number, content: Uint8Array): Uint8Array {
  const opening = option === IAC ? [IAC, COMMAND.SB, IAC, IAC] : [IAC, COMMAND.SB, option];
  const escaped = escapeData(content);
  const frame = new Uint8Array(opening.length + escaped.length + 2);
  frame.set(opening);
  frame.set(escaped, opening.length);
  frame.set([IAC, COMMAND.SE], opening.length + escaped.length);
  return frame;
}

/** Data as it goes on the wire: each 255 doubled. Returns `bytes` itself when there is none. */
export function escapeData(bytes: Uint8Array): Uint8Array {
  let next = bytes.indexOf(IAC);
  if (next < 0) return bytes;
  const escaped = new Uint8Array(bytes.length * 2);
  let from = 0;
  let length = 0;
  while (next >= 0) {
    escaped.set(bytes.subarray(from, next + 1), length);
    length += next + 1 - from;
    escaped[length++] = IAC;
    from = next + 1;
    next = bytes.indexOf(IAC, from);
  }
  escaped.set(bytes.subarray(from), length);
  return escaped.subarray(0, length + bytes.length - from);
}

function namesOf(numbers: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(numbers).map(([name, number]) => [number, name.replaceAll('_', '-')]));
}
