/**
 * How tndconnect ends: a status for each cause, and the line that tells the customer what to do.
 *
 * Endings of a session have the statuses of their outcome words (wire/outcomes.ts: 0, 3 to 19); what is found out
 * before there is a session, or about the relay, is here.
 */
import { outcomeRow, type Outcome } from '../wire/outcomes.ts';

export interface Ending {
  readonly status: number;
  readonly text: string;
}

/** Status of each cause that is not an outcome of a session. */
export const ENDING_STATUS = {
  daemonUnreachable: 20,
  relayNotFound: 21,
  relayUnreachable: 22,
  notARelay: 23,
  passwordRefused: 24,
  versionRefused: 25,
  relayLost: 26,
  logFailed: 27,
  relayBusy: 28,
  keyRefused: 29,
} as const;

/** Carries an ending from where it was found to where the program ends. */
export class Ended extends Error {
  readonly ending: Ending;

  constructor(cause: keyof typeof ENDING_STATUS, text: string) {
    super(text);
    this.name = 'Ended';
    this.ending = { status: ENDING_STATUS[cause], text };
  }
}

export function outcomeEnding(outcome: Outcome): Ending {
  const { exitStatus, forCustomer, word } = outcomeRow(outcome);
  return { status: exitStatus, text: `${forCustomer} (${word})` };
}
