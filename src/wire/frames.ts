/**
 * The frames of the connector protocol (docs/PROTOCOL.md, section 3): what each carries, and its bytes.
 *
 *   length u16 | type u8 | payload          length counts type and payload, 1..2048, big endian
 *
 * One table declares every frame and its fields; encoder, decoder and TypeScript types all follow from it, so they
 * cannot drift apart. Decoding is strict: unknown types, short or overlong payloads, text that is not UTF-8 and
 * trailing bytes are each a `WireError`. Pure bytes: no socket, timer or clock.
 */
import { WireError } from './wire-error.ts';

/** Protocol version carried in `hello`; a relay refuses any other. */
export const PROTOCOL_VERSION = 1;
/** The ALPN name of control and data connections. */
export const ALPN = 'secure-telnet/1';
/** Bytes of a visit id, all random in version 1. */
export const VISIT_ID_BYTES = 16;
/** Largest `length` of a frame. */
export const FRAME_BYTES_MAX = 2_048;
export const FRAME_LENGTH_BYTES = 2;

interface Field<V> {
  write(value: V, out: Writer): void;
  read(input: Reader): V;
}

type Fields = Readonly<Record<string, Field<unknown>>>;
type Values<F extends Fields> = { [K in keyof F]: F[K] extends Field<infer V> ? V : never };

const u8 = integer(1);
const u16 = integer(2);
const u32 = integer(4);

/** What the connector says of itself in `hello`: bound into the password exchange as ADa. */
export const CONNECTOR_CARD = {
  version: u8,
  nameplate: text(6),
  /** Ed25519, made for this run: what a standing connector proves itself with when it comes back. */
  publicKey: bytes(32),
  software: text(64),
  /** The daemon as the customer typed it. */
  target: text(262),
  /** The daemon's address as resolved by the connector. */
  targetAddress: text(64),
  /** The connector's own address on the connection to the relay. */
  localAddress: text(64),
  hostName: text(255),
  /** Bit set of FEATURE. */
  features: u32,
} as const satisfies Fields;

/** What the relay says of itself in `challenge`: bound into the password exchange as ADb. */
export const RELAY_CARD = {
  version: u8,
  relayId: text(64),
  software: text(64),
} as const satisfies Fields;

/** Every frame, by direction of the connection it belongs to. */
export const FRAMES = {
  // Control connection, password exchange, in this order.
  hello: { type: 1, fields: { share: bytes(32), card: blob(1_024) } },
  challenge: { type: 2, fields: { share: bytes(32), card: blob(1_024) } },
  confirm: { type: 3, fields: { tag: bytes(64) } },
  accepted: { type: 4, fields: { tag: bytes(64), session: text(16), idleMs: u32, lifetimeMs: u32 } },
  refused: { type: 5, fields: { reason: u8 } },
  // Control connection, from then on.
  ping: { type: 6, fields: { token: u32 } },
  pong: { type: 7, fields: { token: u32 } },
  visitRequest: {
    type: 8,
    fields: { visit: visitId(), who: text(64), from: text(64), over: text(64), answerMs: u32 },
  },
  consent: { type: 9, fields: { visit: visitId(), granted: u8 } },
  visitCancel: { type: 10, fields: { visit: visitId() } },
  visitFailed: { type: 11, fields: { visit: visitId(), reason: u8 } },
  openData: { type: 12, fields: { visit: visitId(), host: text(255), port: u16 } },
  warning: { type: 13, fields: { visit: visitId(), kind: u8, remainingMs: u32 } },
  bye: { type: 14, fields: { outcome: u8 } },
  // A standing connector: more orders, and the way back in, in this order.
  enrolled: {
    type: 19,
    fields: { connector: text(16), relayKey: blob(256), goodForS: u32, spreadS: u16, clockS: u32 },
  },
  visitOver: { type: 20, fields: { visit: visitId(), outcome: u8 } },
  visitEnd: { type: 21, fields: { visit: visitId() } },
  resume: { type: 22, fields: { version: u8 } },
  relayProof: { type: 23, fields: { card: blob(1_024), signature: blob(128) } },
  connectorProof: { type: 24, fields: { card: blob(1_024), signature: bytes(64) } },
  resumed: {
    type: 25,
    fields: { connector: text(16), idleMs: u32, lifetimeMs: u32, goodForS: u32, spreadS: u16, clockS: u32 },
  },
  // Data connection: one frame each way, then raw bytes.
  dataHello: { type: 16, fields: { visit: visitId(), tag: bytes(32) } },
  dataAccepted: { type: 17, fields: { tag: bytes(32) } },
  dataRefused: { type: 18, fields: {} },
} as const satisfies Readonly<Record<string, { type: number; fields: Fields }>>;

export type FrameName = keyof typeof FRAMES;
export type FrameFields<N extends FrameName> = Values<(typeof FRAMES)[N]['fields']>;
/** A decoded frame: its name and its fields. */
export type Frame = { [N in FrameName]: { readonly name: N } & FrameFields<N> }[FrameName];
export type ConnectorCard = Values<typeof CONNECTOR_CARD>;
export type RelayCard = Values<typeof RELAY_CARD>;

/** Bits of `features` in a connector's card. */
export const FEATURE = {
  /** Stays after a visit, serves several at once, comes back by its key. */
  standing: 1,
} as const;
/** `refused.reason`; `busy` is sent by no relay of version 1, those from 5 on only to a key that was proved. */
export const REFUSED = {
  password: 1,
  version: 2,
  busy: 3,
  protocol: 4,
  keyUnknown: 5,
  keyRevoked: 6,
  keyExpired: 7,
  /** Another connector with this key is connected and answers. */
  keyInUse: 8,
} as const;
/** `visitFailed.reason`: before the data connection was accepted, and after. */
export const VISIT_FAILED = {
  daemonUnreachable: 1,
  daemonFailed: 2,
  relayUnreachable: 3,
  /** The data connection, once it was accepted. */
  dataFailed: 4,
} as const;
/** `warning.kind` */
export const WARNING = { idle: 1, lifetime: 2 } as const;

const NAME_BY_TYPE: ReadonlyMap<number, FrameName> = new Map(
  Object.entries(FRAMES).map(([name, frame]) => [frame.type, name as FrameName]),
);

/** The bytes of one frame. Throws RangeError when a field is out of its bounds: a mistake of the caller. */
export function encodeFrame<N extends FrameName>(name: N, fields: FrameFields<N>): Buffer {
  const out = new Writer();
  out.integer(FRAMES[name].type, 1);
  writeFields(FRAMES[name].fields, fields, out);
  const body = out.finish();
  if (body.length > FRAME_BYTES_MAX) throw new RangeError(`frame ${name} exceeds ${FRAME_BYTES_MAX} bytes`);
  const length = Buffer.alloc(FRAME_LENGTH_BYTES);
  length.writeUInt16BE(body.length);
  return Buffer.concat([length, body]);
}

/** Decodes type and payload, without the length. Throws WireError. */
export function decodeFrame(body: Buffer): Frame {
  const name = NAME_BY_TYPE.get(body[0]);
  if (name === undefined) throw new WireError('unknown-frame', `frame type ${body[0]} is not known`);
  const fields = readFields(FRAMES[name].fields, body.subarray(1), name);
  return { name, ...fields } as unknown as Frame;
}

export function encodeConnectorCard(card: ConnectorCard): Buffer {
  return encodeCard(CONNECTOR_CARD, card);
}

/** Throws WireError, `unsupported-version` when the card's first byte is another version: its layout is unknown. */
export function decodeConnectorCard(body: Uint8Array): ConnectorCard {
  if (body.length > 0 && body[0] !== PROTOCOL_VERSION) {
    throw new WireError('unsupported-version', `protocol version ${body[0]} is not ${PROTOCOL_VERSION}`);
  }
  return readFields(CONNECTOR_CARD, Buffer.from(body), 'connector card') as ConnectorCard;
}

export function encodeRelayCard(card: RelayCard): Buffer {
  return encodeCard(RELAY_CARD, card);
}

/** Throws WireError. */
export function decodeRelayCard(body: Uint8Array): RelayCard {
  return readFields(RELAY_CARD, Buffer.from(body), 'relay card') as RelayCard;
}

function encodeCard<F extends Fields>(fields: F, values: Values<F>): Buffer {
  const out = new Writer();
  writeFields(fields, values, out);
  return out.finish();
}

function writeFields(fields: Fields, values: Readonly<Record<string, unknown>>, out: Writer): void {
  for (const [key, field] of Object.entries(fields)) field.write(values[key], out);
}

function readFields(fields: Fields, payload: Buffer, what: string): Record<string, unknown> {
  const input = new Reader(payload, what);
  const values: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(fields)) values[key] = field.read(input);
  input.finish();
  return values;
}

function integer(size: 1 | 2 | 4): Field<number> {
  return {
    write: (value, out) => out.integer(value, size),
    read: (input) => input.integer(size),
  };
}

function bytes(length: number): Field<Uint8Array> {
  return {
    write(value, out) {
      if (value.length !== length) throw new RangeError(`field must be ${length} bytes, got ${value.length}`);
      out.bytes(value);
    },
    read: (input) => input.bytes(length),
  };
}

/** A visit id, as the lower-case hex by which both programs look a visit up. */
function visitId(): Field<string> {
  const field = bytes(VISIT_ID_BYTES);
  return {
    write: (value, out) => field.write(Buffer.from(value, 'hex'), out),
    read: (input) => Buffer.from(field.read(input)).toString('hex'),
  };
}

function blob(lengthMax: number): Field<Uint8Array> {
  return {
    write(value, out) {
      if (value.length > lengthMax) throw new RangeError(`field exceeds ${lengthMax} bytes`);
      out.integer(value.length, 2);
      out.bytes(value);
    },
    read(input) {
      const length = input.integer(2);
      if (length > lengthMax) throw input.malformed(`a field of ${length} bytes exceeds ${lengthMax}`);
      return input.bytes(length);
    },
  };
}

function text(lengthMax: number): Field<string> {
  const field = blob(lengthMax);
  return {
    write: (value, out) => field.write(Buffer.from(value, 'utf8'), out),
    read: (input) => input.text(field.read(input)),
  };
}

class Writer {
  readonly #parts: Uint8Array[] = [];

  integer(value: number, size: number): void {
    const part = Buffer.alloc(size);
    part.writeUIntBE(value, 0, size);
    this.#parts.push(part);
  }

  bytes(value: Uint8Array): void {
    this.#parts.push(value);
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

class Reader {
  readonly #payload: Buffer;
  readonly #what: string;
  #offset = 0;

  constructor(payload: Buffer, what: string) {
    this.#payload = payload;
    this.#what = what;
  }

  integer(size: number): number {
    return Buffer.from(this.bytes(size)).readUIntBE(0, size);
  }

  bytes(length: number): Uint8Array {
    const end = this.#offset + length;
    if (end > this.#payload.length) throw this.malformed(`it ends ${end - this.#payload.length} bytes early`);
    const part = Buffer.from(this.#payload.subarray(this.#offset, end));
    this.#offset = end;
    return part;
  }

  text(value: Uint8Array): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
    } catch {
      throw this.malformed('a text is not UTF-8');
    }
  }

  finish(): void {
    const left = this.#payload.length - this.#offset;
    if (left > 0) throw this.malformed(`${left} bytes follow its last field`);
  }

  malformed(detail: string): WireError {
    return new WireError('malformed-frame', `${this.#what}: ${detail}`);
  }
}
