/**
 * The relay's end of connectors that speak wrongly, at every stage: their own connection is closed, with the one frame
 * that the protocol has for it, and neither the password, nor anybody else's visit, nor the relay takes harm.
 */
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { dataTag } from '../../src/wire/data-auth.ts';
import { encodeConnectorCard, encodeFrame, REFUSED, type FrameName } from '../../src/wire/frames.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import {
  cardOf,
  dialFrames,
  enterByHand,
  proveWith,
  sayHello,
  secretOf,
  type FramePeer,
} from '../helpers/frame-peer.ts';
import {
  audited,
  comeIn,
  CountingClock,
  dialEngineer,
  holdVisit,
  outcomesOf,
  watchLeaks,
  type Invited,
} from '../helpers/people.ts';
import { delivered } from '../helpers/loop.ts';
import { startDaemon, startRig, type Rig } from '../helpers/rig.ts';
import { encodeExample, EXAMPLES, MALFORMED, misshape } from '../wire/frame-examples.ts';

interface Stage {
  /** Frames that are no mistake here. */
  readonly expected: readonly FrameName[];
  /** What a wrong frame is answered with before the close. */
  readonly answer: object | null;
  enter(t: Test, rig: Rig, invited: Invited): Promise<FramePeer>;
}

const STAGES: Readonly<Record<string, Stage>> = {
  'as the first frame': {
    expected: ['hello', 'resume', 'dataHello'],
    answer: null,
    enter: (t, rig) => dialFrames(t, rig.address),
  },
  'instead of the confirmation': {
    expected: ['confirm'],
    answer: { name: 'refused', reason: REFUSED.protocol },
    enter: async (t, rig, { customerPassword }) => {
      const peer = await dialFrames(t, rig.address);
      await sayHello(peer, secretOf(customerPassword));
      return peer;
    },
  },
  'from a connector that was let in': {
    expected: ['pong', 'consent', 'visitFailed', 'visitEnd', 'bye'],
    answer: null,
    enter: async (t, rig, { customerPassword }) =>
      (await enterByHand(t, rig.address, customerPassword)).control,
  },
};

const WRONG_FRAMES: Readonly<Record<string, Buffer>> = {
  ...MALFORMED,
  ...Object.fromEntries(
    EXAMPLES.flatMap((frame) =>
      misshape(encodeExample(frame)).map((bytes, index) => [
        `${frame.name} with a byte ${index === 0 ? 'more' : 'less'}`,
        bytes,
      ]),
    ),
  ),
};

for (const [when, stage] of Object.entries(STAGES)) {
  t.test(`wrong frames ${when} end that connection and nothing else`, async (t) => {
    const outOfTurn = EXAMPLES.filter(({ name }) => !stage.expected.includes(name));
    const wrong = {
      ...WRONG_FRAMES,
      ...Object.fromEntries(outOfTurn.map((frame) => [frame.name, encodeExample(frame)])),
    };
    const clock = new CountingClock(systemClock);
    const rig = await startRig(t, { clock });
    const daemon = await startDaemon(t);
    const bystanders = await holdVisit(rig, daemon, 'account');
    const noLeaks = watchLeaks(t, rig, clock);
    for (const [what, bytes] of Object.entries(wrong)) {
      const invited = await rig.invite();
      const peer = await stage.enter(t, rig, invited);
      peer.write(bytes);
      if (stage.answer) t.same(await peer.next(), stage.answer, what);
      t.equal(await peer.next(), null, `${what}: closed`);
      peer.socket.destroy();
      if (when === 'from a connector that was let in') {
        t.same(outcomesOf(rig, invited), ['failure'], what);
      } else {
        const { control } = await enterByHand(t, rig.address, invited.customerPassword);
        control.send('bye', { outcome: 4 });
        await control.expect('bye');
        control.socket.destroy();
      }
    }
    t.same(audited(rig, 'confirmation-wrong'), [], 'no try was counted');
    bystanders.engineer.write('still here');
    await bystanders.site.has('still here');
    await noLeaks();
  });
}

t.test('hello: a card or a share that is none is refused, and the password stays good', async (t) => {
  const rig = await startRig(t);
  const { customerPassword } = await rig.invite();
  const { nameplate } = secretOf(customerPassword);
  const card = encodeConnectorCard(cardOf(nameplate));
  const share = new Uint8Array(32);
  const otherVersion = Buffer.from(card);
  otherVersion[0] = 2;
  const notUtf8 = Buffer.from(card);
  // The nameplate follows the version and its own length.
  notUtf8[3] = 0xff;
  const hellos: Readonly<Record<string, [share: Uint8Array, card: Uint8Array, reason: number]>> = {
    'another version': [share, otherVersion, REFUSED.version],
    'no card': [share, new Uint8Array(0), REFUSED.protocol],
    'half a card': [share, card.subarray(0, 20), REFUSED.protocol],
    'a card and more': [share, Buffer.concat([card, card]), REFUSED.protocol],
    'a nameplate that is not UTF-8': [share, notUtf8, REFUSED.protocol],
    'the identity for a share': [share, card, REFUSED.protocol],
    'a share that is no point': [share.map(() => 0xff), card, REFUSED.protocol],
  };
  for (const [what, [offered, said, reason]] of Object.entries(hellos)) {
    const peer = await dialFrames(t, rig.address);
    peer.send('hello', { share: offered, card: said });
    t.match(await peer.next(), { name: 'refused', reason }, what);
    t.equal(await peer.next(), null);
    peer.socket.destroy();
  }
  const { answer } = await proveWith(await dialFrames(t, rig.address), secretOf(customerPassword));
  t.equal(answer?.name, 'accepted');
});

t.test('answers to a visit that is none are no mistake, and change nothing', async (t) => {
  const rig = await startRig(t);
  const invited = await rig.invite();
  const { control } = await enterByHand(t, rig.address, invited.customerPassword);
  const visit = '11'.repeat(16);
  for (let times = 0; times < 1_000; times += 1) {
    control.send('consent', { visit, granted: 1 });
    control.send('visitFailed', { visit, reason: 1 });
    control.send('pong', { token: times });
  }
  control.send('bye', { outcome: 255 });
  await control.expect('bye');
  t.same(outcomesOf(rig, invited), ['customer'], 'an outcome that is not known counts as leaving');
});

t.test('a data connection says one thing, and waits', async (t) => {
  const rig = await startRig(t);
  const tag = new Uint8Array(32);
  const hello = encodeFrame('dataHello', { visit: '11'.repeat(16), tag });
  const unknown = await dialFrames(t, rig.address);
  unknown.write(hello);
  t.match(await unknown.next(), { name: 'dataRefused' });
  t.equal(await unknown.next(), null);
  const hasty = await dialFrames(t, rig.address);
  hasty.write(Buffer.concat([hello, Buffer.from('x')]));
  t.equal(await hasty.next(), null, 'bytes before the acknowledgement');
  for (const { socket } of [unknown, hasty]) socket.destroy();
  await rig.settled();
});

t.test('a connector that dies in a visit is no daemon that ends it', async (t) => {
  const rig = await startRig(t);
  const invited = await rig.invite();
  const { control, dataKey } = await enterByHand(t, rig.address, invited.customerPassword);
  const engineer = await dialEngineer(rig);
  await comeIn(engineer, 'session', invited);
  const { visit } = await control.expect('visitRequest');
  control.send('consent', { visit, granted: 1 });
  await control.expect('openData');
  const data = await dialFrames(t, rig.address);
  data.send('dataHello', {
    visit,
    tag: dataTag(dataKey, 'connector', Buffer.from(visit, 'hex'), data.exporter),
  });
  await data.expect('dataAccepted');
  // As the system does for a process that is killed: one end after the other, without a word.
  control.cut();
  data.cut();
  await engineer.has('(failure)');
  t.notMatch(engineer.text, /\(daemon\)/);
  t.same(outcomesOf(rig, invited), ['failure']);
});

t.test('a connector that does not answer a ping is lost, one that does is not', async (t) => {
  const clock = new FakeClock();
  const rig = await startRig(t, { clock });
  const invited = await rig.invite();
  const { control } = await enterByHand(t, rig.address, invited.customerPassword);
  for (let token = 1; token <= 3; token += 1) {
    clock.advance(15_000);
    t.match(await control.next(), { name: 'ping', token });
    clock.advance(14_800);
    control.send('pong', { token });
    await delivered();
  }
  clock.advance(15_000);
  t.match(await control.next(), { name: 'ping', token: 4 });
  clock.advance(14_900);
  t.equal(rig.relay.sessions.stateOf(invited.session), 'awaitingEngineer');
  clock.advance(200);
  t.equal(await control.next(), null);
  t.same(outcomesOf(rig, invited), ['failure']);
});
