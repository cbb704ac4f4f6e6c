/**
 * How a session can end: one word, the same in the protocol, in the log and in what both people read.
 *
 * The union is closed. A session ends with exactly one word (the table of session states says which), `bye` carries
 * its code, and the connector exits with its status: 0 when the visit was held and one of its two ends closed it,
 * a status of its own otherwise. 1 and 2 are left to the connector's own failures and usage errors, 20 and above to
 * what it finds out before a session exists. Codes and statuses are never reused for another meaning.
 * Called by the session code of the relay, by the connector, and by the generator of docs/STATES.md.
 */

export interface OutcomeRow {
  readonly word: string;
  /** `bye.outcome` on the wire, 1..255; 0 is no outcome. */
  readonly code: number;
  /** Exit status of the connector, 0 or 3..19. */
  readonly exitStatus: number;
  readonly forEngineer: string;
  readonly forCustomer: string;
}

export const OUTCOMES = [
  {
    word: 'engineer',
    code: 1,
    exitStatus: 0,
    forEngineer: 'You ended the visit.',
    forCustomer: 'The engineer ended the visit.',
  },
  {
    word: 'daemon',
    code: 2,
    exitStatus: 0,
    forEngineer: "The customer's telnet daemon ended the visit.",
    forCustomer: 'The telnet daemon ended the visit.',
  },
  {
    word: 'idle',
    code: 3,
    exitStatus: 3,
    forEngineer: 'The visit ended: nothing was typed or shown for too long.',
    forCustomer: 'The visit ended: nothing was typed or shown for too long.',
  },
  {
    word: 'customer',
    code: 4,
    exitStatus: 4,
    forEngineer: 'The customer ended the session.',
    forCustomer: 'You ended the session.',
  },
  {
    word: 'shutdown',
    code: 5,
    exitStatus: 5,
    forEngineer: 'The session ended: the relay is shutting down.',
    forCustomer: 'The session ended: the relay is shutting down.',
  },
  {
    word: 'failure',
    code: 6,
    exitStatus: 6,
    forEngineer: 'The session ended: a connection failed.',
    forCustomer: 'The session ended: a connection failed.',
  },
  {
    word: 'refused',
    code: 7,
    exitStatus: 7,
    forEngineer: 'The customer refused the visit.',
    forCustomer: 'You refused the visit.',
  },
  {
    word: 'unanswered',
    code: 8,
    exitStatus: 8,
    forEngineer: 'The customer did not answer in time.',
    forCustomer: 'The request for a visit was not answered in time.',
  },
  {
    word: 'unreachable',
    code: 9,
    exitStatus: 9,
    forEngineer: "The customer's telnet daemon could not be reached.",
    forCustomer: 'The telnet daemon could not be reached.',
  },
  {
    word: 'expired',
    code: 10,
    exitStatus: 10,
    forEngineer: 'The one-time password expired before the customer connected.',
    forCustomer: 'The one-time password expired before it was used.',
  },
  {
    word: 'burned',
    code: 11,
    exitStatus: 11,
    forEngineer: 'The one-time password was withdrawn after too many wrong tries.',
    forCustomer: 'The one-time password was withdrawn after too many wrong tries.',
  },
  {
    word: 'unused',
    code: 12,
    exitStatus: 12,
    forEngineer: 'The customer waited as long as allowed, and no visit began.',
    forCustomer: 'No visit began within the longest time to wait.',
  },
  {
    word: 'lifetime',
    code: 13,
    exitStatus: 13,
    forEngineer: 'The visit ended: it reached the longest time allowed.',
    forCustomer: 'The visit ended: it reached the longest time allowed.',
  },
  {
    word: 'closed',
    code: 14,
    exitStatus: 14,
    forEngineer: 'An administrator of the relay closed the session.',
    forCustomer: 'An administrator of the relay closed the session.',
  },
  {
    word: 'audit',
    code: 15,
    exitStatus: 15,
    forEngineer: 'The relay cannot write its audit file, and nothing happens that is not recorded.',
    forCustomer: 'The relay cannot write its audit file, and nothing happens that is not recorded.',
  },
] as const satisfies readonly OutcomeRow[];

export type Outcome = (typeof OUTCOMES)[number]['word'];

const ROW_BY_WORD: ReadonlyMap<string, OutcomeRow> = new Map(OUTCOMES.map((row) => [row.word, row]));
const WORD_BY_CODE: ReadonlyMap<number, Outcome> = new Map(OUTCOMES.map((row) => [row.code, row.word]));

/** Code, exit status and texts of an outcome. */
export function outcomeRow(word: Outcome): OutcomeRow {
  return ROW_BY_WORD.get(word)!;
}

/** What `bye` carries for an outcome. */
export function outcomeCode(word: Outcome): number {
  return outcomeRow(word).code;
}

/** The outcome of a code from the wire; null when this version does not know it. */
export function outcomeOfCode(code: number): Outcome | null {
  return WORD_BY_CODE.get(code) ?? null;
}
