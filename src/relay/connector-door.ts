/**
 * Where connections that speak `secure-telnet/1` come in: the first frame tells a control connection (`hello`,
 * `resume`) from a data connection (`dataHello`). Both are under the absolute deadline that the caller armed.
 */
import { errorText } from '../base/errors.ts';
import type { Leg, LegSink } from '../stream/leg.ts';
import { FrameDecoder } from '../wire/frame-decoder.ts';
import { encodeFrame, type FrameFields } from '../wire/frames.ts';
import { WireError } from '../wire/wire-error.ts';
import { ConnectorLink, type Channel, type ConnectorHost } from './connector-link.ts';
import type { ConnectionTimer } from './connection-timers.ts';

export interface DataHost {
  /**
   * A data connection asks for its visit. Takes the leg over and returns true when the visit waits for it and the
   * proof is right; false refuses it.
   */
  openData(hello: FrameFields<'dataHello'>, leg: Leg, exporter: Uint8Array): boolean;
}

export class ConnectorDoor implements LegSink {
  readonly #host: ConnectorHost & DataHost;
  readonly #leg: Leg;
  readonly #timer: ConnectionTimer;
  readonly #channel: Channel;
  readonly #decoder = new FrameDecoder();

  constructor(host: ConnectorHost & DataHost, leg: Leg, timer: ConnectionTimer, channel: Channel) {
    this.#host = host;
    this.#leg = leg;
    this.#timer = timer;
    this.#channel = channel;
    leg.sink = this;
  }

  data(chunk: Buffer): void {
    try {
      this.#decoder.push(chunk);
      const frame = this.#decoder.next();
      if (frame === null) return;
      if (frame.name === 'hello' || frame.name === 'resume') {
        new ConnectorLink(this.#host, this.#leg, this.#timer, this.#channel, this.#decoder).start(frame);
      } else if (frame.name === 'dataHello') {
        this.#openData(frame);
      } else {
        throw new WireError('unexpected-frame', `${frame.name} opens no connection`);
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#host.connectorRefused(this.#leg.remoteAddress, errorText(error));
      this.#timer.close();
      this.#leg.destroy();
    }
  }

  drained(): void {}

  ended(): void {
    this.#leg.destroy();
  }

  closed(): void {
    this.#timer.close();
  }

  /** Raw bytes begin only after our answer, so nothing may have come in behind the frame. */
  #openData(hello: FrameFields<'dataHello'>): void {
    if (this.#decoder.takeRest().length > 0) {
      throw new WireError('unexpected-bytes', 'bytes before the acknowledgement of a data connection');
    }
    this.#timer.close();
    if (!this.#host.openData(hello, this.#leg, this.#channel.exporter)) {
      this.#leg.write(encodeFrame('dataRefused', {}));
      this.#host.closeLeg(this.#leg);
    }
  }
}
