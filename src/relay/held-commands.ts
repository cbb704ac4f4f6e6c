/**
 * What an engineer's client negotiated while the relay was its host: kept unanswered, in wire form and in order, to
 * be replayed to the daemon. Bounded; `EngineerTelnet` closes the connection of a client that does not fit.
 */

/** In bytes: some 170 options, where the busiest known client sends ten. */
export const HELD_LIMIT_BYTES = 512;

const NOTHING = new Uint8Array(0);

export class HeldCommands {
  #bytes = NOTHING;
  #length = 0;
  /** Where the last whole command ends. */
  #wholeLength = 0;

  /** Returns false, and adds nothing, if it does not fit. */
  add(wire: Uint8Array): boolean {
    if (this.#length + wire.length > HELD_LIMIT_BYTES) return false;
    if (this.#bytes.length === 0) this.#bytes = new Uint8Array(HELD_LIMIT_BYTES);
    this.#bytes.set(wire, this.#length);
    this.#length += wire.length;
    return true;
  }

  /** A command is complete. */
  close(): void {
    this.#wholeLength = this.#length;
  }

  /** A copy of all whole commands. */
  whole(): Uint8Array {
    return this.#bytes.slice(0, this.#wholeLength);
  }

  /** All that is held, and forgets it. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length);
    this.replace(NOTHING);
    return taken;
  }

  replace(commands: Uint8Array): void {
    this.#length = 0;
    if (commands.length > 0) this.add(commands);
    this.close();
  }
}
