/** CPace: the draft's vectors byte for byte, agreement and disagreement of two sides, refused shares, wiping. */
import { createHash, createHmac } from 'node:crypto';
import t from 'tap';
import {
  calculateGenerator,
  CPACE_CI,
  CpaceError,
  generatorString,
  intermediateKey,
  lvCat,
  scalarMult,
  scalarMultVerified,
  startCpace,
  tagsEqual,
} from '../../src/wire/cpace.ts';
import type { CpaceKeys, CpaceOptions } from '../../src/wire/cpace.ts';
import {
  INVALID_ENCODINGS,
  LOW_ORDER_EDWARDS,
  PREPEND_LEN,
  RUN,
  SCALAR_MULT,
  TRANSCRIPT_IR,
} from '../vectors/wire/cpace.ts';
import { seededRandom } from './seeded.ts';
import type { SeededRandom } from './seeded.ts';

type Asserts = Pick<typeof t, 'notOk' | 'notSame'>;

t.test('lengths are prepended as in the vectors of the draft', (t) => {
  for (const { input, output } of PREPEND_LEN) t.equal(hex(lvCat(bytes(input))), output);
  for (const { parts, output } of TRANSCRIPT_IR) {
    t.equal(hex(lvCat(...parts.map((part) => Buffer.from(part)))), output);
  }
  t.end();
});

t.test('the generator is that of the vectors of the draft', (t) => {
  const text = generatorString(bytes(RUN.prs), bytes(RUN.ci), bytes(RUN.sid));
  t.equal(hex(text), RUN.generatorString);
  t.equal(createHash('sha512').update(text).digest('hex'), RUN.hashResult);
  t.equal(hex(calculateGenerator(bytes(RUN.prs), bytes(RUN.ci), bytes(RUN.sid))), RUN.g);
  t.end();
});

t.test('shares, K and ISK are those of the vectors of the draft, in both modes', (t) => {
  t.equal(hex(scalarMult(bytes(RUN.ya), bytes(RUN.g))), RUN.shareA);
  t.equal(hex(scalarMult(bytes(RUN.yb), bytes(RUN.g))), RUN.shareB);
  t.equal(hex(scalarMultVerified(bytes(RUN.ya), bytes(RUN.shareB))), RUN.k);
  t.equal(hex(scalarMultVerified(bytes(RUN.yb), bytes(RUN.shareA))), RUN.k);

  const messageA = lvCat(bytes(RUN.shareA), bytes(RUN.ada));
  const messageB = lvCat(bytes(RUN.shareB), bytes(RUN.adb));
  t.equal(hex(messageA) + hex(messageB), RUN.transcriptIr);
  t.equal(hex(intermediateKey(bytes(RUN.sid), bytes(RUN.k), [messageA, messageB])), RUN.iskIr);
  t.equal(hex(intermediateKey(bytes(RUN.sid), bytes(RUN.k), [bytes(RUN.transcriptOc)])), RUN.iskSy);
  t.end();
});

t.test(
  'a whole exchange with the scalars of the vectors gives their shares and their ISK on both sides',
  (t) => {
    const [a, b] = vectorRun();
    t.equal(hex(a.share), RUN.shareA);
    t.equal(hex(b.share), RUN.shareB);
    const keysA = a.finish(b.share, bytes(RUN.adb));
    const keysB = b.finish(a.share, bytes(RUN.ada));
    t.equal(hex(keysA.isk), RUN.iskIr);
    t.equal(hex(keysB.isk), RUN.iskIr);
    t.end();
  },
);

t.test(
  'the confirmation tags follow section 10.4: HMAC of our own message under SHA-512 of CPaceMac, sid and ISK',
  (t) => {
    const [a, b] = vectorRun();
    const keys = a.finish(b.share, bytes(RUN.adb));
    const macKey = createHash('sha512')
      .update('CPaceMac')
      .update(bytes(RUN.sid))
      .update(bytes(RUN.iskIr))
      .digest();
    const tagOf = (message: string): string =>
      createHmac('sha512', macKey).update(bytes(message)).digest('hex');
    t.equal(hex(keys.ownTag), tagOf(`20${RUN.shareA}03${RUN.ada}`));
    t.equal(hex(keys.peerTag), tagOf(`20${RUN.shareB}03${RUN.adb}`));
    t.end();
  },
);

t.test('multiplication accepts the valid vector and gives the neutral element for the invalid ones', (t) => {
  const { s, x, result, invalid, identity } = SCALAR_MULT;
  t.equal(hex(scalarMult(bytes(s), bytes(x))), result);
  t.equal(hex(scalarMultVerified(bytes(s), bytes(x))), result);
  t.equal(hex(scalarMultVerified(bytes(s), bytes(invalid))), identity);
  t.equal(hex(scalarMultVerified(bytes(s), bytes(identity))), identity);
  t.end();
});

t.test(
  'an exchange ends on every share that is not a group element or is the identity, in both roles',
  (t) => {
    const random = seededRandom(t);
    const refused = [
      SCALAR_MULT.invalid,
      SCALAR_MULT.identity,
      ...Object.values(INVALID_ENCODINGS).flat(),
      ...LOW_ORDER_EDWARDS,
    ];
    for (const share of refused) {
      for (const role of ['initiator', 'responder'] as const) {
        const exchange = startCpace({ ...optionsOf(random), role });
        t.throws(() => exchange.finish(bytes(share), new Uint8Array(0)), CpaceError, share);
      }
    }
    t.end();
  },
);

t.test('an exchange ends on shares of another length and on a valid share in another encoding', (t) => {
  const random = seededRandom(t);
  const valid = bytes(RUN.shareA);
  const withSignBit = Uint8Array.from(valid, (byte, i) => (i === 31 ? byte | 0x80 : byte));
  for (const share of [
    new Uint8Array(0),
    valid.subarray(1),
    Buffer.concat([valid, Buffer.alloc(1)]),
    withSignBit,
  ]) {
    const exchange = startCpace(optionsOf(random));
    t.throws(() => exchange.finish(share, new Uint8Array(0)), { name: 'CpaceError', code: 'bad-share' });
  }
  for (let s = 2n; s < 19n; s += 2n) {
    // s + p fits in 255 bits below 19: the same field element, written a second way.
    const exchange = startCpace(optionsOf(random));
    t.throws(() => exchange.finish(littleEndian(s + 2n ** 255n - 19n), new Uint8Array(0)), CpaceError);
  }
  t.end();
});

t.test('an exchange ends when its own share is reflected, which would need no password', (t) => {
  const random = seededRandom(t);
  for (const role of ['initiator', 'responder'] as const) {
    const options: CpaceOptions = { ...optionsOf(random), role };
    const exchange = startCpace(options);
    t.throws(() => exchange.finish(exchange.share, options.ad), {
      message: 'the peer sent our own share back',
    });
  }
  t.end();
});

t.test('two sides that share the password agree on the key and on both tags', (t) => {
  const random = seededRandom(t);
  for (let n = 0; n < 200; n++) {
    const common = {
      prs: random.bytes(1 + random.integer(200)),
      ci: CPACE_CI,
      sid: random.bytes(32),
      random: random.bytes,
    };
    const adA = random.bytes(random.integer(300));
    const adB = random.bytes(random.integer(300));
    const a = startCpace({ ...common, role: 'initiator', ad: adA });
    const b = startCpace({ ...common, role: 'responder', ad: adB });
    const keysA = a.finish(b.share, adB);
    const keysB = b.finish(a.share, adA);
    t.ok(agree(keysA, keysB) && hex(keysA.isk) === hex(keysB.isk) && !tagsEqual(keysA.ownTag, keysB.ownTag));
  }
  t.end();
});

t.test('any difference of password, session, channel, message or role shows in both tags', (t) => {
  const random = seededRandom(t);
  type Change = Partial<CpaceOptions>;
  const differences: Record<string, Change> = {
    'another password': { prs: Buffer.from('K7QF9T2MX4') },
    'a password cut short': { prs: Buffer.from('K7QF9T2MX') },
    'no password': { prs: new Uint8Array(0) },
    'another session': { sid: Buffer.alloc(32, 2) },
    'no session': { sid: new Uint8Array(0) },
    'another channel': { ci: Buffer.from('secure-telnet/2|connector|relay') },
    'a byte moved from channel to session': {
      ci: CPACE_CI.subarray(0, -1),
      sid: Buffer.concat([Buffer.from('y'), Buffer.alloc(32, 1)]),
    },
    'both in one role': { role: 'initiator' },
  };
  for (const [name, change] of Object.entries(differences)) {
    const options = {
      prs: Buffer.from('K7QF9T2MX3'),
      ci: CPACE_CI,
      sid: Buffer.alloc(32, 1),
      random: random.bytes,
    };
    const a = startCpace({ ...options, role: 'initiator', ad: Buffer.from('a') });
    const b = startCpace({ ...options, role: 'responder', ad: Buffer.from('b'), ...change });
    disagree(t, a.finish(b.share, Buffer.from('b')), b.finish(a.share, Buffer.from('a')), name);
  }
  t.end();
});

t.test('associated data changed on the way, or moved between the messages, shows in both tags', (t) => {
  const random = seededRandom(t);
  const changes: Record<string, [seenByB: string, seenByA: string]> = {
    'the initiator`s': ['x', 'b'],
    'the responder`s': ['a', 'x'],
    'both exchanged': ['b', 'a'],
    'one emptied': ['', 'b'],
    'one lengthened': ['a\0', 'b'],
  };
  for (const [name, [seenByB, seenByA]] of Object.entries(changes)) {
    const common = optionsOf(random);
    const a = startCpace({ ...common, role: 'initiator', ad: Buffer.from('a') });
    const b = startCpace({ ...common, role: 'responder', ad: Buffer.from('b') });
    disagree(t, a.finish(b.share, Buffer.from(seenByA)), b.finish(a.share, Buffer.from(seenByB)), name);
  }
  t.end();
});

t.test('someone between with shares of his own learns no tag of either side without the password', (t) => {
  const random = seededRandom(t);
  const common = optionsOf(random);
  const a = startCpace({ ...common, role: 'initiator' });
  const b = startCpace({ ...common, role: 'responder' });
  const guess = { ...common, prs: Buffer.from('guess') };
  const toA = startCpace({ ...guess, role: 'responder' });
  const toB = startCpace({ ...guess, role: 'initiator' });
  disagree(t, a.finish(toA.share, common.ad), toA.finish(a.share, common.ad), 'towards the connector');
  disagree(t, b.finish(toB.share, common.ad), toB.finish(b.share, common.ad), 'towards the relay');
  t.end();
});

t.test('changes of the caller`s buffers after the start change nothing', (t) => {
  const random = seededRandom(t);
  const ad = Buffer.from('card');
  const common = optionsOf(random);
  const sid = Buffer.from(common.sid);
  const a = startCpace({ ...common, role: 'initiator', ad, sid });
  const b = startCpace({ ...common, role: 'responder' });
  for (const input of [ad, sid, common.prs]) input.fill(0);
  t.ok(agree(a.finish(b.share, common.ad), b.finish(a.share, Buffer.from('card'))));
  t.end();
});

t.test('an exchange is finished once, and not after it was destroyed or has failed', (t) => {
  const random = seededRandom(t);
  const share = bytes(RUN.shareA);
  const once = startCpace(optionsOf(random));
  once.finish(share, new Uint8Array(0));
  const failed = startCpace(optionsOf(random));
  t.throws(() => failed.finish(new Uint8Array(32), new Uint8Array(0)), CpaceError);
  const destroyed = startCpace(optionsOf(random));
  destroyed.destroy();
  for (const exchange of [once, failed, destroyed]) {
    t.throws(() => exchange.finish(share, new Uint8Array(0)), { name: 'Error', message: /finished once/ });
  }
  t.end();
});

t.test('scalars have 252 bits and are wiped, keys are wiped by destroy', (t) => {
  const scalar = new Uint8Array(32).fill(0xff);
  const common = { prs: Buffer.from('p'), ci: CPACE_CI, sid: Buffer.alloc(32), ad: new Uint8Array(0) };
  const exchange = startCpace({
    ...common,
    role: 'initiator',
    random: (length) => (t.equal(length, 32), scalar),
  });
  t.equal(hex(scalar), 'ff'.repeat(31) + '0f');
  t.equal(
    hex(exchange.share),
    hex(scalarMult(littleEndian(2n ** 252n - 1n), calculateGenerator(common.prs, common.ci, common.sid))),
  );
  const keys = exchange.finish(bytes(RUN.shareA), new Uint8Array(0));
  t.equal(hex(scalar), '00'.repeat(32));
  t.not(hex(keys.isk), '00'.repeat(64));
  keys.destroy();
  for (const secret of [keys.isk, keys.ownTag, keys.peerTag]) t.equal(hex(secret), '00'.repeat(64));
  t.end();
});

t.test('a random source that yields nothing but zeros is refused', (t) => {
  const options = { ...optionsOf(seededRandom(t)), random: (length: number) => new Uint8Array(length) };
  t.throws(() => startCpace(options), RangeError);
  t.end();
});

t.test('two exchanges of one password never repeat a share', (t) => {
  const common: CpaceOptions = {
    role: 'initiator',
    prs: Buffer.from('p'),
    ci: CPACE_CI,
    sid: Buffer.alloc(32),
    ad: Buffer.alloc(0),
  };
  t.not(hex(startCpace(common).share), hex(startCpace(common).share));
  t.end();
});

t.test('tags of different length are different', (t) => {
  t.ok(tagsEqual(Buffer.from('ab'), Buffer.from('ab')));
  t.notOk(tagsEqual(Buffer.from('ab'), Buffer.from('ac')));
  t.notOk(tagsEqual(Buffer.from('ab'), Buffer.from('abc')));
  t.notOk(tagsEqual(Buffer.alloc(0), Buffer.from('a')));
  t.end();
});

function vectorRun(): [ReturnType<typeof startCpace>, ReturnType<typeof startCpace>] {
  const common = { prs: bytes(RUN.prs), ci: bytes(RUN.ci), sid: bytes(RUN.sid) };
  return [
    startCpace({ ...common, role: 'initiator', ad: bytes(RUN.ada), random: () => bytes(RUN.ya) }),
    startCpace({ ...common, role: 'responder', ad: bytes(RUN.adb), random: () => bytes(RUN.yb) }),
  ];
}

function optionsOf(random: SeededRandom): CpaceOptions {
  const sid = random.bytes(32);
  return {
    role: 'initiator',
    prs: random.bytes(10),
    ci: CPACE_CI,
    sid,
    ad: random.bytes(20),
    random: random.bytes,
  };
}

function agree(a: CpaceKeys, b: CpaceKeys): boolean {
  return tagsEqual(a.ownTag, b.peerTag) && tagsEqual(b.ownTag, a.peerTag);
}

function disagree(t: Asserts, a: CpaceKeys, b: CpaceKeys, name: string): void {
  t.notOk(tagsEqual(a.ownTag, b.peerTag), `${name}: the initiator's tag`);
  t.notOk(tagsEqual(b.ownTag, a.peerTag), `${name}: the responder's tag`);
  t.notSame(a.isk, b.isk, `${name}: the key`);
}

function littleEndian(value: bigint): Uint8Array {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
}

function bytes(text: string): Buffer {
  return Buffer.from(text, 'hex');
}

function hex(value: Uint8Array): string {
  return Buffer.from(value).toString('hex');
}
