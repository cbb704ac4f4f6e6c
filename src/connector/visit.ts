/**
 * One visit: the customer's answer, the daemon, the data connection, and the splice with its live view.
 *
 *   asked -> granted -> opening -> spliced -> over         a withdrawal or the end of the session leads to `over`
 *
 * Nothing is read from the daemon before the relay has proved on the data connection that it is the one with the
 * password. Options that would hide the visit are refused on the way (option-refusal.ts).
 */
import type { HostPort } from '../base/address.ts';
import type { Cancel } from '../base/clock.ts';
import { errorCode, errorText } from '../base/errors.ts';
import { closeGracefully, discardingSink, type Leg } from '../stream/leg.ts';
import { SocketLeg } from '../stream/socket-leg.ts';
import { Splice, type Side } from '../stream/splice.ts';
import type { UrgentData } from '../stream/socket-calls.ts';
import { dataTag, verifyDataTag } from '../wire/data-auth.ts';
import { FrameDecoder } from '../wire/frame-decoder.ts';
import { encodeFrame, VISIT_FAILED, type FrameName } from '../wire/frames.ts';
import { WireError } from '../wire/wire-error.ts';
import { dialRelay, dialTcp, type RelayDialSurroundings, type Secured } from './dial.ts';
import { OptionRefusal } from './option-refusal.ts';
import { stepText } from './steps.ts';

/** What a visit needs of the connector. */
export interface VisitHost extends RelayDialSurroundings {
  readonly urgent: UrgentData;
  readonly target: HostPort;
  readonly dataKey: Uint8Array;
  /** The engineer is joined to the daemon. */
  began(visit: string): void;
  /** Output of the daemon, without telnet commands. False when no more can be shown until `Visit.goOn`. */
  shown(visit: string, bytes: Uint8Array): boolean;
  /** Bytes that came from either side. */
  moved(visit: string, fromEngineerBytes: number, fromDaemonBytes: number): void;
  event(visit: string, text: string): void;
  /** Told to the relay: `reason` of VISIT_FAILED. */
  failed(visit: string, reason: number): void;
  /** Both directions are over. */
  visitOver(visit: string): void;
}

/** The relay proves itself right after the data connection stands. */
const ACKNOWLEDGEMENT_DEADLINE_MS = 10_000;
const LINGER_MS = 5_000;

export class Visit {
  readonly id: string;
  readonly #host: VisitHost;
  readonly #legs: Leg[] = [];
  readonly #endedSides = new Set<Side>();
  #isOver = false;
  #splice: Splice | null = null;
  /** Only a visit that the customer allowed is opened, whatever the relay orders; and only once. */
  #mayOpen = false;
  /** Of what the visit waits for: the acknowledgement, last bytes. */
  #cancelDeadline: Cancel = () => {};

  constructor(id: string, host: VisitHost) {
    this.id = id;
    this.#host = host;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The customer said yes. */
  allow(): void {
    this.#mayOpen = true;
  }

  /** Dials the daemon, then the relay, proves both ways, and splices. Failures are reported to the relay. */
  async open(relay: HostPort): Promise<void> {
    if (!this.#mayOpen) return;
    this.#mayOpen = false;
    const daemon = await this.#dial(
      VISIT_FAILED.daemonUnreachable,
      'The telnet daemon does not answer',
      async () => this.#keep(new SocketLeg(await dialTcp(this.#host.target, this.#host, this.#host.urgent))),
    );
    if (!daemon) return;
    const proved = await this.#dial(
      VISIT_FAILED.relayUnreachable,
      'The relay does not take the visit',
      async () => {
        const secured = await dialRelay(relay, this.#host);
        return { leg: this.#keep(secured.leg), early: await this.#prove(secured) };
      },
    );
    if (proved) this.#join(proved.leg, daemon, proved.early);
  }

  /** Output can be shown again. */
  goOn(): void {
    this.#splice?.letGo('far');
  }

  /** Ends the visit: at once, or after what is under way in both directions has arrived. */
  end(how: 'now' | 'gracefully'): void {
    if (this.#isOver) return;
    if (how === 'gracefully' && this.#splice !== null) {
      this.#cancelDeadline();
      this.#cancelDeadline = this.#host.clock.after(LINGER_MS, () => this.end('now'));
      return;
    }
    this.#finish();
    for (const leg of this.#legs) closeGracefully(leg, this.#host.clock, LINGER_MS);
  }

  async #dial<T>(reason: number, what: string, dial: () => Promise<T>): Promise<T | null> {
    try {
      const dialled = await dial();
      return this.#isOver ? null : dialled;
    } catch (error) {
      if (this.#isOver) return null;
      this.#host.event(this.id, `${what} (${errorCode(error) || errorText(error)}).`);
      this.end('now');
      this.#host.failed(this.id, reason);
      return null;
    }
  }

  /** A leg made for a visit that ended meanwhile is closed at once. */
  #keep(leg: SocketLeg): SocketLeg {
    this.#legs.push(leg);
    leg.sink = {
      ...discardingSink,
      closed: () => this.#host.detail('A connection of the visit closed early.'),
    };
    if (this.#isOver) leg.destroy();
    return leg;
  }

  /** Resolves with the bytes of the engineer that came right behind the acknowledgement. */
  #prove({ leg, exporter }: Secured): Promise<Buffer> {
    const { dataKey, clock } = this.#host;
    const visit = Buffer.from(this.id, 'hex');
    const decoder = new FrameDecoder();
    const startMs = clock.now();
    const tell = (direction: 'sent' | 'received', name: FrameName): void => {
      const text = stepText(direction, name, {}, clock.now() - startMs);
      if (text !== null) this.#host.detail(text);
    };
    tell('sent', 'dataHello');
    leg.write(
      encodeFrame('dataHello', { visit: this.id, tag: dataTag(dataKey, 'connector', visit, exporter) }),
    );
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => done(() => reject(new Error(why)));
      this.#cancelDeadline = clock.after(ACKNOWLEDGEMENT_DEADLINE_MS, () => fail('no acknowledgement'));
      const done = (action: () => void): void => {
        this.#cancelDeadline();
        leg.pause();
        leg.sink = discardingSink;
        action();
      };
      leg.sink = {
        ...discardingSink,
        data: (chunk) => {
          try {
            decoder.push(chunk);
            const frame = decoder.next();
            if (frame === null) return;
            tell('received', frame.name);
            const isRelay =
              frame.name === 'dataAccepted' && verifyDataTag(frame.tag, dataKey, 'relay', visit, exporter);
            if (!isRelay)
              return fail(frame.name === 'dataRefused' ? 'visit withdrawn' : 'wrong acknowledgement');
            done(() => resolve(decoder.takeRest()));
          } catch (error) {
            if (!(error instanceof WireError)) throw error;
            fail(errorText(error));
          }
        },
        ended: () => fail('the relay closed the connection'),
        closed: () => fail('the relay closed the connection'),
      };
      leg.resume();
    });
  }

  #join(relay: Leg, daemon: Leg, early: Buffer): void {
    const splice = new Splice(relay, daemon, {
      moved: (side, { length }) =>
        this.#host.moved(this.id, side === 'near' ? length : 0, side === 'far' ? length : 0),
      ended: (side) => this.#ended(splice, side),
      closed: (side, error) => this.#closed(side, error),
    });
    const typed = new OptionRefusal({ answer: (bytes) => splice.answer('near', bytes) });
    const output = new OptionRefusal({
      shown: (bytes) => {
        if (!this.#host.shown(this.id, bytes)) splice.hold('far');
      },
      answer: (bytes) => splice.answer('far', bytes),
    });
    this.#splice = splice;
    splice.filter = {
      fromNear: (chunk) => splice.send('far', typed.push(chunk)),
      fromFar: (chunk) => splice.send('near', output.push(chunk)),
    };
    this.#host.began(this.id);
    if (early.length > 0) splice.filter.fromNear(early);
    splice.start();
  }

  #ended(splice: Splice, side: Side): void {
    this.#host.detail(side === 'near' ? 'The engineer sends no more.' : 'The telnet daemon sends no more.');
    this.#endedSides.add(side);
    splice.endSide(side === 'near' ? 'far' : 'near');
    if (this.#endedSides.size === 2) this.end('now');
  }

  #closed(side: Side, error: Error | null): void {
    if (this.#isOver) return;
    // The relay may not see either: between here and there are boxes that reset one half of a connection.
    this.#host.failed(this.id, side === 'far' ? VISIT_FAILED.daemonFailed : VISIT_FAILED.dataFailed);
    this.#host.detail(
      `The connection to the ${side === 'near' ? 'relay' : 'daemon'} broke off (${error?.message ?? 'closed'}).`,
    );
    this.end('now');
  }

  #finish(): void {
    this.#isOver = true;
    this.#cancelDeadline();
    this.#host.visitOver(this.id);
  }
}
