/**
 * Frames of a connector, played by hand, that cross somebody's leaving or the end of their time, in every order.
 *
 * Whichever is first counts. What comes too late changes nothing, and what names one visit counts for no other.
 */
import type { Test } from 'tap';
import { dataTag } from '../../src/wire/data-auth.ts';
import { encodeFrame, VISIT_FAILED } from '../../src/wire/frames.ts';
import type { Outcome } from '../../src/wire/outcomes.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { dialFrames, enterByHand, type FramePeer } from '../helpers/frame-peer.ts';
import { audited, comeIn, dialEngineer, outcomesOf, type Invited } from '../helpers/people.ts';
import { hangUp, race, type Scene } from '../helpers/race.ts';
import { until, type Rig, type TestSocket } from '../helpers/rig.ts';

const CUSTOMER_LEFT = 4;
const REFUSAL_BYTES = encodeFrame('dataRefused', {}).length;

/** A connector that was let in, the engineer who asked for the visit, and its id. */
interface Cast {
  readonly invited: Invited;
  readonly control: FramePeer;
  readonly dataKey: Uint8Array;
  readonly engineer: TestSocket;
  readonly visit: string;
}

/** A data connection whose first frame is yet to be sent. */
interface Data {
  readonly peer: FramePeer;
  readonly sayHello: () => void;
}

async function ask(t: Test, rig: Rig): Promise<Cast> {
  const invited = await rig.invite();
  const { control, dataKey } = await enterByHand(t, rig.address, invited.customerPassword);
  const engineer = await dialEngineer(rig);
  await comeIn(engineer, 'session', invited);
  const { visit } = await control.expect('visitRequest');
  return { invited, control, dataKey, engineer, visit };
}

/** The same, up to the order to open a data connection. */
async function allow(t: Test, rig: Rig): Promise<Cast> {
  const cast = await ask(t, rig);
  await grant(cast);
  return cast;
}

async function grant({ control, visit }: Pick<Cast, 'control' | 'visit'>): Promise<void> {
  control.send('consent', { visit, granted: 1 });
  await control.expect('openData');
}

async function dialData(t: Test, rig: Rig, dataKey: Uint8Array, visit: string): Promise<Data> {
  const peer = await dialFrames(t, rig.address);
  const tag = dataTag(dataKey, 'connector', Buffer.from(visit, 'hex'), peer.exporter);
  return { peer, sayHello: () => peer.send('dataHello', { visit, tag }) };
}

async function refusesData(t: Test, rig: Rig, dataKey: Uint8Array, visit: string, when: string) {
  const { peer, sayHello } = await dialData(t, rig, dataKey, visit);
  sayHello();
  await isRefused(t, peer, when);
}

async function isRefused(t: Test, peer: FramePeer, when: string): Promise<void> {
  t.equal((await peer.next())?.name, 'dataRefused', when);
  t.equal(await peer.next(), null);
  t.equal(peer.receivedBytes, REFUSAL_BYTES, 'one frame, and nothing else');
  hangUp(peer);
}

interface Crossing {
  /** Where the frame is awaited. */
  readonly reach: (t: Test, rig: Rig) => Promise<Cast>;
  readonly send: (cast: Cast, data: Data) => void;
  /** How the session ends when the frame is first; without it, by whoever leaves then. */
  readonly ends?: Outcome;
  readonly opensData?: boolean;
}

const FRAMES: Readonly<Record<string, Crossing>> = {
  'a yes': {
    reach: ask,
    send: ({ control, visit }) => control.send('consent', { visit, granted: 1 }),
  },
  'a no': {
    reach: ask,
    send: ({ control, visit }) => control.send('consent', { visit, granted: 0 }),
    ends: 'refused',
  },
  'the news that the daemon does not answer': {
    reach: allow,
    send: ({ control, visit }) =>
      control.send('visitFailed', { visit, reason: VISIT_FAILED.daemonUnreachable }),
    ends: 'unreachable',
  },
  'a data connection': {
    reach: allow,
    send: (_cast, data) => data.sayHello(),
    opensData: true,
  },
};

interface Leaving {
  readonly leave: (cast: Cast) => void;
  /** How it ends the session before the visit has begun (null: not at all), and after. */
  readonly before: Outcome | null;
  readonly after: Outcome;
}

const LEAVINGS: Readonly<Record<string, Leaving>> = {
  'the engineer leaves': {
    leave: ({ engineer }) => engineer.socket.end(),
    before: null,
    after: 'engineer',
  },
  'the customer leaves': {
    leave: ({ control }) => control.send('bye', { outcome: CUSTOMER_LEFT }),
    before: 'customer',
    after: 'customer',
  },
  'the connector is cut off': {
    leave: ({ control }) => control.reset(),
    before: 'failure',
    after: 'failure',
  },
};

/** The relay has seen the first before the second is sent, or both are sent at once. */
const ORDERS = ['before', 'after', 'just before', 'just after', 'just before', 'just after'] as const;
type Order = (typeof ORDERS)[number];

async function cross(order: Order, state: () => string, send: () => void, leave: () => void): Promise<void> {
  const [first, second] = order.endsWith('before') ? [send, leave] : [leave, send];
  const before = state();
  first();
  if (!order.startsWith('just')) await until(() => state() !== before);
  second();
}

for (const [what, frame] of Object.entries(FRAMES)) {
  for (const [who, leaving] of Object.entries(LEAVINGS)) {
    race(`${what} comes before, after or just when ${who}`, {}, async ({ t, rig }) => {
      for (const order of ORDERS) {
        const outcome = await crossOnce(t, rig, order, frame, leaving);
        const ifFirst = frame.ends ?? (frame.opensData ? leaving.after : leaving.before);
        const possible = { before: [ifFirst], after: [leaving.before] }[order as string];
        t.ok((possible ?? [ifFirst, leaving.before]).includes(outcome), `${order}: ${outcome}`);
      }
    });
  }
}

/** Resolves with the session's one outcome, or null when it waited on and the next visit was as if none had been. */
async function crossOnce(
  t: Test,
  rig: Rig,
  order: Order,
  { reach, send, opensData }: Crossing,
  { leave }: Leaving,
): Promise<Outcome | null> {
  const cast = await reach(t, rig);
  const { control, engineer, invited } = cast;
  const data = await dialData(t, rig, cast.dataKey, cast.visit);
  const state = (): string => rig.relay.sessions.stateOf(invited.session);
  await cross(
    order,
    state,
    () => send(cast, data),
    () => leave(cast),
  );
  if (opensData) await answered(t, data.peer);
  hangUp(data.peer);

  await until(() => ['ended', 'awaitingEngineer'].includes(state()));
  const outcomes = outcomesOf(rig, invited);
  if (outcomes.length === 0) await waitsOn(t, rig, cast);
  hangUp(engineer, control);
  t.ok(outcomes.length <= 1, 'at most one outcome');
  return outcomes[0] ?? null;
}

/** Either one refusal, or the visit began and this side is ended. */
async function answered(t: Test, peer: FramePeer): Promise<void> {
  const answer = await peer.next();
  t.match(answer?.name, /^data(Accepted|Refused)$/);
  t.equal(await peer.next(), null);
  if (answer?.name === 'dataRefused') t.equal(peer.receivedBytes, REFUSAL_BYTES);
  peer.socket.end();
}

/** The visit was withdrawn, and no answer to it, late or repeated, counts for the next one. */
async function waitsOn(t: Test, rig: Rig, { control, invited, visit }: Cast): Promise<void> {
  const given = audited(rig, 'consent-given').length;
  const engineer = await dialEngineer(rig);
  await comeIn(engineer, 'session', invited);
  const seen: string[] = [];
  let frame = await control.next();
  for (; frame !== null && frame.name !== 'visitRequest'; frame = await control.next()) seen.push(frame.name);
  t.equal(seen.filter((name) => name === 'visitCancel').length, 1, 'one withdrawal');
  if (frame === null) throw new Error('the relay did not ask for the next visit');
  t.not(frame.visit, visit, 'an id of its own');

  control.send('consent', { visit, granted: 0 });
  control.send('consent', { visit, granted: 1 });
  for (const reason of Object.values(VISIT_FAILED)) control.send('visitFailed', { visit, reason });
  await grant({ control, visit: frame.visit });
  for (const reason of Object.values(VISIT_FAILED)) control.send('visitFailed', { visit, reason });
  control.send('bye', { outcome: CUSTOMER_LEFT });
  await engineer.has('(customer)');
  t.equal(audited(rig, 'consent-given').length, given + 1, 'the old answers are none');
  t.same(outcomesOf(rig, invited), ['customer']);
  hangUp(engineer);
}

race('the engineer comes before, after or just when the customer leaves', {}, async ({ t, rig }) => {
  for (const order of ORDERS) {
    const invited = await rig.invite();
    const { control } = await enterByHand(t, rig.address, invited.customerPassword);
    const engineer = await dialEngineer(rig);
    await engineer.has('relay login: ');
    engineer.write(`${invited.session.id}\r\n`);
    await engineer.has('Password: ');
    await cross(
      order,
      () => rig.relay.sessions.stateOf(invited.session),
      () => engineer.write(`${invited.engineerPassword}\r\n`),
      () => control.send('bye', { outcome: CUSTOMER_LEFT }),
    );
    await until(() => /Login incorrect|\(customer\)/.test(engineer.text));
    t.same(outcomesOf(rig, invited), ['customer'], order);
    hangUp(engineer, control);
  }
});

race('a data connection is refused while no visit, or another one, is awaited', {}, async ({ t, rig }) => {
  const { control, dataKey, engineer, invited, visit } = await ask(t, rig);
  const refuses = (id: string, when: string) => refusesData(t, rig, dataKey, id, when);
  await refuses(visit, 'before the consent');
  await grant({ control, visit });
  engineer.socket.end();
  t.equal((await control.expect('visitCancel')).visit, visit);
  await refuses(visit, 'after the withdrawal');
  t.equal(rig.relay.sessions.stateOf(invited.session), 'awaitingEngineer');

  const again = await dialEngineer(rig);
  await comeIn(again, 'session', invited);
  const next = await control.expect('visitRequest');
  await refuses(visit, 'while another visit is asked for');
  await grant({ control, visit: next.visit });
  await refuses(visit, 'while the data connection of another visit is awaited');
  const { peer, sayHello } = await dialData(t, rig, dataKey, next.visit);
  sayHello();
  t.equal((await peer.next())?.name, 'dataAccepted', 'the right one is not refused');
  await refuses(visit, 'in another visit');
  await refuses(next.visit, 'in the very visit');
  control.send('bye', { outcome: CUSTOMER_LEFT });
  await again.has('(customer)');
  await refuses(next.visit, 'after the session');
  t.same(outcomesOf(rig, invited), ['customer']);
  hangUp(engineer, again, control, peer);
});

race("a connector answers for nobody else's visit", {}, async ({ t, rig }) => {
  const [own, other] = [await ask(t, rig), await ask(t, rig)];
  const meddle = (): void => {
    own.control.send('consent', { visit: other.visit, granted: 1 });
    own.control.send('consent', { visit: other.visit, granted: 0 });
    own.control.send('visitFailed', { visit: other.visit, reason: VISIT_FAILED.daemonUnreachable });
  };
  meddle();
  await grant(own);
  t.equal(rig.relay.sessions.stateOf(other.invited.session), 'awaitingConsent');
  await grant(other);
  meddle();
  await refusesData(t, rig, own.dataKey, other.visit, "with the proof of another's password");
  own.control.send('consent', { visit: own.visit, granted: 0 });
  await own.engineer.has('(refused)');
  t.equal(rig.relay.sessions.stateOf(other.invited.session), 'awaitingData');
  t.equal(audited(rig, 'consent-given').length, 2);
  other.control.send('bye', { outcome: CUSTOMER_LEFT });
  await other.engineer.has('(customer)');
  hangUp(own.engineer, own.control, other.engineer, other.control);
});

/** Ends before the relay's first ping, so that nobody has to answer one. */
const WAIT_MS = 10_000;
const TICK_MS = 100;

function raceWithTime(name: string, action: (scene: Scene, clock: FakeClock) => Promise<void>): void {
  const clock = new FakeClock();
  race(name, { clock, limits: { consentMs: WAIT_MS } }, (scene) => action(scene, clock));
}

raceWithTime('answers in the last moment count, and their time ends nothing', async ({ t, rig }, clock) => {
  const cast = await ask(t, rig);
  const { control, dataKey, engineer, invited, visit } = cast;
  const state = (): string => rig.relay.sessions.stateOf(invited.session);
  clock.advance(WAIT_MS - TICK_MS);
  await grant(cast);
  clock.advance(2 * TICK_MS);
  t.equal(state(), 'awaitingData');

  const { peer, sayHello } = await dialData(t, rig, dataKey, visit);
  sayHello();
  t.equal((await peer.next())?.name, 'dataAccepted');
  control.send('bye', { outcome: CUSTOMER_LEFT });
  await engineer.has('(customer)');
  t.same(outcomesOf(rig, invited), ['customer']);
  hangUp(engineer, control, peer);
});

raceWithTime('a yes that comes with the end of its time is none', async ({ t, rig }, clock) => {
  const { control, engineer, invited, visit } = await ask(t, rig);
  control.send('consent', { visit, granted: 1 });
  clock.advance(WAIT_MS + TICK_MS);
  await engineer.has('(unanswered)');
  t.same(outcomesOf(rig, invited), ['unanswered']);
  t.equal(audited(rig, 'consent-given').length, 0);
  hangUp(engineer, control);
});

raceWithTime('a data connection that comes with the end of its time is refused', async (scene, clock) => {
  const { t, rig } = scene;
  const { control, dataKey, engineer, invited, visit } = await allow(t, rig);
  const { peer, sayHello } = await dialData(t, rig, dataKey, visit);
  sayHello();
  clock.advance(WAIT_MS + TICK_MS);
  await isRefused(t, peer, 'too late');
  await engineer.has('(unreachable)');
  t.same(outcomesOf(rig, invited), ['unreachable']);
  hangUp(engineer, control);
});
