/**
 * Numbers we chose, each with its reason. What an operator may want otherwise is an option (options.ts) with the
 * number here as its default.
 */
import type { DeadlineLimits } from './deadlines.ts';

/** A machine's handshake (TLS, password exchange) from accept to authenticated; no byte extends it. */
export const MACHINE_DEADLINE_MS = 20_000;
/** A person at the dialogue, from accept to authenticated. */
export const PERSON_DEADLINE_MS = 60_000;
/** First byte, for sources that are not greeted: nothing but a machine has business here. */
export const FIRST_BYTE_DEADLINE_MS = 10_000;
/** Longest `METHOD SP` that is waited for before bytes are judged (`OPTIONS `, `CONNECT `). */
export const METHOD_BYTES_MAX = 8;

/**
 * Control connections are pinged this often; a reply that is later than the deadline means the peer is gone. Together
 * they are what it takes at most to notice: 30 s.
 */
export const PING_INTERVAL_MS = 15_000;
export const PONG_DEADLINE_MS = 15_000;
/** A connector whose key somebody else shows has this long to answer a ping: it stays, or was gone already. */
export const PROBE_DEADLINE_MS = 5_000;

/** How long a standing connector may come back by its key. A month is a maintenance window; a year the most. */
export const CONNECTOR_EXPIRY_MS = 2_592_000_000;
export const CONNECTOR_EXPIRY_MS_MAX = 31_536_000_000;
/** A connector that may not come back any more is told why for this long after its key has expired. */
export const CONNECTOR_REMEMBERED_MS = 2_592_000_000;
/** How often keys are looked at whose time is over. */
export const CONNECTOR_SWEEP_MS = 60_000;
export const CONNECTORS_MAX = 10_000;
/**
 * Connectors that lost the relay come back at this rate on average, so that chance never makes it 50 a second; and not
 * sooner than over this time, within which somebody waits for one to be back.
 */
export const ARRIVALS_PER_S = 20;
export const SPREAD_S_MIN = 10;

/** Login tries on one line, and wrong confirmations of one customer password. */
export const LOGIN_TRIES_MAX = 3;
export const CONFIRMATION_TRIES_MAX = 3;
/** After the third wrong engineer password for a session, its no-account way stays closed to that source this long. */
export const SESSION_CLOSED_MS = 60_000;
/** Sources whose wrong tries are kept for each session. More only serve whoever has many addresses, and 50 bits. */
export const TRYING_SOURCES_MAX = 1_024;

/** A peer of a visit is dead when nothing was heard from it for this long, as long as keep-alive waits, */
export const DEAD_PEER_SILENCE_MS = 30_000;
/** and it was asked in vain this often (a packet or two get lost on any line), */
export const DEAD_PEER_TRIES_MIN = 3;
/** and that was noticed this long ago: its line may have been quiet before. Keep-alive gives it ten seconds. */
export const DEAD_PEER_OWING_MS = 8_000;
/** Each peer is looked at this often: with it, all together stays below 45 s. */
export const DEAD_PEER_CHECK_MS = 3_000;

/** A telnet client answers a mark in a round trip; one that has not after this never will. */
export const SYNC_MS = 1_000;
/**
 * A connector that dies ends its data connection as a daemon's end does, and its control connection with it. So an end
 * is taken for the daemon's only when the control connection still stands after this long.
 */
export const DAEMON_END_MS = 100;
/** How long a leg that was ended may take to send its last bytes before it is cut. */
export const LINGER_MS = 5_000;
/** SIGTERM to exit, at most. */
export const STOP_DEADLINE_MS = 9_000;

/** Deadlines of a session's states (deadlines.ts); those that people meet are options of `relayapp serve`. */
export const DEADLINE_LIMITS: DeadlineLimits = Object.freeze({
  waitMs: 1_800_000,
  consentMs: 60_000,
  syncMs: SYNC_MS,
  dialMs: 10_000,
  idleMs: 1_800_000,
  warnMs: 60_000,
  lifetimeMs: 28_800_000,
  halfCloseMs: 30_000,
});
/** A one-time password lives as long as it takes to pass it on by telephone, and is never one for tomorrow. */
export const PASSWORD_TTL_MS = 600_000;
export const PASSWORD_TTL_MS_MAX = 3_600_000;

/** Granularity of all deadlines: the timer wheel's tick. */
export const TICK_MS = 100;

export const LISTEN_BACKLOG = 4_096;
/** Rows of the session table and of the connection table, sized once (about 100 bytes a row). */
export const SESSIONS_MAX = 16_384;
export const CONNECTIONS_MAX = 32_768;

/** scrypt runs in libuv's pool of four threads, which file writes share: two at once leave room for them. */
export const STRETCH_CONCURRENT_MAX = 2;
export const STRETCH_QUEUED_MAX = 128;

/** Labels of sessions and names of accounts, in characters. */
export const LABEL_CHARACTERS_MAX = 60;
export const NAME_CHARACTERS_MAX = 32;
/** A line of the dialogue: longer ones cannot be typed. */
export const LINE_BYTES_MAX = 256;
export const PASSWORD_BYTES_MAX = LINE_BYTES_MAX;
export const PASSWORD_CHARACTERS_MIN = 8;
export const ACCOUNTS_MAX = 10_000;

/** One request on the management socket, and what is waited for it. */
export const CONTROL_REQUEST_BYTES_MAX = 64 * 1_024;
export const CONTROL_REQUEST_DEADLINE_MS = 10_000;
/** How long a command waits for its answer: a full queue of hashes takes a few seconds. */
export const CONTROL_ANSWER_DEADLINE_MS = 30_000;
