/**
 * What is said on the management socket: one JSON object a line, one request and one answer per connection.
 *
 * The socket is a Unix socket of mode 0600 in the state directory (0700): who can open it may administer the relay.
 */
import type { Account, Role } from './accounts.ts';
import type { SessionView } from './sessions.ts';
import type { ConnectorView } from './standing-connectors.ts';

export interface Requests {
  'user-add': { request: { name: string; role: Role; password: string }; answer: null };
  'user-list': { request: Record<string, never>; answer: readonly Account[] };
  'user-passwd': { request: { name: string; password: string }; answer: null };
  'user-disable': { request: { name: string }; answer: null };
  'user-remove': { request: { name: string }; answer: null };
  'otp-new': { request: NewPasswordRequest; answer: NewPassword };
  sessions: { request: Record<string, never>; answer: readonly SessionView[] };
  close: { request: { session: string }; answer: { session: string } };
  'connector-list': { request: Record<string, never>; answer: readonly ConnectorView[] };
  'connector-revoke': { request: { connector: string }; answer: { connector: string } };
}

export interface NewPasswordRequest {
  readonly label: string;
  readonly ttlMs: number;
  /** Chosen; null: the relay makes one. */
  readonly secret: string | null;
  /** The secret alone is the password. */
  readonly bare?: boolean;
  /** An account's name; nobody's by default. */
  readonly owner?: string | null;
}

export interface NewPassword {
  readonly session: string;
  readonly customerPassword: string;
  readonly engineerPassword: string;
  /** ISO 8601 */
  readonly expiresAt: string;
}

/** Said before anything is asked for, and by the relay to whoever asks it without our command. */
export const BARE_NEEDS_SECRET = '--bare needs a secret that somebody chose: --secret STRING, or --secret -';

export type RequestName = keyof Requests;

/** `ok` with the answer, or one line that names cause and fix. */
export type Answer<N extends RequestName> =
  | { readonly ok: true; readonly answer: Requests[N]['answer'] }
  | { readonly ok: false; readonly error: string };
