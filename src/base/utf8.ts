/**
 * UTF-8 (RFC 3629) byte by byte, for input that comes in pieces and may be anything.
 *
 * Strict: what is too long, a surrogate or beyond U+10FFFF is invalid. Each maximal broken sequence is reported
 * once, at the byte that broke it or at `reset`; that byte is then read afresh. Keeps at most one character.
 */

export interface Utf8Sink {
  character(codePoint: number): void;
  invalid(): void;
}

export class Utf8Decoder {
  readonly #sink: Utf8Sink;
  #missing = 0;
  #codePoint = 0;
  /** What the next continuation byte may be: the first one excludes long forms and surrogates. */
  #low = 0x80;
  #high = 0xbf;

  constructor(sink: Utf8Sink) {
    this.#sink = sink;
  }

  /** Whether a character is begun and not complete. */
  get pending(): boolean {
    return this.#missing > 0;
  }

  /** Ends a character that is not complete. */
  reset(): void {
    if (this.#missing === 0) return;
    this.#missing = 0;
    this.#sink.invalid();
  }

  push(byte: number): void {
    if (this.#missing > 0 && byte >= this.#low && byte <= this.#high) return this.#continue(byte);
    this.reset();
    this.#start(byte);
  }

  #start(byte: number): void {
    if (byte < 0x80) this.#sink.character(byte);
    else if (byte >= 0xc2 && byte <= 0xdf) this.#expect(1, byte & 0x1f, 0x80, 0xbf);
    else if (byte === 0xe0) this.#expect(2, 0, 0xa0, 0xbf);
    else if (byte === 0xed) this.#expect(2, 0x0d, 0x80, 0x9f);
    else if (byte >= 0xe1 && byte <= 0xef) this.#expect(2, byte & 0x0f, 0x80, 0xbf);
    else if (byte === 0xf0) this.#expect(3, 0, 0x90, 0xbf);
    else if (byte === 0xf4) this.#expect(3, 4, 0x80, 0x8f);
    else if (byte >= 0xf1 && byte <= 0xf3) this.#expect(3, byte & 0x07, 0x80, 0xbf);
    else this.#sink.invalid();
  }

  #expect(missing: number, bits: number, low: number, high: number): void {
    this.#missing = missing;
    this.#codePoint = bits;
    this.#low = low;
    this.#high = high;
  }

  #continue(byte: number): void {
    this.#codePoint = (this.#codePoint << 6) | (byte & 0x3f);
    this.#low = 0x80;
    this.#high = 0xbf;
    this.#missing--;
    if (this.#missing === 0) this.#sink.character(this.#codePoint);
  }
}
