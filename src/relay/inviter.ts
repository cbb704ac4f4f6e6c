/**
 * Makes sessions with their two passwords: the customer's, which works once, and the engineer's, which names the
 * way in without an account. The passwords leave here once, to whoever asked; what stays is key material.
 */
import { randomBytes } from 'node:crypto';
import { OperatorError } from '../base/errors.ts';
import {
  BARE_NAMEPLATE,
  checkBareSecret,
  checkChosenSecret,
  chosenSecretBytes,
  makeEngineerPassword,
  makeNameplate,
  makePassword,
  printBare,
  printChosen,
  prsOfMade,
  stretchParameters,
} from '../wire/password.ts';
import type { Audit } from './audit.ts';
import { LABEL_CHARACTERS_MAX, PASSWORD_TTL_MS } from './limits.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import { MANAGEMENT, type Stretcher } from './stretching.ts';

export interface InviteRequest {
  readonly label: string;
  readonly owner: string | null;
  /** Default: ten minutes. */
  readonly ttlMs?: number;
  /** A secret that a person chose; made by the relay otherwise. */
  readonly secret?: string | null;
  /** The secret, which must be given, alone is the password; a relay has one of these at a time. */
  readonly bare?: boolean;
}

export interface Invited {
  readonly session: Session;
  readonly customerPassword: string;
  readonly engineerPassword: string;
  readonly ttlMs: number;
}

interface CustomerPassword {
  readonly printed: string;
  readonly nameplate: string;
  readonly prs: Uint8Array;
}

export class Inviter {
  readonly #sessions: Sessions;
  readonly #stretcher: Stretcher;
  readonly #audit: Audit;

  constructor(sessions: Sessions, stretcher: Stretcher, audit: Audit) {
    this.#sessions = sessions;
    this.#stretcher = stretcher;
    this.#audit = audit;
  }

  /**
   * Rejects with OperatorError when the secret is unfit, another bare password lives, the relay is full or the audit
   * file is; with StretchingBusy.
   */
  async invite(request: InviteRequest): Promise<Invited> {
    const { label, owner, ttlMs = PASSWORD_TTL_MS, secret = null, bare = false } = request;
    if ([...label].length > LABEL_CHARACTERS_MAX) {
      throw new OperatorError(`a label has at most ${LABEL_CHARACTERS_MAX} characters`);
    }
    const password = secret === null ? this.#make() : await this.#choose(secret, bare);
    const isBare = password.nameplate === BARE_NAMEPLATE;
    // Once more: another may have been made while this one was stretched.
    if (isBare) this.#refuseSecondBare();
    const engineerPassword = makeEngineerPassword(randomBytes);
    const session = this.#sessions.open({ label, owner, engineerPassword, ttlMs });
    const made = { session: session.id, owner, ttlMs, chosen: secret !== null, bare: isBare };
    if (!this.#audit.record('password-made', made)) {
      this.#sessions.close(session);
      throw new OperatorError('the audit file cannot be written: no new sessions; see the log of the relay');
    }
    const { nameplate, prs } = password;
    this.#sessions.invite(session, { nameplate, prs, session: session.id, wrongTries: 0 });
    return { session, customerPassword: password.printed, engineerPassword, ttlMs };
  }

  #make(): CustomerPassword {
    const { invitations } = this.#sessions;
    for (;;) {
      const { printed, nameplate, secret } = makePassword(randomBytes);
      if (!invitations.find(nameplate)) return { printed, nameplate, prs: prsOfMade(secret) };
    }
  }

  async #choose(secret: string, bare: boolean): Promise<CustomerPassword> {
    const problem = bare ? checkBareSecret(secret) : checkChosenSecret(secret);
    if (problem) throw new OperatorError(problem.sentence);
    if (bare) this.#refuseSecondBare();
    const nameplate = bare
      ? BARE_NAMEPLATE
      : this.#sessions.invitations.freeNameplate(() => makeNameplate(randomBytes));
    const { salt, keyBytes, options } = stretchParameters(nameplate);
    const chosen = Buffer.from(chosenSecretBytes(secret)).toString('utf8');
    const prs = await this.#stretcher.stretch(chosen, salt, keyBytes, options, MANAGEMENT);
    return { printed: bare ? printBare(secret) : printChosen(nameplate, secret), nameplate, prs };
  }

  #refuseSecondBare(): void {
    const first = this.#sessions.invitations.find(BARE_NAMEPLATE);
    if (!first) return;
    throw new OperatorError(
      `session ${first.session} has a bare password, and a relay can have one at a time: wait until it is used or ` +
        `over, or end it with: relayapp close ${first.session}`,
    );
  }
}
