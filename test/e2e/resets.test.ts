/**
 * A reset at every step of the protocol, by either person, many times over: no error that nobody handles, one outcome
 * at most, and descriptors, timers, sessions and connections back to the start.
 */
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { dataTag } from '../../src/wire/data-auth.ts';
import { encodeFrame } from '../../src/wire/frames.ts';
import { dialFrames, enterByHand, sayHello, secretOf, type FramePeer } from '../helpers/frame-peer.ts';
import { delivered } from '../helpers/loop.ts';
import {
  comeIn,
  CountingClock,
  dialEngineer,
  outcomesOf,
  watchLeaks,
  type Invited,
} from '../helpers/people.ts';
import { startRig, type Rig, type TestSocket } from '../helpers/rig.ts';
import { makeClientHello } from '../helpers/tls-hello.ts';

const ROUNDS = 25;

/** What takes part in one round, as far as it has come. */
interface Scene {
  readonly t: Test;
  readonly rig: Rig;
  readonly invited: Invited;
  control?: FramePeer;
  data?: FramePeer;
  engineer?: TestSocket;
  visit?: string;
  dataKey?: Uint8Array;
}

type Reach = (scene: Scene) => Promise<void>;
type Who = 'control' | 'data' | 'engineer';

async function dialled(scene: Scene): Promise<void> {
  scene.engineer = await scene.rig.dial();
}

function sentOfTls(bytes?: number): Reach {
  return async (scene) => {
    await dialled(scene);
    scene.engineer!.write((await makeClientHello()).subarray(0, bytes));
  };
}

async function secured(scene: Scene): Promise<void> {
  scene.control = await dialFrames(scene.t, scene.rig.address);
}

async function halfHello(scene: Scene): Promise<void> {
  await secured(scene);
  scene.control!.write(Buffer.from([0, 200, 1, 2]));
}

async function challenged(scene: Scene): Promise<Uint8Array> {
  await secured(scene);
  return (await sayHello(scene.control!, secretOf(scene.invited.customerPassword))).ownTag;
}

async function confirmed(scene: Scene): Promise<void> {
  const tag = Uint8Array.from(await challenged(scene));
  scene.control!.send('confirm', { tag });
}

async function letIn(scene: Scene): Promise<void> {
  Object.assign(scene, await enterByHand(scene.t, scene.rig.address, scene.invited.customerPassword));
}

async function greeted(scene: Scene): Promise<void> {
  scene.engineer = await dialEngineer(scene.rig);
  await scene.engineer.has('relay login: ');
}

async function checked(scene: Scene): Promise<void> {
  await greeted(scene);
  await scene.engineer!.logIn('alice', 'wrong');
}

async function waits(scene: Scene): Promise<void> {
  await greeted(scene);
  await comeIn(scene.engineer!, 'session', scene.invited);
  await scene.engineer!.has('Waiting for the customer');
}

async function asked(scene: Scene): Promise<void> {
  await letIn(scene);
  await greeted(scene);
  await comeIn(scene.engineer!, 'session', scene.invited);
  scene.visit = (await scene.control!.expect('visitRequest')).visit;
}

async function allowed(scene: Scene): Promise<void> {
  await asked(scene);
  scene.control!.send('consent', { visit: scene.visit!, granted: 1 });
}

async function ordered(scene: Scene): Promise<void> {
  await allowed(scene);
  await scene.control!.expect('openData');
  scene.data = await dialFrames(scene.t, scene.rig.address);
}

function sentOfDataHello(bytes?: number): Reach {
  return async (scene) => {
    await ordered(scene);
    const { data, dataKey, visit } = scene;
    const tag = dataTag(dataKey!, 'connector', Buffer.from(visit!, 'hex'), data!.exporter);
    data!.write(encodeFrame('dataHello', { visit: visit!, tag }).subarray(0, bytes));
  };
}

async function joined(scene: Scene): Promise<void> {
  await sentOfDataHello()(scene);
  await scene.data!.expect('dataAccepted');
  scene.data!.raw(() => {});
}

async function busy(scene: Scene): Promise<void> {
  await joined(scene);
  scene.data!.write(Buffer.alloc(256 * 1_024, 'x'));
  scene.engineer!.write(Buffer.alloc(256 * 1_024, 'y'));
}

/** How far everybody comes, and whose connections are reset there, each in a test of its own. */
const STEPS: readonly [step: string, reach: Reach, whose: readonly Who[]][] = [
  ['accept', dialled, ['engineer']],
  ['half a TLS hello', sentOfTls(100), ['engineer']],
  ['a TLS hello', sentOfTls(), ['engineer']],
  ['the handshake', secured, ['control']],
  ['half a hello', halfHello, ['control']],
  ['the challenge', async (scene) => void (await challenged(scene)), ['control']],
  ['the confirmation', confirmed, ['control']],
  ['accepted, while nobody is there', letIn, ['control']],
  ['the greeting', greeted, ['engineer']],
  ['a password that is being checked', checked, ['engineer']],
  ['the wait for the customer', waits, ['engineer']],
  ['the question', asked, ['control', 'engineer']],
  ['the consent', allowed, ['control', 'engineer']],
  ['the dial', ordered, ['control', 'engineer']],
  ['half a data hello', sentOfDataHello(9), ['data']],
  ['the data hello', sentOfDataHello(), ['data']],
  ['the acknowledgement', joined, ['data']],
  ['a busy splice', busy, ['data', 'control', 'engineer']],
];

function reset(scene: Scene, who: Who): void {
  if (who === 'engineer') scene.engineer!.socket.resetAndDestroy();
  else scene[who]!.reset();
}

for (const [step, who, reach] of STEPS.flatMap(([step, reach, whose]) =>
  whose.map((who) => [step, who, reach] as const),
)) {
  t.test(`reset at ${step} (${who})`, async (t) => {
    const clock = new CountingClock(systemClock);
    const rig = await startRig(t, { clock });
    const noLeaks = watchLeaks(t, rig, clock);
    for (let round = 0; round < ROUNDS; round += 1) {
      const scene: Scene = { t, rig, invited: await rig.invite() };
      await reach(scene);
      // Before, while and after the relay has taken up what came last.
      if (round % 3 === 1) await new Promise((resolve) => setImmediate(resolve));
      if (round % 3 === 2) await delivered();
      reset(scene, who);
      await delivered();
      for (const socket of [scene.engineer?.socket, scene.data?.socket, scene.control?.socket])
        socket?.destroy();
      const { session } = scene.invited;
      if (rig.relay.sessions.byId(session.id)) rig.relay.sessions.close(session);
      await rig.settled();
      t.equal(outcomesOf(rig, scene.invited).length, 1, 'one outcome');
    }
    await noLeaks();
  });
}
