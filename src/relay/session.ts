/**
 * One session: what a row of the session table is attached to, from invitation to end.
 *
 * Plain data; `sessions.ts` is the only writer. The engineer's side is known by the small interface below, so that
 * a session can be driven by a telnet line, a test, or whatever else seats an engineer.
 */
import type { Splice } from '../stream/splice.ts';
import type { Leg } from '../stream/leg.ts';
import type { Outcome } from '../wire/outcomes.ts';
import type { ConnectorLink } from './connector-link.ts';
import type { Invitation } from './invitations.ts';
import type { Handle } from './slot-pool.ts';
import type { StandingConnector } from './standing-connectors.ts';

/** The engineer of a session. */
export interface EngineerSeat {
  /** Account name, or how else the engineer was let in. */
  readonly who: string;
  readonly from: string;
  readonly over: string;
  /** Whether the line goes on after the visit, so that it cannot half-close with it. */
  readonly returns: boolean;
  readonly leg: Leg;
  /** A line for the engineer to read, before and during the visit. */
  tell(text: string): void;
  startSync(done: () => void): void;
  syncExpired(): void;
  join(splice: Splice): void;
  /** The session is over for this engineer. Called once. */
  sessionOver(outcome: Outcome): void;
}

export interface Session {
  readonly id: string;
  readonly label: string;
  /** Account that made it, or that `relayapp otp new` made it for; null: nobody's. */
  readonly owner: string | null;
  /** Null for a visit to a standing connector: nobody but its engineer gets into it. */
  readonly engineerPasswordHash: Uint8Array | null;
  readonly createdWallMs: number;
  /** Set right after the row was opened. */
  handle: Handle;
  invitation: Invitation | null;
  /** Null before its customer is there, and while that is away. */
  connector: ConnectorLink | null;
  /** The standing connector that serves it; null when its connector goes with it, or is not there yet. */
  standing: StandingConnector | null;
  engineer: EngineerSeat | null;
  /** The visit that is asked for or held, as on the wire; null otherwise. */
  visit: string | null;
  data: { leg: Leg; exporter: Uint8Array } | null;
  splice: Splice | null;
  /** When the visit began, on the monotonic clock. */
  startedMs: number | null;
  /** Told when the customer connects or the session ends, whichever is first. */
  readonly watchers: Set<(event: 'customer' | Outcome) => void>;
}
