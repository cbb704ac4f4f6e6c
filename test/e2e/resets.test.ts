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

/** What takes part in one round, as far as it has come; whoever is named by a step is reset there. */
interface Scene {
  readonly invited: Invited;
  control?: FramePeer;
  data?: FramePeer;
  engineer?: TestSocket;
  visit?: string;
  dataKey?: Uint8Array;
}

type Reset = () => void;
type Step = (t: Test, rig: Rig, scene: Scene) => Promise<Reset>;

const resetControl = ({ control }: Scene): Reset => control!.reset.bind(control);
const resetData = ({ data }: Scene): Reset => data!.reset.bind(data);
const resetEngineer =
  ({ engineer }: Scene): Reset =>
  () =>
    void engineer!.socket.resetAndDestroy();

async function letIn(t: Test, rig: Rig, scene: Scene): Promise<void> {
  Object.assign(scene, await enterByHand(t, rig.address, scene.invited.customerPassword));
}

async function askedFor(t: Test, rig: Rig, scene: Scene): Promise<void> {
  await letIn(t, rig, scene);
  scene.engineer = await dialEngineer(rig);
  await comeIn(scene.engineer, 'session', scene.invited);
  scene.visit = (await scene.control!.expect('visitRequest')).visit;
}

async function ordered(t: Test, rig: Rig, scene: Scene): Promise<void> {
  await askedFor(t, rig, scene);
  scene.control!.send('consent', { visit: scene.visit!, granted: 1 });
  await scene.control!.expect('openData');
  scene.data = await dialFrames(t, rig.address);
}

function sendDataHello({ data, dataKey, visit }: Scene): void {
  const tag = dataTag(dataKey!, 'connector', Buffer.from(visit!, 'hex'), data!.exporter);
  data!.send('dataHello', { visit: visit!, tag });
}

async function joined(t: Test, rig: Rig, scene: Scene): Promise<void> {
  await ordered(t, rig, scene);
  sendDataHello(scene);
  await scene.data!.expect('dataAccepted');
  scene.data!.raw(() => {});
}

async function busy(t: Test, rig: Rig, scene: Scene): Promise<void> {
  await joined(t, rig, scene);
  scene.data!.write(Buffer.alloc(256 * 1_024, 'x'));
  scene.engineer!.write(Buffer.alloc(256 * 1_024, 'y'));
}

const STEPS: Readonly<Record<string, Step>> = {
  accept: async (_t, rig) => {
    const line = await rig.dial();
    return () => void line.socket.resetAndDestroy();
  },
  'half a TLS hello': async (_t, rig) => {
    const line = await rig.dial();
    line.write((await makeClientHello()).subarray(0, 100));
    return () => void line.socket.resetAndDestroy();
  },
  'a TLS hello': async (_t, rig) => {
    const line = await rig.dial();
    line.write(await makeClientHello());
    return () => void line.socket.resetAndDestroy();
  },
  'the handshake': async (t, rig, scene) => {
    scene.control = await dialFrames(t, rig.address);
    return resetControl(scene);
  },
  'half a hello': async (t, rig, scene) => {
    scene.control = await dialFrames(t, rig.address);
    scene.control.write(Buffer.from([0, 200, 1, 2]));
    return resetControl(scene);
  },
  'the challenge': async (t, rig, scene) => {
    scene.control = await dialFrames(t, rig.address);
    await sayHello(scene.control, secretOf(scene.invited.customerPassword));
    return resetControl(scene);
  },
  'the confirmation': async (t, rig, scene) => {
    scene.control = await dialFrames(t, rig.address);
    const { ownTag } = await sayHello(scene.control, secretOf(scene.invited.customerPassword));
    scene.control.send('confirm', { tag: Uint8Array.from(ownTag) });
    return resetControl(scene);
  },
  'accepted, while nobody is there': async (t, rig, scene) => {
    await letIn(t, rig, scene);
    return resetControl(scene);
  },
  'the greeting': async (_t, rig, scene) => {
    scene.engineer = await dialEngineer(rig);
    await scene.engineer.has('relay login: ');
    return resetEngineer(scene);
  },
  'a password that is being checked': async (_t, rig, scene) => {
    scene.engineer = await dialEngineer(rig);
    await scene.engineer.logIn('alice', 'wrong');
    return resetEngineer(scene);
  },
  'the wait for the customer': async (_t, rig, scene) => {
    scene.engineer = await dialEngineer(rig);
    await comeIn(scene.engineer, 'session', scene.invited);
    await scene.engineer.has('Waiting for the customer');
    return resetEngineer(scene);
  },
  'the question, by the customer': async (t, rig, scene) => {
    await askedFor(t, rig, scene);
    return resetControl(scene);
  },
  'the question, by the engineer': async (t, rig, scene) => {
    await askedFor(t, rig, scene);
    return resetEngineer(scene);
  },
  'the consent, by the customer': async (t, rig, scene) => {
    await askedFor(t, rig, scene);
    scene.control!.send('consent', { visit: scene.visit!, granted: 1 });
    return resetControl(scene);
  },
  'the consent, by the engineer': async (t, rig, scene) => {
    await askedFor(t, rig, scene);
    scene.control!.send('consent', { visit: scene.visit!, granted: 1 });
    return resetEngineer(scene);
  },
  'the dial, by the customer': async (t, rig, scene) => {
    await ordered(t, rig, scene);
    return resetControl(scene);
  },
  'the dial, by the engineer': async (t, rig, scene) => {
    await ordered(t, rig, scene);
    return resetEngineer(scene);
  },
  'half a data hello': async (t, rig, scene) => {
    await ordered(t, rig, scene);
    scene.data!.write(
      encodeFrame('dataHello', { visit: scene.visit!, tag: new Uint8Array(32) }).subarray(0, 9),
    );
    return resetData(scene);
  },
  'the data hello': async (t, rig, scene) => {
    await ordered(t, rig, scene);
    sendDataHello(scene);
    return resetData(scene);
  },
  'the acknowledgement': async (t, rig, scene) => {
    await joined(t, rig, scene);
    return resetData(scene);
  },
  'a busy splice, by the data connection': async (t, rig, scene) => {
    await busy(t, rig, scene);
    return resetData(scene);
  },
  'a busy splice, by the control connection': async (t, rig, scene) => {
    await busy(t, rig, scene);
    return resetControl(scene);
  },
  'a busy splice, by the engineer': async (t, rig, scene) => {
    await busy(t, rig, scene);
    return resetEngineer(scene);
  },
};

for (const [step, go] of Object.entries(STEPS)) {
  t.test(`reset at ${step}`, async (t) => {
    const clock = new CountingClock(systemClock);
    const rig = await startRig(t, { clock });
    const noLeaks = watchLeaks(t, rig, clock);
    for (let round = 0; round < ROUNDS; round += 1) {
      const scene: Scene = { invited: await rig.invite() };
      const reset = await go(t, rig, scene);
      // Before, while and after the relay has taken up what came last.
      if (round % 3 === 1) await new Promise((resolve) => setImmediate(resolve));
      if (round % 3 === 2) await delivered();
      reset();
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
