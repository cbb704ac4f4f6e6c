/**
 * Engineers' accounts: names, roles and scrypt hashes in one file of the state directory.
 *
 * Held in memory and written whole at each change. A check takes the same work whether the name exists or not.
 * Names that could be taken for a session id or an address are refused, because all of them are typed at the same
 * prompt.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { errorCode, errorText, OperatorError } from '../base/errors.ts';
import { ACCOUNTS_MAX, NAME_CHARACTERS_MAX, PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN } from './limits.ts';
import { MANAGEMENT, type Stretcher, type StretchParameters } from './stretching.ts';
import { writeWhole } from './whole-file.ts';

export const ROLES = ['engineer', 'observer', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export interface Account {
  readonly name: string;
  readonly role: Role;
  readonly disabled: boolean;
}

interface StoredAccount extends Account {
  readonly scrypt: StretchParameters;
  readonly salt: string;
  readonly hash: string;
}

const COST: StretchParameters = { N: 16_384, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;

export class Accounts {
  readonly #file: string;
  readonly #stretcher: Stretcher;
  #accounts: ReadonlyMap<string, StoredAccount>;
  /** What unknown names are checked against, so that they take as long and never match. */
  readonly #decoy = { scrypt: COST, salt: randomBytes(SALT_BYTES), hash: randomBytes(HASH_BYTES) };

  /** Reads `file` if it exists. Throws OperatorError when it does not hold accounts. */
  constructor(file: string, stretcher: Stretcher) {
    this.#file = file;
    this.#stretcher = stretcher;
    this.#accounts = readAccounts(file);
  }

  list(): readonly Account[] {
    return [...this.#accounts.values()].map(({ name, role, disabled }) => ({ name, role, disabled }));
  }

  /** Throws OperatorError when the name is taken or unfit, or the password too short. */
  async add(name: string, role: Role, password: string): Promise<void> {
    checkName(name);
    this.#refuseTaken(name);
    if (this.#accounts.size >= ACCOUNTS_MAX)
      throw new OperatorError(`there are already ${ACCOUNTS_MAX} accounts`);
    const secret = await this.#hash(password);
    this.#refuseTaken(name);
    this.#put({ name, role, disabled: false, ...secret });
  }

  async setPassword(name: string, password: string): Promise<void> {
    this.#get(name);
    const secret = await this.#hash(password);
    this.#put({ ...this.#get(name), ...secret });
  }

  disable(name: string): void {
    this.#put({ ...this.#get(name), disabled: true });
  }

  remove(name: string): void {
    this.#get(name);
    this.#save(new Map([...this.#accounts].filter(([other]) => other !== name)));
  }

  /** The account when the password is right and the account is enabled; else null, after the same work. `from` asks. */
  async check(name: string, password: string, from: string): Promise<Account | null> {
    const stored = this.#accounts.get(name);
    const { scrypt, salt, hash } = stored
      ? {
          scrypt: stored.scrypt,
          salt: Buffer.from(stored.salt, 'base64'),
          hash: Buffer.from(stored.hash, 'base64'),
        }
      : this.#decoy;
    const tried = await this.#stretcher.stretch(password.normalize('NFC'), salt, HASH_BYTES, scrypt, from);
    return timingSafeEqual(tried, hash) && stored && !stored.disabled ? stored : null;
  }

  has(name: string): boolean {
    return this.#accounts.has(name);
  }

  /** An account that was authenticated earlier, as it is now; null when it may not act any more. */
  enabled(name: string): Account | null {
    const account = this.#accounts.get(name);
    return account?.disabled === false ? account : null;
  }

  /** Throws OperatorError when there is no account of this name, or it may not act. */
  refuseUnusable(name: string): void {
    if (this.#get(name).disabled) {
      throw new OperatorError(`account ${name} is disabled; name another one, see: relayapp user list`);
    }
  }

  #refuseTaken(name: string): void {
    if (this.#accounts.has(name)) {
      throw new OperatorError(
        `account ${name} exists; change its password with: relayapp user passwd ${name}`,
      );
    }
  }

  async #hash(password: string): Promise<Pick<StoredAccount, 'scrypt' | 'salt' | 'hash'>> {
    checkPassword(password);
    const salt = randomBytes(SALT_BYTES);
    const hash = await this.#stretcher.stretch(password.normalize('NFC'), salt, HASH_BYTES, COST, MANAGEMENT);
    return { scrypt: COST, salt: salt.toString('base64'), hash: hash.toString('base64') };
  }

  #get(name: string): StoredAccount {
    const account = this.#accounts.get(name);
    if (!account)
      throw new OperatorError(`there is no account ${JSON.stringify(name)}; see: relayapp user list`);
    return account;
  }

  #put(account: StoredAccount): void {
    this.#save(new Map([...this.#accounts, [account.name, account]]));
  }

  #save(accounts: ReadonlyMap<string, StoredAccount>): void {
    writeWhole(this.#file, `${JSON.stringify([...accounts.values()], null, 2)}\n`, 'accounts file');
    this.#accounts = accounts;
  }
}

/** Throws OperatorError for a name that no account may have. */
export function checkName(name: string): void {
  if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(name) || name.length > NAME_CHARACTERS_MAX) {
    throw new OperatorError(
      `account names begin with a letter and hold letters, digits, - and _, at most ${NAME_CHARACTERS_MAX}: ` +
        'names that look like a session id or an address would be taken for one',
    );
  }
}

function checkPassword(password: string): void {
  if ([...password].length < PASSWORD_CHARACTERS_MIN) {
    throw new OperatorError(`an account's password needs ${PASSWORD_CHARACTERS_MIN} characters or more`);
  }
  if (Buffer.byteLength(password) > PASSWORD_BYTES_MAX || /\p{Cc}/u.test(password)) {
    throw new OperatorError(`a password holds no control characters and at most ${PASSWORD_BYTES_MAX} bytes`);
  }
}

function readAccounts(file: string): ReadonlyMap<string, StoredAccount> {
  try {
    const list = JSON.parse(readFileSync(file, 'utf8')) as unknown;
    if (!Array.isArray(list) || !list.every(isStoredAccount))
      throw new Error('it does not hold a list of accounts');
    return new Map(list.map((account) => [account.name, account]));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return new Map();
    throw new OperatorError(
      `accounts file ${file} cannot be read (${errorText(error)}); restore it from a copy`,
    );
  }
}

function isStoredAccount(value: unknown): value is StoredAccount {
  const { name, role, disabled, scrypt, salt, hash } = (value ?? {}) as Partial<StoredAccount>;
  return (
    typeof name === 'string' &&
    ROLES.some((known) => known === role) &&
    typeof disabled === 'boolean' &&
    typeof salt === 'string' &&
    typeof hash === 'string' &&
    Buffer.from(hash, 'base64').length === HASH_BYTES &&
    [scrypt?.N, scrypt?.r, scrypt?.p].every(Number.isSafeInteger)
  );
}
