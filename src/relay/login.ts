/**
 * Who is at the prompt: an account, or the holder of one session's engineer password.
 *
 * Both are typed at the same prompt and fail with the same answer. The account's hash is computed first in every
 * case, so that a wrong answer takes the same time whether the name is an account, a session or nothing.
 */
import { foldEngineerPassword } from '../wire/password.ts';
import type { Account, Accounts } from './accounts.ts';
import type { Audit } from './audit.ts';
import type { EngineerWay } from './engineer-way.ts';
import type { Session } from './session.ts';

export type Caller = { kind: 'account'; account: Account } | { kind: 'session'; session: Session };

export interface LoginDesk {
  readonly accounts: Accounts;
  readonly engineerWay: EngineerWay;
  readonly audit: Audit;
}

/** Null when nothing matches. Rejects with StretchingBusy when too many are being checked at once. */
export async function checkLogin(
  { accounts, engineerWay, audit }: LoginDesk,
  name: string,
  password: string,
  from: string,
): Promise<Caller | null> {
  const account = await accounts.check(name, password, from);
  if (account) {
    audit.record('engineer-login', { account: account.name, role: account.role, from });
    return { kind: 'account', account };
  }
  const session = engineerWay.find(name, foldEngineerPassword(password) ?? password, from);
  if (session) {
    audit.record('engineer-login', { session: session.id, from });
    return { kind: 'session', session };
  }
  // A name that nothing bears may be a password typed at the wrong prompt: it stays out of the file.
  const isKnown = accounts.has(name) || engineerWay.isNamed(name);
  audit.record('engineer-login-wrong', { name: isKnown ? name : null, from });
  return null;
}
