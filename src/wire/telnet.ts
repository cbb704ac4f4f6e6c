/**
 * The telnet protocol as bytes (RFC 854, RFC 855): its numbers, a scanner and the encoders.
 *
 * `TelnetScanner` cuts a stream into pieces whose wire forms, put one after the other, are the stream again, so a
 * relay can take out one command and pass the rest on untouched. It does not depend on where the stream is cut into
 * chunks, keeps two bytes at most, and passes data on as views of the chunk it came in. The relay's dialogue and
 * hand-over and the connector's live view use it.
 */

/** Interpret As Command: the byte that opens every command, doubled where it stands for itself. */
export const IAC = 255;

/** Command codes (RFC 854; EOF, SUSP, ABORT: RFC 1184; EOR: RFC 885). */
export const COMMAND = {
  EOF: 236,
  SUSP: 237,
  ABORT: 238,
  EOR: 239,
  SE: 240,
  NOP: 241,
  DM: 242,
  BRK: 243,
  IP: 244,
  AO: 245,
  AYT: 246,
  EC: 247,
  EL: 248,
  GA: 249,
  SB: 250,
} as const;

/** The four negotiation verbs (RFC 855). */
export const WILL = 251;
export const WONT = 252;
export const DO = 253;
export const DONT = 254;

/** Option numbers (IANA "Telnet Options"). */
export const OPTION = {
  BINARY: 0,
  ECHO: 1,
  SGA: 3,
  STATUS: 5,
  TIMING_MARK: 6,
  LOGOUT: 18,
  SEND_LOCATION: 23,
  TERMINAL_TYPE: 24,
  END_OF_RECORD: 25,
  NAWS: 31,
  TERMINAL_SPEED: 32,
  REMOTE_FLOW_CONTROL: 33,
  LINEMODE: 34,
  X_DISPLAY_LOCATION: 35,
  ENVIRON: 36,
  AUTHENTICATION: 37,
  ENCRYPT: 38,
  NEW_ENVIRON: 39,
  CHARSET: 42,
  COM_PORT_CONTROL: 44,
  START_TLS: 46,
  COMPRESS: 85,
  COMPRESS2: 86,
  COMPRESS3: 87,
} as const;

/**
 * What a `TelnetScanner` finds, in order. `wire` is the piece as it came; `bytes` the same with each IAC pair
 * reduced to one 255. Both are views of the pushed chunk, valid as long as it is.
 */
export interface TelnetPieces {
  data(bytes: Uint8Array, wire: Uint8Array): void;
  /** IAC code, for every code that is neither a verb nor SB. A stray SE comes here as well. */
  command(code: number): void;
  /** IAC verb option. */
  option(verb: number, option: number): void;
  /** IAC SB. */
  subnegotiationBegan(): void;
  /** What stands between IAC SB and IAC SE; the first byte of all is the option. */
  subnegotiationPart(bytes: Uint8Array, wire: Uint8Array): void;
  /** IAC SE; or, with `complete` false, nothing on the wire: a command cut the subnegotiation off (it follows). */
  subnegotiationEnded(complete: boolean): void;
}

const IN_DATA = 0;
const AFTER_IAC = 1;
const AFTER_VERB = 2;
const IN_SUBNEGOTIATION = 3;
const AFTER_IAC_IN_SUBNEGOTIATION = 4;

const NOTHING = new Uint8Array(0);
const IAC_ONCE = Uint8Array.of(IAC);
const IAC_TWICE = Uint8Array.of(IAC, IAC);

/** Cuts a telnet stream into its pieces, whatever the chunks. */
export class TelnetScanner {
  readonly #pieces: TelnetPieces;
  #state = IN_DATA;
  #verb = 0;

  constructor(pieces: TelnetPieces) {
    this.#pieces = pieces;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      switch (this.#state) {
        case IN_DATA:
          at = this.#run(chunk, at, AFTER_IAC);
          break;
        case AFTER_IAC:
          this.#afterIac(chunk[at++]);
          break;
        case AFTER_VERB:
          this.#state = IN_DATA;
          this.#pieces.option(this.#verb, chunk[at++]);
          break;
        case IN_SUBNEGOTIATION:
          at = this.#run(chunk, at, AFTER_IAC_IN_SUBNEGOTIATION);
          break;
        default:
          if (this.#afterIacInSubnegotiation(chunk[at])) at++;
      }
    }
  }

  /** The bytes of a command begun and not yet reported (none, IAC, or IAC verb). The scanner starts afresh. */
  takePartial(): Uint8Array {
    const state = this.#state;
    this.#state = IN_DATA;
    if (state === AFTER_VERB) return Uint8Array.of(IAC, this.#verb);
    return state === AFTER_IAC || state === AFTER_IAC_IN_SUBNEGOTIATION ? IAC_ONCE : NOTHING;
  }

  /** Reports bytes up to the next IAC, together with that IAC if it is one of a pair. Returns where to go on. */
  #run(chunk: Uint8Array, from: number, iacState: number): number {
    const iacAt = chunk.indexOf(IAC, from);
    if (iacAt < 0) {
      const rest = from === 0 ? chunk : chunk.subarray(from);
      this.#report(rest, rest);
      return chunk.length;
    }
    if (chunk[iacAt + 1] === IAC) {
      this.#report(chunk.subarray(from, iacAt + 1), chunk.subarray(from, iacAt + 2));
      return iacAt + 2;
    }
    if (iacAt > from) {
      const run = chunk.subarray(from, iacAt);
      this.#report(run, run);
    }
    // Set last: a pair or plain bytes leave the state alone, so a report always sees the state it belongs to.
    this.#state = iacState;
    return iacAt + 1;
  }

  #report(bytes: Uint8Array, wire: Uint8Array): void {
    if (this.#state === IN_DATA) this.#pieces.data(bytes, wire);
    else this.#pieces.subnegotiationPart(bytes, wire);
  }

  #afterIac(byte: number): void {
    if (byte >= WILL && byte <= DONT) {
      this.#verb = byte;
      this.#state = AFTER_VERB;
      return;
    }
    this.#state = byte === COMMAND.SB ? IN_SUBNEGOTIATION : IN_DATA;
    if (byte === IAC) this.#report(IAC_ONCE, IAC_TWICE);
    else if (byte === COMMAND.SB) this.#pieces.subnegotiationBegan();
    else this.#pieces.command(byte);
  }

  /**
   * Returns whether the byte was used. Anything but IAC and SE is an error of the sender; like the BSD programs we
   * take the subnegotiation for ended and the byte for that of a command, or a lost SE would swallow the stream.
   */
  #afterIacInSubnegotiation(byte: number): boolean {
    if (byte === IAC) {
      this.#state = IN_SUBNEGOTIATION;
      this.#report(IAC_ONCE, IAC_TWICE);
      return true;
    }
    const complete = byte === COMMAND.SE;
    this.#state = complete ? IN_DATA : AFTER_IAC;
    this.#pieces.subnegotiationEnded(complete);
    return complete;
  }
}

/** IAC verb option. */
export function encodeOption(verb: number, option: number): Uint8Array {
  return Uint8Array.of(IAC, verb, option);
}

/** IAC code. */
export function encodeCommand(code: number): Uint8Array {
  return Uint8Array.of(IAC, code);
}

/** Whether a chunk holds nothing but IAC NOP, the keepalive of telnet clients: it is no activity. */
export function isOnlyNop(chunk: Uint8Array): boolean {
  if (chunk.length === 0 || chunk.length % 2 !== 0 || chunk[0] !== IAC) return false;
  for (let at = 0; at < chunk.length; at += 2) {
    if (chunk[at] !== IAC || chunk[at + 1] !== COMMAND.NOP) return false;
  }
  return true;
}
