/**
 * What a test that moves a clock by hand needs of real sockets: bytes written on loopback are in the receiver's kernel
 * buffer when `write` returns, so a few turns of the event loop later the receiver, in this process, has had them.
 */
const TURNS = 6;

/** Resolves when everything written so far in this process over loopback has been read and answered. */
export async function delivered(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
