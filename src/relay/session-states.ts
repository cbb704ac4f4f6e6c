/**
 * What follows what in a session: a pure table of (state, event) -> next state, actions, outcome.
 *
 * A state says what is awaited, an event what happened, an action what to do. Every pair is listed: as a transition,
 * as *late* (ignored: a peer may send any frame at any time, and people cross each other), or as *impossible* (only
 * a mistake of the relay itself could bring it about, so it throws). Every way into `ended` has exactly one outcome
 * word and the one action `finish`; `ended` ignores everything. No I/O here: the session code feeds events and
 * performs actions, in order. Drawn in docs/STATES.md by scripts/render-states.ts.
 *
 * Events of a visit (consent, synced, data, daemonUnreachable, visitFailed) are fed for the session's present visit
 * only: the session code drops what names another visit id. What still comes out of turn is late here.
 *
 * A connector that stands (it comes back by its key) is `away` when its connection is gone, any other is `lost`. An
 * engineer who visits a standing connector has a session of their own, which nobody else can take: `visitorLeft`.
 */
import type { Outcome } from '../wire/outcomes.ts';

/** In the order of a session's life; the position is the number that the session table stores. */
export const SESSION_STATES = [
  'awaitingCustomer',
  'awaitingEngineer',
  'awaitingReturn',
  'awaitingConsent',
  'awaitingSync',
  'awaitingData',
  'spliced',
  'awaitingDaemonEnd',
  'awaitingEngineerEnd',
  'ended',
] as const;
export type SessionState = (typeof SESSION_STATES)[number];

export const SESSION_EVENTS = [
  'connectorArrived',
  'connectorLeft',
  'connectorLost',
  'connectorAway',
  'connectorReturned',
  'engineerArrived',
  'engineerLeft',
  'visitorLeft',
  'consentGranted',
  'consentRefused',
  'synced',
  'dataArrived',
  'daemonUnreachable',
  'visitFailed',
  'engineerEnded',
  'daemonEnded',
  'legFailed',
  'stageExpired',
  'idleExpired',
  'lifetimeExpired',
  'passwordBurned',
  'auditFailed',
  'closedByAdmin',
  'relayStopping',
] as const;
export type SessionEvent = (typeof SESSION_EVENTS)[number];

export type SessionAction =
  | 'requestConsent'
  | 'withdrawVisit'
  | 'startSync'
  | 'openData'
  | 'splice'
  | 'endDaemonSide'
  | 'endEngineerSide'
  | 'finish';

export interface Transition {
  readonly next: SessionState;
  readonly actions: readonly SessionAction[];
  /** Present exactly when `next` is `ended` for the first time. */
  readonly outcome?: Outcome;
}
/** Nothing happens, for this reason. */
export interface Late {
  readonly late: string;
}
/** A mistake of the relay itself, for this reason. */
export interface Impossible {
  readonly impossible: string;
}
export type Cell = Transition | Late | Impossible;
type Row = Readonly<Record<SessionEvent, Cell>>;

const outOfTurn = late('a peer may send it at any time; it changes nothing here');
const withdrawn = late('it answers a visit that was withdrawn meanwhile');
const gone = late('the line was given up before: one leaving can be seen twice (^C, then the close)');
const answered = late('the first answer counts');
const tooSlow = late('the second for answering is over');
const daemonDone = late('the daemon had ended before, so nothing of its output is lost');
const spent = late('a try that was under way when the password was consumed cannot burn it');
const over = late('the session is over');

const noConnector = impossible('no connector has been admitted');
const noEngineer = impossible('no engineer is seated');
const noSeat = impossible('the dialogue seats an engineer only while one is awaited');
const consumed = impossible('the connector that is here consumed the password');
const noSplice = impossible('only a spliced session has this');
const noStage = impossible('a spliced session has no stage deadline');
const handedOver = impossible('the splice owns the line: its end is engineerEnded or legFailed');
const notAwaited = impossible('a data connection is taken only while one is awaited');
const notRecorded = impossible('only the start of a visit must be in the audit file first');
const notAway = impossible('only a connector that was away returns');
const notStanding = impossible('a visit to a standing connector is never without its engineer');
const gonePast = late('its connection is gone, and what it sent with it');
const endedOnce = impossible('a leg half-closes once');

const awaitingCustomer: Row = {
  connectorArrived: go('awaitingEngineer'),
  connectorLeft: noConnector,
  connectorLost: noConnector,
  connectorAway: noConnector,
  connectorReturned: notAway,
  engineerArrived: noSeat,
  engineerLeft: noEngineer,
  visitorLeft: noEngineer,
  consentGranted: noConnector,
  consentRefused: noConnector,
  synced: noEngineer,
  dataArrived: noConnector,
  daemonUnreachable: noConnector,
  visitFailed: noConnector,
  engineerEnded: noSplice,
  daemonEnded: noSplice,
  legFailed: noSplice,
  stageExpired: end('expired'),
  idleExpired: noSplice,
  lifetimeExpired: noSplice,
  passwordBurned: end('burned'),
  auditFailed: notRecorded,
  closedByAdmin: end('closed'),
  relayStopping: end('shutdown'),
};

const awaitingEngineer: Row = {
  connectorArrived: consumed,
  connectorLeft: end('customer'),
  connectorLost: end('failure'),
  connectorAway: go('awaitingReturn'),
  connectorReturned: notAway,
  engineerArrived: go('awaitingConsent', 'requestConsent'),
  engineerLeft: gone,
  visitorLeft: notStanding,
  consentGranted: withdrawn,
  consentRefused: withdrawn,
  synced: withdrawn,
  dataArrived: notAwaited,
  daemonUnreachable: withdrawn,
  visitFailed: withdrawn,
  engineerEnded: noSplice,
  daemonEnded: noSplice,
  legFailed: noSplice,
  stageExpired: end('unused'),
  idleExpired: noSplice,
  lifetimeExpired: noSplice,
  passwordBurned: spent,
  auditFailed: notRecorded,
  closedByAdmin: end('closed'),
  relayStopping: end('shutdown'),
};

const awaitingReturn: Row = {
  connectorArrived: consumed,
  connectorLeft: end('customer'),
  connectorLost: end('failure'),
  connectorAway: late('it is away already'),
  connectorReturned: go('awaitingEngineer'),
  engineerArrived: noSeat,
  engineerLeft: gone,
  visitorLeft: notStanding,
  consentGranted: gonePast,
  consentRefused: gonePast,
  synced: withdrawn,
  dataArrived: notAwaited,
  daemonUnreachable: gonePast,
  visitFailed: gonePast,
  engineerEnded: noSplice,
  daemonEnded: noSplice,
  legFailed: noSplice,
  stageExpired: end('unused'),
  idleExpired: noSplice,
  lifetimeExpired: noSplice,
  passwordBurned: spent,
  auditFailed: notRecorded,
  closedByAdmin: end('closed'),
  relayStopping: end('shutdown'),
};

const awaitingConsent: Row = {
  connectorArrived: consumed,
  connectorLeft: end('customer'),
  connectorLost: end('failure'),
  connectorAway: end('failure'),
  connectorReturned: notAway,
  engineerArrived: noSeat,
  engineerLeft: go('awaitingEngineer', 'withdrawVisit'),
  visitorLeft: end('engineer'),
  consentGranted: go('awaitingSync', 'startSync'),
  consentRefused: end('refused'),
  synced: withdrawn,
  dataArrived: notAwaited,
  daemonUnreachable: outOfTurn,
  visitFailed: outOfTurn,
  engineerEnded: noSplice,
  daemonEnded: noSplice,
  legFailed: noSplice,
  stageExpired: end('unanswered'),
  idleExpired: noSplice,
  lifetimeExpired: noSplice,
  passwordBurned: spent,
  auditFailed: notRecorded,
  closedByAdmin: end('closed'),
  relayStopping: end('shutdown'),
};

// A refusal after the grant still ends the session until the splice: in doubt, the customer said no.
const awaitingSync: Row = {
  connectorArrived: consumed,
  connectorLeft: end('customer'),
  connectorLost: end('failure'),
  connectorAway: end('failure'),
  connectorReturned: notAway,
  engineerArrived: noSeat,
  engineerLeft: go('awaitingEngineer', 'withdrawVisit'),
  visitorLeft: end('engineer'),
  consentGranted: answered,
  consentRefused: end('refused'),
  synced: go('awaitingData', 'openData'),
  dataArrived: notAwaited,
  daemonUnreachable: outOfTurn,
  visitFailed: outOfTurn,
  engineerEnded: noSplice,
  daemonEnded: noSplice,
  legFailed: noSplice,
  stageExpired: go('awaitingData', 'openData'),
  idleExpired: noSplice,
  lifetimeExpired: noSplice,
  passwordBurned: spent,
  auditFailed: notRecorded,
  closedByAdmin: end('closed'),
  relayStopping: end('shutdown'),
};

const awaitingData: Row = {
  connectorArrived: consumed,
  connectorLeft: end('customer'),
  connectorLost: end('failure'),
  connectorAway: end('failure'),
  connectorReturned: notAway,
  engineerArrived: noSeat,
  engineerLeft: go('awaitingEngineer', 'withdrawVisit'),
  visitorLeft: end('engineer'),
  consentGranted: answered,
  consentRefused: end('refused'),
  synced: tooSlow,
  dataArrived: go('spliced', 'splice'),
  daemonUnreachable: end('unreachable'),
  visitFailed: end('failure'),
  engineerEnded: noSplice,
  daemonEnded: noSplice,
  legFailed: noSplice,
  stageExpired: end('unreachable'),
  idleExpired: noSplice,
  lifetimeExpired: noSplice,
  passwordBurned: spent,
  auditFailed: notRecorded,
  closedByAdmin: end('closed'),
  relayStopping: end('shutdown'),
};

const spliced: Row = {
  connectorArrived: consumed,
  connectorLeft: end('customer'),
  connectorLost: end('failure'),
  connectorAway: end('failure'),
  connectorReturned: notAway,
  engineerArrived: noSeat,
  engineerLeft: handedOver,
  visitorLeft: handedOver,
  consentGranted: answered,
  consentRefused: answered,
  synced: tooSlow,
  dataArrived: notAwaited,
  daemonUnreachable: outOfTurn,
  visitFailed: end('failure'),
  engineerEnded: go('awaitingDaemonEnd', 'endDaemonSide'),
  daemonEnded: go('awaitingEngineerEnd', 'endEngineerSide'),
  legFailed: end('failure'),
  stageExpired: noStage,
  idleExpired: end('idle'),
  lifetimeExpired: end('lifetime'),
  passwordBurned: spent,
  auditFailed: end('audit'),
  closedByAdmin: end('closed'),
  relayStopping: end('shutdown'),
};

// Whoever ended first ended the visit, and the engineer was told so: a connection that breaks off afterwards (a client
// that closes while output is still on its way to it is reset) changes nothing of that.
const awaitingDaemonEnd: Row = {
  connectorArrived: consumed,
  connectorLeft: end('customer'),
  connectorLost: end('engineer'),
  connectorAway: end('engineer'),
  connectorReturned: notAway,
  engineerArrived: noSeat,
  engineerLeft: handedOver,
  visitorLeft: handedOver,
  consentGranted: answered,
  consentRefused: answered,
  synced: tooSlow,
  dataArrived: notAwaited,
  daemonUnreachable: outOfTurn,
  visitFailed: end('engineer'),
  engineerEnded: endedOnce,
  daemonEnded: end('engineer'),
  legFailed: end('engineer'),
  stageExpired: end('engineer'),
  idleExpired: end('engineer'),
  lifetimeExpired: end('lifetime'),
  passwordBurned: spent,
  auditFailed: notRecorded,
  closedByAdmin: end('closed'),
  relayStopping: end('shutdown'),
};

const awaitingEngineerEnd: Row = {
  connectorArrived: consumed,
  connectorLeft: end('customer'),
  connectorLost: end('daemon'),
  connectorAway: end('daemon'),
  connectorReturned: notAway,
  engineerArrived: noSeat,
  engineerLeft: handedOver,
  visitorLeft: handedOver,
  consentGranted: answered,
  consentRefused: answered,
  synced: tooSlow,
  dataArrived: notAwaited,
  daemonUnreachable: outOfTurn,
  visitFailed: daemonDone,
  engineerEnded: end('daemon'),
  daemonEnded: endedOnce,
  legFailed: end('daemon'),
  stageExpired: end('daemon'),
  idleExpired: end('daemon'),
  lifetimeExpired: end('lifetime'),
  passwordBurned: spent,
  auditFailed: notRecorded,
  closedByAdmin: end('closed'),
  relayStopping: end('shutdown'),
};

const ended = Object.fromEntries(SESSION_EVENTS.map((event) => [event, over])) as Row;

/** Every pair. Read it through `transition`; the whole is for tests and for the drawing. */
export const SESSION_TABLE: Readonly<Record<SessionState, Row>> = {
  awaitingCustomer,
  awaitingEngineer,
  awaitingReturn,
  awaitingConsent,
  awaitingSync,
  awaitingData,
  spliced,
  awaitingDaemonEnd,
  awaitingEngineerEnd,
  ended,
};

/**
 * What to do when `event` happens in `state`. A late event stays in the state with no actions. Throws, naming both,
 * when the pair is impossible.
 */
export function transition(state: SessionState, event: SessionEvent): Transition {
  const cell = SESSION_TABLE[state][event];
  if ('impossible' in cell) throw new Error(`${event} is impossible in ${state}: ${cell.impossible}`);
  return 'late' in cell ? { next: state, actions: [] } : cell;
}

/** The number that stands for a state in the session table. */
export function stateNumber(state: SessionState): number {
  return SESSION_STATES.indexOf(state);
}

function go(next: SessionState, ...actions: SessionAction[]): Transition {
  return { next, actions };
}

function end(outcome: Outcome): Transition {
  return { next: 'ended', actions: ['finish'], outcome };
}

function late(reason: string): Late {
  return { late: reason };
}

function impossible(reason: string): Impossible {
  return { impossible: reason };
}
