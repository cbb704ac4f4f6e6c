/**
 * What the system can do with a socket and Node has no call for: by FFI (koffi, an optional package), loaded once.
 *
 * Urgent data: Node drops the urgent byte of a telnet SYNCH (RFC 854: the Data Mark is sent as urgent data), and the
 * IAC before it then swallows the byte after it. With SO_OOBINLINE the byte arrives in line like any other; only the
 * *signal* of urgency is lost then.
 *
 * Silence: while bytes wait for a peer keep-alive rests, and Node learns nothing until the system gives up, after a
 * quarter of an hour. Meanwhile TCP_INFO tells how often the system has asked the peer again in vain, and when it was
 * heard of last. A peer that lives and does not read answers these questions, too (RFC 9293, section 3.8.6.1).
 *
 * All of it works on a socket's own descriptor. Without FFI the calls do nothing and `available` is false: the
 * programs say so at start.
 */
import type { Socket } from 'node:net';

export interface UrgentData {
  readonly available: boolean;
  /** Makes urgent bytes of this socket arrive in line. Must be called before anything is read. */
  keep(socket: Socket): void;
}

export interface PeerSilence {
  readonly available: boolean;
  /** Has a peer that owes an answer asked again this often at least, where the system can (Linux 6.15). */
  askEvery(socket: Socket, intervalMs: number): void;
  /**
   * How often the system has asked the peer in vain for an answer that it owes: with bytes that are not acknowledged,
   * with probes of a closed window, with keep-alive. 0 if anything was heard from it in the last `silentMs`.
   */
  unansweredTries(socket: Socket, silentMs: number): number;
}

export interface SocketCalls {
  readonly urgent: UrgentData;
  readonly silence: PeerSilence;
}

/** Values of Linux; the first two are the same in every Linux port of Node but for mips and sparc. */
const SOL_SOCKET = 1;
const SO_OOBINLINE = 10;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const TCP_RTO_MAX_MS = 44;

/** Of struct tcp_info as much as is read: octets by octet, numbers by word. */
const TCP_INFO_BYTES = 60;
const RETRANSMITS_OCTET = 2;
const PROBES_OCTET = 3;
const LAST_ACK_RECEIVED_WORD = 14;

export const noSilence: PeerSilence = { available: false, askEvery() {}, unansweredTries: () => 0 };
const unavailable: SocketCalls = { urgent: { available: false, keep() {} }, silence: noSilence };

/** Loads the FFI once, at start. Never throws: what cannot be loaded is reported as unavailable. */
export async function loadSocketCalls(platform: string): Promise<SocketCalls> {
  if (platform !== 'linux') return unavailable;
  try {
    const { default: koffi } = await import('koffi');
    const libc = koffi.load('libc.so.6');
    const setOption: SetOption = libc.func('int setsockopt(int, int, int, const void *, uint)');
    const getOption: GetOption = libc.func('int getsockopt(int, int, int, void *, void *)');
    return { urgent: urgentData(setOption), silence: peerSilence(setOption, getOption) };
  } catch {
    return unavailable;
  }
}

/** int setsockopt(int fd, int level, int name, const void *value, socklen_t length) */
type SetOption = (fd: number, level: number, name: number, value: Int32Array, length: number) => number;
/** int getsockopt(int fd, int level, int name, void *value, socklen_t *length) */
type GetOption = (fd: number, level: number, name: number, value: Uint8Array, length: Uint32Array) => number;

function urgentData(setOption: SetOption): UrgentData {
  const one = Int32Array.of(1);
  return {
    available: true,
    keep(socket) {
      const fd = descriptorOf(socket);
      if (fd >= 0) setOption(fd, SOL_SOCKET, SO_OOBINLINE, one, one.byteLength);
    },
  };
}

function peerSilence(setOption: SetOption, getOption: GetOption): PeerSilence {
  const interval = new Int32Array(1);
  const length = new Uint32Array(1);
  const octets = new Uint8Array(TCP_INFO_BYTES);
  const words = new Uint32Array(octets.buffer);
  return {
    available: true,
    askEvery(socket, intervalMs) {
      const fd = descriptorOf(socket);
      interval[0] = intervalMs;
      if (fd >= 0) setOption(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, interval, interval.byteLength);
    },
    unansweredTries(socket, silentMs) {
      const fd = descriptorOf(socket);
      length[0] = TCP_INFO_BYTES;
      if (fd < 0 || getOption(fd, IPPROTO_TCP, TCP_INFO, octets, length) !== 0) return 0;
      if (words[LAST_ACK_RECEIVED_WORD] < silentMs) return 0;
      return Math.max(octets[RETRANSMITS_OCTET], octets[PROBES_OCTET]);
    },
  };
}

/** The descriptor of a socket, or of the one below TLS; -1 when it is closed. Node has no public name for it. */
function descriptorOf(socket: Socket): number {
  const { _handle } = socket as Socket & { _handle?: { fd?: number } | null };
  return _handle?.fd ?? -1;
}
