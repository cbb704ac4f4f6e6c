/** The lives that sessions lead, told as sequences of events. */
import t from 'tap';
import {
  transition,
  type SessionAction,
  type SessionEvent,
  type SessionState,
} from '../../src/relay/session-states.ts';
import type { Outcome } from '../../src/wire/outcomes.ts';

interface Life {
  readonly state: SessionState;
  readonly actions: readonly SessionAction[];
  readonly outcome: Outcome | null;
}

function live(events: string, from: SessionState = 'awaitingCustomer'): Life {
  let life: Life = { state: from, actions: [], outcome: null };
  for (const event of events.split(' ') as SessionEvent[]) {
    const { next, actions, outcome } = transition(life.state, event);
    life = { state: next, actions: [...life.actions, ...actions], outcome: outcome ?? life.outcome };
  }
  return life;
}

const ARRIVE = 'connectorArrived engineerArrived';
const SPLICE = `${ARRIVE} consentGranted synced dataArrived`;

t.test('a visit from invitation to the end of the engineer', async (t) => {
  t.same(live(`${SPLICE} engineerEnded daemonEnded`), {
    state: 'ended',
    actions: ['requestConsent', 'startSync', 'openData', 'splice', 'endDaemonSide', 'finish'],
    outcome: 'engineer',
  });
});

t.test('the daemon ends first, as after a logout', async (t) => {
  t.same(live(`${SPLICE} daemonEnded engineerEnded`), {
    state: 'ended',
    actions: ['requestConsent', 'startSync', 'openData', 'splice', 'endEngineerSide', 'finish'],
    outcome: 'daemon',
  });
});

t.test('a client that does not answer the timing mark is spliced all the same', async (t) => {
  const life = live(`${ARRIVE} consentGranted stageExpired`);
  t.equal(life.state, 'awaitingData');
  t.equal(life.actions.at(-1), 'openData');
  t.equal(live(`${ARRIVE} consentGranted stageExpired synced dataArrived`).state, 'spliced');
});

t.test('whoever ended first names the outcome when the other never ends', async (t) => {
  t.equal(live(`${SPLICE} engineerEnded stageExpired`).outcome, 'engineer');
  t.equal(live(`${SPLICE} engineerEnded idleExpired`).outcome, 'engineer');
  t.equal(live(`${SPLICE} daemonEnded stageExpired`).outcome, 'daemon');
  t.equal(live(`${SPLICE} daemonEnded idleExpired`).outcome, 'daemon');
});

t.test('an engineer who leaves before the splice leaves the connector waiting', async (t) => {
  for (const stage of ['', ' consentGranted', ' consentGranted synced']) {
    const life = live(`${ARRIVE}${stage} engineerLeft`);
    t.equal(life.state, 'awaitingEngineer');
    t.equal(life.actions.at(-1), 'withdrawVisit');
    t.equal(life.outcome, null);
  }
});

t.test('what the connector still sends for a withdrawn visit changes nothing', async (t) => {
  for (const late of [
    'consentGranted',
    'consentRefused',
    'synced',
    'daemonUnreachable',
    'visitFailed',
    'engineerLeft',
  ]) {
    const life = live(`${ARRIVE} engineerLeft ${late}`);
    t.same(
      life,
      { state: 'awaitingEngineer', actions: ['requestConsent', 'withdrawVisit'], outcome: null },
      late,
    );
  }
});

t.test('a grant that crosses the withdrawal does not count for the next visit', async (t) => {
  const life = live(`${ARRIVE} engineerLeft consentGranted engineerArrived`);
  t.equal(life.state, 'awaitingConsent');
  t.equal(life.actions.at(-1), 'requestConsent');
});

t.test('a second answer: another grant counts for nothing, a refusal ends what has not begun', async (t) => {
  t.equal(live(`${ARRIVE} consentGranted consentGranted`).state, 'awaitingSync');
  t.equal(live(`${ARRIVE} consentGranted consentRefused`).outcome, 'refused');
  t.equal(live(`${ARRIVE} consentGranted synced consentRefused`).outcome, 'refused');
  t.equal(live(`${SPLICE} consentRefused`).state, 'spliced');
});

t.test('visits that do not come about', async (t) => {
  const outcomes: Record<string, Outcome> = {
    stageExpired: 'expired',
    passwordBurned: 'burned',
    closedByAdmin: 'closed',
    'connectorArrived stageExpired': 'unused',
    'connectorArrived connectorLeft': 'customer',
    'connectorArrived connectorLost': 'failure',
    [`${ARRIVE} consentRefused`]: 'refused',
    [`${ARRIVE} stageExpired`]: 'unanswered',
    [`${ARRIVE} consentGranted synced daemonUnreachable`]: 'unreachable',
    [`${ARRIVE} consentGranted synced stageExpired`]: 'unreachable',
    [`${ARRIVE} consentGranted synced visitFailed`]: 'failure',
    [`${ARRIVE} consentGranted relayStopping`]: 'shutdown',
  };
  for (const [events, outcome] of Object.entries(outcomes)) {
    const life = live(events);
    t.equal(life.outcome, outcome, events);
    t.equal(life.state, 'ended');
    t.equal(life.actions.at(-1), 'finish');
  }
});

t.test('visits that are cut', async (t) => {
  const outcomes: Record<string, Outcome> = {
    idleExpired: 'idle',
    lifetimeExpired: 'lifetime',
    legFailed: 'failure',
    visitFailed: 'failure',
    connectorLost: 'failure',
    auditFailed: 'audit',
    connectorLeft: 'customer',
    closedByAdmin: 'closed',
    relayStopping: 'shutdown',
  };
  for (const [event, outcome] of Object.entries(outcomes)) {
    t.equal(live(event, 'spliced').outcome, outcome, event);
    t.same(live(event, 'spliced').actions, ['finish']);
  }
  for (const half of ['engineerEnded', 'daemonEnded']) {
    t.equal(live(`${half} legFailed`, 'spliced').outcome, half === 'engineerEnded' ? 'engineer' : 'daemon');
    t.equal(live(`${half} lifetimeExpired`, 'spliced').outcome, 'lifetime');
  }
});

t.test('a daemon socket that fails after its orderly end takes nothing with it', async (t) => {
  t.equal(live('daemonEnded visitFailed', 'spliced').state, 'awaitingEngineerEnd');
  t.equal(live('daemonEnded visitFailed engineerEnded', 'spliced').outcome, 'daemon');
  t.equal(live('engineerEnded visitFailed', 'spliced').outcome, 'engineer');
});

t.test('what happens after the end changes nothing', async (t) => {
  const life = live(`${SPLICE} connectorLeft legFailed connectorLost daemonEnded stageExpired relayStopping`);
  t.equal(life.outcome, 'customer');
  t.equal(life.actions.filter((action) => action === 'finish').length, 1);
});
