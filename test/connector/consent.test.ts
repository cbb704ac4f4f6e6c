/** Consent: asked one question at a time, or given ahead until its hour, a jump of the clock, or a key ends it. */
import t from 'tap';
import { Consent, type ConsentPolicy } from '../../src/connector/consent.ts';
import type { Answer } from '../../src/connector/console.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { delivered } from '../helpers/loop.ts';

const HOUR_MS = 3_600_000;

function make(policy: Partial<ConsentPolicy> = {}, hasKeyboard = true) {
  const clock = new FakeClock();
  const questions: string[] = [];
  const notices: (string | null)[] = [];
  const said: string[] = [];
  let resolve: ((answer: Answer) => void) | null = null;
  const answer = (word: Answer): void => {
    const settle = resolve;
    resolve = null;
    settle?.(word);
  };
  const console = {
    hasKeyboard,
    ask: (question: string): Promise<Answer> => {
      questions.push(question);
      return new Promise((settle) => (resolve = settle));
    },
    withdraw: () => answer('withdrawn'),
    setNotice: (text: string | null) => void notices.push(text),
  };
  const whole: ConsentPolicy = { mode: 'ask', untilWallMs: null, targetText: 'localhost', ...policy };
  const consent = new Consent(console, clock, whole, (text) => said.push(text));
  consent.open();
  const decide = (visit: string, answerMs = 60_000) => consent.decide({ visit, who: visit, answerMs });
  return { clock, consent, decide, answer, questions, notices, said };
}

t.test('questions are asked one at a time, in order, each with what is left of its time', async (t) => {
  const { clock, decide, answer, questions } = make();
  const first = decide('alice');
  const second = decide('bob');
  await delivered();
  t.same(questions, ['Let alice work on localhost? (y/n, 60 s)']);
  clock.advance(20_000);
  answer('yes');
  t.equal(await first, 'yes');
  await delivered();
  t.same(questions.slice(1), ['Let bob work on localhost? (y/n, 40 s)']);
  answer('no');
  t.equal(await second, 'no');
  t.equal(clock.armed, 0);
});

t.test(
  'a question whose engineer is gone is withdrawn; the next comes when no key can be meant for it',
  async (t) => {
    const { clock, consent, decide, answer, questions } = make();
    const first = decide('alice');
    const second = decide('bob');
    const third = decide('carol');
    await delivered();
    consent.withdraw('bob');
    consent.withdraw('alice');
    t.equal(await first, 'withdrawn');
    await delivered();
    clock.advance(999);
    await delivered();
    t.equal(questions.length, 1, 'not yet');
    clock.advance(1);
    t.equal(await second, 'withdrawn', 'one that waited is never asked');
    await delivered();
    t.match(questions[1], /^Let carol/);
    answer('yes');
    t.equal(await third, 'yes');
  },
);

t.test('a question that nobody answers is withdrawn when the relay waits no longer', async (t) => {
  const { clock, decide } = make();
  const asked = decide('alice', 5_000);
  const waiting = decide('bob', 5_000);
  await delivered();
  clock.advance(5_000);
  t.equal(await asked, 'withdrawn');
  clock.advance(1_000);
  t.equal(await waiting, 'withdrawn');
});

t.test('without a terminal there is nobody to ask', async (t) => {
  const { decide, said } = make({}, false);
  t.equal(await decide('alice'), 'no');
  t.match(said.join(), /no terminal to ask at: use -consent auto/);
});

t.test('consent given ahead needs no question, is shown, and can be taken back by a key', async (t) => {
  const { consent, decide, answer, questions, notices, said } = make({ mode: 'auto' });
  t.equal(await decide('alice'), 'yes');
  t.same(questions, []);
  t.match(notices.at(-1), /let in without a question/);
  consent.takeBack();
  t.equal(notices.at(-1), null);
  t.match(said.at(-1), /taken back: you are asked before each visit/);
  consent.takeBack();
  const asked = decide('bob');
  await delivered();
  answer('no');
  t.equal(await asked, 'no');
});

t.test('consent given ahead ends at its hour', async (t) => {
  const start = new FakeClock().wallNow();
  const { clock, decide, notices, questions, said } = make({ mode: 'auto', untilWallMs: start + HOUR_MS });
  clock.advance(HOUR_MS - 1);
  t.equal(await decide('alice'), 'yes');
  clock.advance(1);
  t.equal(notices.at(-1), null, 'and it is no longer shown');
  t.match(said.at(-1), /time of consent given ahead is over/);
  void decide('bob');
  await delivered();
  t.equal(questions.length, 1);
});

t.test('neither a clock that is set back nor a machine that slept prolongs it', async (t) => {
  const start = new FakeClock().wallNow();
  for (const jumpMs of [-24 * HOUR_MS, 24 * HOUR_MS]) {
    const { clock, decide, questions, said } = make({ mode: 'auto', untilWallMs: start + HOUR_MS });
    clock.jumpWall(jumpMs);
    if (jumpMs < 0) clock.advance(HOUR_MS);
    void decide('alice');
    await delivered();
    t.equal(questions.length, 1, `${jumpMs}`);
    t.match(said.at(-1), /is over/);
  }
});

t.test('when its time is over and there is no terminal, nobody is let in any more', async (t) => {
  const start = new FakeClock().wallNow();
  const { clock, decide, said } = make({ mode: 'auto', untilWallMs: start + HOUR_MS }, false);
  clock.advance(HOUR_MS);
  t.match(said.at(-1), /no engineer is let in any more/);
  t.equal(await decide('alice'), 'no');
});

t.test('at its end every question is withdrawn and no timer is left', async (t) => {
  const start = new FakeClock().wallNow();
  const { clock, consent, decide } = make();
  const asked = decide('alice');
  await delivered();
  consent.close();
  t.equal(await asked, 'withdrawn');
  t.equal(clock.armed, 0);
  const ahead = make({ mode: 'auto', untilWallMs: start + HOUR_MS });
  ahead.consent.close();
  t.equal(ahead.clock.armed, 0);
});

t.test('names of engineers cannot draw on the terminal', async (t) => {
  const { decide, questions } = make();
  void decide('al\u001b[2Jice\u202e');
  await delivered();
  t.equal(questions[0], 'Let al[2Jice work on localhost? (y/n, 60 s)');
});
