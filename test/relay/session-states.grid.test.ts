/** The whole grid of states and events: every pair is listed, and the table keeps its own rules. */
import t from 'tap';
import {
  SESSION_EVENTS,
  SESSION_STATES,
  SESSION_TABLE,
  stateNumber,
  transition,
  type Cell,
  type SessionEvent,
  type SessionState,
  type Transition,
} from '../../src/relay/session-states.ts';
import { OUTCOMES, type Outcome } from '../../src/wire/outcomes.ts';

interface Pair {
  readonly state: SessionState;
  readonly event: SessionEvent;
  readonly cell: Cell;
}

const pairs: readonly Pair[] = SESSION_STATES.flatMap((state) =>
  SESSION_EVENTS.map((event) => ({ state, event, cell: SESSION_TABLE[state][event] })),
);
const moves = pairs.filter((pair): pair is Pair & { cell: Transition } => 'next' in pair.cell);

t.test('every pair of ten states and twenty-four events is listed, and nothing else', async (t) => {
  t.equal(pairs.length, 240);
  t.ok(pairs.every(({ cell }) => cell !== undefined));
  t.same(Object.keys(SESSION_TABLE), SESSION_STATES);
  for (const state of SESSION_STATES) t.same(Object.keys(SESSION_TABLE[state]), SESSION_EVENTS, state);
});

t.test('transition answers each pair as the table says', async (t) => {
  for (const { state, event, cell } of pairs) {
    if ('impossible' in cell) {
      t.throws(() => transition(state, event), new RegExp(`${event} is impossible in ${state}: .`));
    } else if ('late' in cell) {
      t.same(transition(state, event), { next: state, actions: [] }, `${event} is late in ${state}`);
    } else {
      t.equal(transition(state, event), cell, `${event} in ${state}`);
    }
  }
});

t.test('every late and impossible pair has a reason', async (t) => {
  for (const { cell } of pairs) {
    if ('late' in cell) t.match(cell.late, /.{10}/);
    if ('impossible' in cell) t.match(cell.impossible, /.{10}/);
  }
});

t.test(
  'every way into ended has one outcome word and only the action finish; no other pair has either',
  async (t) => {
    const words = new Set<string>(OUTCOMES.map((row) => row.word));
    for (const { state, event, cell } of moves) {
      const isEnd = cell.next === 'ended';
      t.equal(cell.outcome !== undefined && words.has(cell.outcome), isEnd, `${event} in ${state}`);
      if (isEnd) t.same(cell.actions, ['finish']);
      else t.notOk(cell.actions.includes('finish'));
    }
  },
);

t.test('every outcome word is reached', async (t) => {
  const reached = new Set(moves.flatMap(({ cell }) => cell.outcome ?? []));
  t.same([...reached].toSorted(), OUTCOMES.map((row) => row.word).toSorted());
});

t.test('ended ignores every event', async (t) => {
  for (const event of SESSION_EVENTS) t.same(transition('ended', event), { next: 'ended', actions: [] });
});

t.test('every state can be reached from the first and can reach the end', async (t) => {
  const reachable = new Set<SessionState>([SESSION_STATES[0]]);
  // A set that is iterated also yields what is added meanwhile.
  for (const from of reachable) {
    for (const { state, cell } of moves) if (state === from) reachable.add(cell.next);
  }
  t.same([...reachable].toSorted(), SESSION_STATES.toSorted());
  for (const state of SESSION_STATES) {
    if (state !== 'ended') t.ok(moves.some((pair) => pair.state === state && pair.cell.next === 'ended'));
  }
});

t.test('an administrator and a stopping relay end any live session', async (t) => {
  for (const state of SESSION_STATES.slice(0, -1)) {
    t.equal(transition(state, 'closedByAdmin').outcome, 'closed');
    t.equal(transition(state, 'relayStopping').outcome, 'shutdown');
  }
});

t.test('once a connector is there, losing it or its leaving ends the session', async (t) => {
  const endedBefore: Partial<Record<SessionState, Outcome>> = {
    awaitingDaemonEnd: 'engineer',
    awaitingEngineerEnd: 'daemon',
  };
  for (const state of SESSION_STATES.slice(1, -1)) {
    t.equal(transition(state, 'connectorLost').outcome, endedBefore[state] ?? 'failure');
    t.equal(transition(state, 'connectorLeft').outcome, 'customer');
  }
});

t.test('no frame that a connector can send at any time is impossible once it is there', async (t) => {
  const frames = ['connectorLeft', 'consentGranted', 'consentRefused', 'daemonUnreachable', 'visitFailed'];
  for (const { state, event, cell } of pairs) {
    if (state !== 'awaitingCustomer' && frames.includes(event))
      t.notOk('impossible' in cell, `${event} in ${state}`);
  }
});

t.test('nothing is spliced but by way of consent, synchronisation and a data connection', async (t) => {
  const into = (next: SessionState): string[] =>
    moves
      .filter(({ state, cell }) => cell.next === next && state !== next)
      .map(({ state, event }) => `${state} ${event}`);
  t.same(into('spliced'), ['awaitingData dataArrived']);
  t.same(into('awaitingData'), ['awaitingSync synced', 'awaitingSync stageExpired']);
  t.same(into('awaitingSync'), ['awaitingConsent consentGranted']);
  t.same(into('awaitingConsent'), ['awaitingEngineer engineerArrived']);
});

t.test('states have the numbers of their places', async (t) => {
  SESSION_STATES.forEach((state, place) => t.equal(stateNumber(state), place));
  t.ok(SESSION_STATES.length <= 256, 'one byte in the session table');
});
