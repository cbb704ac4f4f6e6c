/**
 * TCP urgent data without loss.
 *
 * Node drops the urgent byte of a telnet SYNCH (RFC 854: the Data Mark is sent as urgent data), and the IAC before
 * it then swallows the byte after it. With SO_OOBINLINE the byte arrives in line like any other. Node has no call
 * for it, so it is set by FFI (koffi, an optional package) on a socket's own descriptor, first thing after accept
 * or connect. Only the *signal* of urgency is lost then. Without FFI `keep` does nothing and `available` is false:
 * the programs say so at start.
 */
import type { Socket } from 'node:net';

export interface UrgentData {
  readonly available: boolean;
  /** Makes urgent bytes of this socket arrive in line. Must be called before anything is read. */
  keep(socket: Socket): void;
}

/** Values of Linux, which every Linux port of Node shares but for mips and sparc. */
const SOL_SOCKET = 1;
const SO_OOBINLINE = 10;

const unavailable: UrgentData = { available: false, keep() {} };

/** Loads the FFI once, at start. Never throws: what cannot be loaded is reported as unavailable. */
export async function loadUrgentData(platform: string): Promise<UrgentData> {
  if (platform !== 'linux') return unavailable;
  try {
    const { default: koffi } = await import('koffi');
    const libc = koffi.load('libc.so.6');
    // int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
    const setsockopt = libc.func('int setsockopt(int, int, int, const void *, uint)');
    const one = Buffer.alloc(4);
    one.writeInt32LE(1);
    return {
      available: true,
      keep(socket) {
        const fd = descriptorOf(socket);
        if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, one, one.length);
      },
    };
  } catch {
    return unavailable;
  }
}

/** The socket's descriptor, or -1: Node has no public name for it. */
function descriptorOf(socket: Socket): number {
  const { _handle } = socket as Socket & { _handle?: { fd?: number } | null };
  return _handle?.fd ?? -1;
}
