/**
 * The steps of the protocol in words, for `-verbose`: what was sent or received, what that means, and how long after the
 * connection began. Numbers that explain an end are told; nothing that is secret, and nothing that could be used, is.
 */
import type { FrameName } from '../wire/frames.ts';

/** What each frame means to whoever reads a trace. Pings come so often that they would hide the rest. */
const MEANINGS: Readonly<Record<FrameName, string | null>> = {
  hello: 'the password exchange begins; the password itself is never sent',
  challenge: "the relay's half of the exchange",
  confirm: 'our proof that we know the password',
  accepted: "the relay's proof that it knows it, too; now the password is used up",
  refused: 'the relay does not let us in',
  ping: null,
  pong: null,
  visitRequest: 'an engineer asks for a visit',
  consent: "the customer's answer",
  visitCancel: 'the engineer went away before the visit began',
  visitFailed: 'a connection of the visit cannot be made, or broke off',
  openData: 'the engineer is ready: now the daemon is dialled, then the relay for the data',
  warning: 'the visit will end soon',
  bye: 'the end of the control connection',
  enrolled: 'this connector may stay, and come back by its key',
  visitOver: 'the relay has ended a visit',
  visitEnd: 'the customer ends a visit',
  resume: 'the way back by key begins; nothing of this machine is told yet',
  relayProof: "the relay's proof that it is the one of before",
  connectorProof: 'our proof that we are the connector of before',
  resumed: 'the relay lets us back in',
  dataHello: 'our proof that this connection belongs to the visit',
  dataAccepted: "the relay's proof; from here on engineer and daemon talk",
  dataRefused: 'the relay does not wait for this visit any more',
};

/** Fields that explain: codes of docs/PROTOCOL.md, sections 3 and 5. */
const EXPLAINING = ['reason', 'outcome', 'granted', 'kind'] as const;

/** One step as a line, or null for one that is not told. `sinceMs` is the age of the connection. */
export function stepText(
  direction: 'sent' | 'received',
  name: FrameName,
  fields: object,
  sinceMs: number,
): string | null {
  const meaning = MEANINGS[name];
  if (meaning === null) return null;
  const codes = Object.entries(fields).filter(([key]) => EXPLAINING.some((explaining) => explaining === key));
  const numbers = codes.map(([key, value]) => ` ${key} ${Number(value)}`).join('');
  const who = direction === 'sent' ? 'Sent' : 'Received';
  return `${who} ${name}${numbers}: ${meaning} (${Math.round(sinceMs)} ms).`;
}
