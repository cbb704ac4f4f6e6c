/**
 * Connectors that stand: those which may come back by the public key that their password exchange bound.
 *
 * One file of the state directory holds what must outlive the relay: public keys, no secret. Every change is on disk
 * before it takes effect, except where it reduces what somebody may do: a revocation holds at once, and one that ended
 * itself is written with the next change or by `flush`, since nobody has its key any more. An id is that of
 * the session by whose password the connector came in. Who was revoked or has expired is remembered for a while, so
 * that it can be told which.
 */
import { readFileSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { errorCode, errorText, OperatorError } from '../base/errors.ts';
import { CONNECTOR_KEY_BYTES } from '../wire/key-auth.ts';
import type { ConnectorLink } from './connector-link.ts';
import { ARRIVALS_PER_S, CONNECTOR_REMEMBERED_MS, CONNECTORS_MAX, SPREAD_S_MIN } from './limits.ts';
import { writeWhole } from './whole-file.ts';

interface StoredConnector {
  readonly id: string;
  /** Raw Ed25519, base64. */
  readonly publicKey: string;
  readonly label: string;
  /** Account whose session it came in by; null when `relayapp otp new` made it for nobody. */
  readonly owner: string | null;
  readonly hostName: string;
  readonly target: string;
  readonly enrolledWallMs: number;
  readonly expiresWallMs: number;
  readonly isRevoked: boolean;
}

export interface StandingConnector extends Omit<StoredConnector, 'isRevoked'> {
  isRevoked: boolean;
  /** Its control connection; null while it is away. */
  link: ConnectorLink | null;
  /** When it came or went; the relay's start for those that have not come since. */
  sinceWallMs: number;
}

export type Enrolment = Pick<
  StandingConnector,
  'id' | 'publicKey' | 'label' | 'owner' | 'hostName' | 'target' | 'link'
>;

/** A connector as lists show it. */
export interface ConnectorView {
  readonly connector: string;
  readonly state: ConnectorState;
  readonly label: string;
  readonly owner: string | null;
  readonly hostName: string;
  readonly target: string;
  /** Its address; null while it is away. */
  readonly from: string | null;
  /** ISO 8601; when it came or went. */
  readonly since: string;
  readonly expiresAt: string;
}
export type ConnectorState = 'here' | 'away' | 'revoked' | 'expired';

export class StandingConnectors {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #expiryMs: number;
  readonly #byId: Map<string, StandingConnector>;
  readonly #byKey: Map<string, StandingConnector>;
  /** Whether the file still has what is forgotten. */
  #isDirty = false;

  /** Reads `file` if it exists. `expiryMs` is how long a key is good; with 0 none is, not even one in the file. Throws OperatorError. */
  constructor(file: string, clock: Clock, expiryMs: number) {
    this.#file = file;
    this.#clock = clock;
    this.#expiryMs = expiryMs;
    const sinceWallMs = clock.wallNow();
    const known = readConnectors(file).map((stored) => ({ ...stored, link: null, sinceWallMs }));
    this.#byId = new Map(known.map((connector) => [connector.id, connector]));
    this.#byKey = new Map(known.map((connector) => [connector.publicKey, connector]));
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  byId(id: string): StandingConnector | null {
    return this.#byId.get(id) ?? null;
  }

  byKey(publicKey: Uint8Array): StandingConnector | null {
    return this.#byKey.get(Buffer.from(publicKey).toString('base64')) ?? null;
  }

  all(): Iterable<StandingConnector> {
    return this.#byId.values();
  }

  /**
   * A connector has proved its password and stays. One that cannot be kept (by choice, for lack of room, or because
   * the file cannot be written: then `problem` says why) serves while its connection lasts.
   */
  enroll(enrolment: Enrolment): { connector: StandingConnector; problem: string | null } {
    const nowMs = this.#clock.wallNow();
    const connector: StandingConnector = {
      ...enrolment,
      enrolledWallMs: nowMs,
      expiresWallMs: nowMs + this.#expiryMs,
      isRevoked: false,
      sinceWallMs: nowMs,
    };
    this.#prune(nowMs);
    const isFull = this.#byId.size >= CONNECTORS_MAX;
    this.#put(connector);
    if (this.#expiryMs === 0) return { connector, problem: null };
    const problem = isFull ? `there are already ${CONNECTORS_MAX} connectors` : this.#trySave();
    // What is not in the file would not be known after a restart, and is not promised.
    if (problem === null) return { connector, problem };
    const unkept = { ...connector, expiresWallMs: nowMs };
    this.#put(unkept);
    return { connector: unkept, problem };
  }

  /** Over how long those who may come back should do so, once they have lost the relay. */
  get spreadS(): number {
    const coming = [...this.#byId.values()].filter((connector) => this.goodForMs(connector) > 0).length;
    return Math.max(SPREAD_S_MIN, Math.ceil(coming / ARRIVALS_PER_S));
  }

  /** What is left of its time, in milliseconds; 0 when it may not come back. */
  goodForMs(connector: StandingConnector): number {
    if (connector.isRevoked || this.#expiryMs === 0) return 0;
    return Math.max(0, connector.expiresWallMs - this.#clock.wallNow());
  }

  stateOf(connector: StandingConnector): ConnectorState {
    if (connector.isRevoked) return 'revoked';
    if (connector.link !== null) return 'here';
    return this.goodForMs(connector) > 0 ? 'away' : 'expired';
  }

  arrived(connector: StandingConnector, link: ConnectorLink): void {
    connector.link = link;
    connector.sinceWallMs = this.#clock.wallNow();
  }

  /** Its connection is gone. One that was never kept is forgotten. */
  away(connector: StandingConnector): void {
    connector.link = null;
    connector.sinceWallMs = this.#clock.wallNow();
    if (!isKept(connector)) this.#drop(connector);
  }

  /** Its customer has ended it: nobody has that key any more. */
  forget(connector: StandingConnector): void {
    this.#drop(connector);
    this.#isDirty = true;
  }

  /** Writes what was forgotten. Why it could not be, or null. */
  flush(): string | null {
    return this.#isDirty ? this.#trySave() : null;
  }

  /** Holds at once. Throws OperatorError when it cannot be written: a restart of the relay would undo it. */
  revoke(connector: StandingConnector): void {
    connector.isRevoked = true;
    const problem = this.#trySave();
    if (problem !== null) {
      throw new OperatorError(
        `connector ${connector.id} is revoked until the relay restarts, but not in its file (${problem}); ` +
          'make room on its disk, or mend its owner or mode, and revoke it again',
      );
    }
  }

  list(): readonly ConnectorView[] {
    return [...this.#byId.values()].map((connector) => ({
      connector: connector.id,
      state: this.stateOf(connector),
      label: connector.label,
      owner: connector.owner,
      hostName: connector.hostName,
      target: connector.target,
      from: connector.link?.leg.remoteAddress ?? null,
      since: new Date(connector.sinceWallMs).toISOString(),
      expiresAt: new Date(connector.expiresWallMs).toISOString(),
    }));
  }

  #put(connector: StandingConnector): void {
    this.#byId.set(connector.id, connector);
    this.#byKey.set(connector.publicKey, connector);
  }

  #drop({ id, publicKey }: StandingConnector): void {
    this.#byId.delete(id);
    this.#byKey.delete(publicKey);
  }

  /** Where there is no room, those that may not come back are not remembered. */
  #prune(nowMs: number): void {
    const rememberedMs = this.#byId.size >= CONNECTORS_MAX ? 0 : CONNECTOR_REMEMBERED_MS;
    for (const connector of this.#byId.values()) {
      const { expiresWallMs, isRevoked, link } = connector;
      const isForgotten = nowMs >= expiresWallMs + rememberedMs || (isRevoked && rememberedMs === 0);
      if (isForgotten && link === null) this.#drop(connector);
    }
  }

  /** Why it could not be saved, or null. */
  #trySave(): string | null {
    try {
      this.#save();
      return null;
    } catch (error) {
      return errorCode((error as Error).cause) || errorText(error);
    }
  }

  #save(): void {
    const stored = [...this.#byId.values()]
      .filter(isKept)
      .map(({ link: _link, sinceWallMs: _since, ...rest }): StoredConnector => rest);
    writeWhole(this.#file, `${JSON.stringify(stored, null, 2)}\n`, 'connectors file');
    this.#isDirty = false;
  }
}

/** Whether the connector may come back at all, once its connection is gone. */
export function isKept({ enrolledWallMs, expiresWallMs }: StandingConnector): boolean {
  return expiresWallMs > enrolledWallMs;
}

/** The last that has a place in a frame: the year 2106. */
const WALL_MS_MAX = 0xffff_ffff * 1_000;

function readConnectors(file: string): readonly StoredConnector[] {
  try {
    const list = JSON.parse(readFileSync(file, 'utf8')) as unknown;
    if (!Array.isArray(list) || !list.every(isStoredConnector))
      throw new Error('it does not hold a list of connectors');
    return list;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw new OperatorError(
      `connectors file ${file} cannot be read (${errorText(error)}); restore it from a copy, or remove it: ` +
        'then every standing connector needs a new password',
    );
  }
}

function isStoredConnector(value: unknown): value is StoredConnector {
  const { id, publicKey, label, owner, hostName, target, enrolledWallMs, expiresWallMs, isRevoked } =
    (value ?? {}) as Partial<StoredConnector>;
  return (
    typeof id === 'string' &&
    /^\d{4}-\d{4}$/.test(id) &&
    typeof publicKey === 'string' &&
    Buffer.from(publicKey, 'base64').length === CONNECTOR_KEY_BYTES &&
    [label, hostName, target].every((text) => typeof text === 'string') &&
    (owner === null || typeof owner === 'string') &&
    [enrolledWallMs, expiresWallMs].every(
      (ms) => Number.isSafeInteger(ms) && ms! >= 0 && ms! <= WALL_MS_MAX,
    ) &&
    typeof isRevoked === 'boolean'
  );
}
