/**
 * Engineers who leave before their visit has begun, at every stage and in every way, and engineers who come at once.
 *
 * A visit that never began leaves the session as it was: the connector waits on, and the next engineer is asked for
 * anew. Nothing that was typed for one visit, by either person, counts for another.
 */
import {
  audited,
  bringTogether,
  comeIn,
  dialEngineer,
  inviteFor,
  outcomesOf,
  showsTimes,
  type People,
} from '../helpers/people.ts';
import { delivered } from '../helpers/loop.ts';
import { collectSites, hangUp, QUESTION, race, STAGES, type Scene, type Stage } from '../helpers/race.ts';
import { until, type RunningConnector, type TestSocket } from '../helpers/rig.ts';

const INTERRUPT = Buffer.from([0x03]);
const GIVE_MARK = Buffer.from([0xff, 0xfb, 0x06]);

const WAYS_TO_LEAVE: Readonly<Record<string, (engineer: TestSocket) => void>> = {
  'hangs up': ({ socket }) => socket.end(),
  'is reset': ({ socket }) => socket.resetAndDestroy(),
  'presses ^C': (engineer) => engineer.write(INTERRUPT),
};

for (const [when, stage] of Object.entries(STAGES)) {
  for (const [how, leave] of Object.entries(WAYS_TO_LEAVE)) {
    race(`the engineer ${how} ${when}`, stage, (scene) => leaveAndComeAgain(scene, stage, leave));
  }
}

/** Both orders of the mark that makes the line ready and of leaving, in one packet. */
const MARK_AND_LEAVING: Readonly<Record<string, (engineer: TestSocket) => void>> = {
  'answers the mark and presses ^C': (engineer) => engineer.write(Buffer.concat([GIVE_MARK, INTERRUPT])),
  'presses ^C and answers the mark': (engineer) => engineer.write(Buffer.concat([INTERRUPT, GIVE_MARK])),
  'answers the mark and hangs up': ({ socket }) => socket.end(GIVE_MARK),
};

for (const [how, leave] of Object.entries(MARK_AND_LEAVING)) {
  const stage = STAGES['while the line is made ready'];
  race(`the engineer ${how}`, stage, (scene) => leaveAndComeAgain(scene, stage, leave));
}

async function leaveAndComeAgain(
  scene: Scene,
  stage: Stage,
  leave: (engineer: TestSocket) => void,
): Promise<void> {
  const { t, rig, daemon, proxy, release } = scene;
  const sites = collectSites(daemon);
  const { marks = true } = stage;
  const people = await bringTogether(rig, daemon, 'session', { keyboard: true, relay: proxy.address, marks });
  const { customer, engineer, invited } = people;
  await stage.reach(people, scene);
  engineer.write('typed too early\r\n');
  leave(engineer);
  await customer.shows('The engineer is gone again; waiting.');
  customer.press('y');
  release();
  t.equal(rig.relay.sessions.stateOf(invited.session), 'awaitingEngineer');
  t.equal(audited(rig, 'visit-start').length, 0, 'the visit has not begun');

  const again = await visitAgain(scene, people);
  t.equal(await customer.done, 0);
  t.equal(audited(rig, 'visit-start').length, 1);
  t.same(outcomesOf(rig, invited), ['engineer']);
  t.same([...new Set(sites.map(({ text }) => text))], [''], 'no key of the first visit reached a daemon');
  hangUp(engineer, again);
}

/** A whole visit, with a consent of its own. */
async function visitAgain({ t, rig }: Scene, { invited, customer }: People): Promise<TestSocket> {
  const given = audited(rig, 'consent-given').length;
  const engineer = await dialEngineer(rig);
  await comeIn(engineer, 'session', invited);
  await asked(customer, 2);
  t.equal(audited(rig, 'consent-given').length, given, 'a key that was pressed before does not answer');
  customer.press('y');
  await engineer.has('daemon ready');
  engineer.socket.end();
  return engineer;
}

async function asked({ screen }: RunningConnector, times: number): Promise<void> {
  await until(() => screen().split(QUESTION).length > times);
}

for (const when of ['while the customer is asked', 'while the line is made ready']) {
  const stage = STAGES[when];
  race(`an account that presses ^C ${when} may open the session again`, stage, async (scene) => {
    const { t, rig, daemon } = scene;
    collectSites(daemon);
    const { marks = true, reach } = stage;
    const people = await bringTogether(rig, daemon, 'account', { keyboard: true, marks });
    const { customer, engineer, invited } = people;
    await reach(people, scene);
    engineer.write(INTERRUPT);
    await customer.shows('The engineer is gone again; waiting.');
    await showsTimes(engineer, 'relay> ', 2);
    engineer.write(`open ${invited.session.id}\r\n`);
    await asked(customer, 2);
    customer.press('y');
    await engineer.has('daemon ready');
    engineer.socket.end();
    t.equal(await customer.done, 0);
    t.same(outcomesOf(rig, invited), ['engineer']);
    hangUp(engineer);
  });
}

race('two engineers come at once: one is asked for, the other is told', {}, async ({ t, rig, daemon }) => {
  const invited = await inviteFor(rig, 'account');
  const customer = rig.connect(invited.customerPassword, daemon.address, { keyboard: true });
  await customer.shows('waiting for the engineer');
  const both = [await dialEngineer(rig), await dialEngineer(rig)] as const;
  await Promise.all([comeIn(both[0], 'session', invited), comeIn(both[1], 'account', invited)]);
  const said = /Asking the customer|Somebody else is working on this session/;
  await until(() => both.every(({ text }) => said.test(text)));
  t.equal(both.filter(({ text }) => text.includes('Asking the customer')).length, 1);
  await customer.shows(QUESTION);
  customer.press('n');
  await customer.done;
  t.equal(customer.screen().split(QUESTION).length, 2, 'one question');
  t.same(outcomesOf(rig, invited), ['refused']);
  hangUp(...both);
});

race('a key for the question that was withdrawn does not answer the next', {}, async ({ t, rig, daemon }) => {
  const { invited, customer, engineer } = await bringTogether(rig, daemon, 'account', { keyboard: true });
  await customer.shows(QUESTION);
  const next = await dialEngineer(rig);
  await next.logIn(invited.session.id, '');
  engineer.write(INTERRUPT);
  await customer.shows('The engineer is gone again; waiting.');
  next.write(`${invited.session.id}\r\n${invited.engineerPassword}\r\n`);
  await until(() => customer.screen().split('Visit asked for').length === 3);
  // Were the next question shown at once, it would be by now.
  await delivered();
  customer.press('y');
  await asked(customer, 2);
  t.equal(rig.relay.sessions.stateOf(invited.session), 'awaitingConsent');
  customer.press('n');
  await next.has('(refused)');
  hangUp(engineer, next);
});
