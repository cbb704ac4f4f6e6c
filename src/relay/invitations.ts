/**
 * Live one-time passwords, by nameplate, in memory only. The empty nameplate is one like others: that of the one
 * bare password.
 *
 * A password is single use: `consume` takes it away atomically, and of any number of connectors that prove it at
 * the same moment exactly one gets it. Three wrong confirmations burn it. What is kept is the key material of the
 * password exchange, never the password; it is wiped on use, burn and expiry.
 */
import { randomBytes } from 'node:crypto';
import { CONFIRMATION_TRIES_MAX } from './limits.ts';

export interface Invitation {
  readonly nameplate: string;
  /** PRS of the exchange: the secret, stretched when a person chose it. */
  readonly prs: Uint8Array;
  /** The session id that the password admits to. */
  readonly session: string;
  wrongTries: number;
}

const PRS_BYTES = 32;

export class Invitations {
  readonly #live = new Map<string, Invitation>();

  /** A nameplate from `make` that is not in use. */
  freeNameplate(make: () => string): string {
    for (;;) {
      const nameplate = make();
      if (!this.#live.has(nameplate)) return nameplate;
    }
  }

  add(invitation: Invitation): void {
    this.#live.set(invitation.nameplate, invitation);
  }

  /** The invitation, or null. Whoever asks goes on in the same way for both: see `decoyPrs`. */
  find(nameplate: string): Invitation | null {
    return this.#live.get(nameplate) ?? null;
  }

  /** Key material for an exchange with an unknown nameplate: it runs like any other and fails at the end. */
  decoyPrs(): Uint8Array {
    return randomBytes(PRS_BYTES);
  }

  /** Takes the password out of use; true for exactly one caller. */
  consume(invitation: Invitation): boolean {
    if (this.#live.get(invitation.nameplate) !== invitation) return false;
    this.revoke(invitation);
    return true;
  }

  /** Counts a wrong confirmation; true when it was one too many: the password is then burnt. */
  countWrong(invitation: Invitation): boolean {
    invitation.wrongTries += 1;
    return invitation.wrongTries >= CONFIRMATION_TRIES_MAX && this.consume(invitation);
  }

  /** Forgets the password and wipes its key material. */
  revoke(invitation: Invitation): void {
    if (this.#live.get(invitation.nameplate) === invitation) this.#live.delete(invitation.nameplate);
    invitation.prs.fill(0);
  }
}
