/**
 * Bytes as they arrive, in any chunks, to frames.
 *
 * `push` adds a chunk, `next` takes the next whole frame or null when more bytes are needed, `takeRest` ends
 * framing and hands on what was not consumed: the first raw bytes of a data connection. At most one frame and one
 * chunk are ever held, because the length is judged as soon as its two bytes are there.
 */
import { decodeFrame, FRAME_BYTES_MAX, FRAME_LENGTH_BYTES, type Frame } from './frames.ts';
import { WireError } from './wire-error.ts';

const EMPTY = Buffer.alloc(0);

export class FrameDecoder {
  #held: Buffer = EMPTY;

  push(chunk: Buffer): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
  }

  /** The next whole frame, or null. Throws WireError; the connection is then beyond repair. */
  next(): Frame | null {
    if (this.#held.length < FRAME_LENGTH_BYTES) return null;
    const length = this.#held.readUInt16BE(0);
    if (length === 0 || length > FRAME_BYTES_MAX) {
      throw new WireError('oversized-frame', `frame length ${length} is not from 1 to ${FRAME_BYTES_MAX}`);
    }
    const end = FRAME_LENGTH_BYTES + length;
    if (this.#held.length < end) return null;
    const frame = decodeFrame(this.#held.subarray(FRAME_LENGTH_BYTES, end));
    this.#held = this.#held.subarray(end);
    return frame;
  }

  /** What came after the last frame taken; the decoder is empty afterwards. */
  takeRest(): Buffer {
    const rest = this.#held;
    this.#held = EMPTY;
    return rest;
  }
}
