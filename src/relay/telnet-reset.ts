/**
 * The commands that make an engineer's telnet client forget a visit, so that the next daemon finds it as the first
 * one did: all it may have agreed to is switched off. ECHO and SGA of the daemon's side are not in here; they are
 * the relay's own offers and are offered again instead, since undoing them breaks real clients for good.
 *
 * What clients make of it (tried, two visits in one line): inetutils, netkit and plink switch off what is on, and
 * accept the next daemon's requests like the first one's, provided that their own first offers are repeated to it.
 * busybox takes DONT SGA for the other side's, answers DONT SGA, and DO SGA to the offer that follows; it answers
 * DONT TERMINAL-TYPE and DONT NAWS with WILL. All that comes before the answer to the mark and is dropped. A busybox
 * that a daemon without ECHO has sent into line mode stays there: it refuses the new offer.
 */
import { COMMAND, DONT, IAC, OPTION, WONT } from '../wire/telnet.ts';

/** What a client may have switched on for itself. */
const CLIENT_OPTIONS = [
  OPTION.BINARY,
  OPTION.ECHO,
  OPTION.SGA,
  OPTION.STATUS,
  OPTION.SEND_LOCATION,
  OPTION.TERMINAL_TYPE,
  OPTION.END_OF_RECORD,
  OPTION.NAWS,
  OPTION.TERMINAL_SPEED,
  OPTION.REMOTE_FLOW_CONTROL,
  OPTION.LINEMODE,
  OPTION.X_DISPLAY_LOCATION,
  OPTION.ENVIRON,
  OPTION.AUTHENTICATION,
  OPTION.ENCRYPT,
  OPTION.NEW_ENVIRON,
  OPTION.CHARSET,
  OPTION.COM_PORT_CONTROL,
];

/**
 * What it may have accepted from the daemon. TIMING-MARK because a client may be discarding output until the
 * daemon, now gone, answers its mark.
 */
const DAEMON_OPTIONS = [
  OPTION.BINARY,
  OPTION.STATUS,
  OPTION.TIMING_MARK,
  OPTION.LOGOUT,
  OPTION.END_OF_RECORD,
  OPTION.ENCRYPT,
  OPTION.CHARSET,
  OPTION.COM_PORT_CONTROL,
];

/** Ends a command that the daemon left half sent: NUL for its missing byte, SE for a subnegotiation. */
const STOPPER = [0, IAC, COMMAND.SE];

export const CLIENT_RESET: Uint8Array = Uint8Array.from([
  ...STOPPER,
  ...CLIENT_OPTIONS.flatMap((option) => [IAC, DONT, option]),
  ...DAEMON_OPTIONS.flatMap((option) => [IAC, WONT, option]),
]);
