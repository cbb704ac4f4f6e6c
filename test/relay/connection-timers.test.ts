import t from 'tap';
import { ConnectionTimers } from '../../src/relay/connection-timers.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

const nobody = { destroy() {} };

t.test('an action runs once, not before its time and at most a tick after', async (t) => {
  const clock = new FakeClock();
  const timers = new ConnectionTimers(clock, 4);
  clock.advance(1_234);
  let runs = 0;
  timers.open(nobody)!.armIn(1_000, () => (runs += 1));
  clock.advance(999);
  t.equal(runs, 0);
  clock.advance(101);
  t.equal(runs, 1);
  clock.advance(10_000);
  t.equal(runs, 1);
});

t.test('a deadline by age counts from the opening, whenever it is armed', async (t) => {
  const clock = new FakeClock();
  const timers = new ConnectionTimers(clock, 4);
  const timer = timers.open(nobody)!;
  let due = false;
  for (let second = 1; second < 20; second += 1) {
    clock.advance(1_000);
    timer.armAtAge(20_000, () => (due = true));
  }
  t.equal(due, false);
  clock.advance(1_100);
  t.equal(due, true);
});

t.test('arming replaces, cancelling and closing forget', async (t) => {
  const clock = new FakeClock();
  const timers = new ConnectionTimers(clock, 4);
  const ran: string[] = [];
  const [a, b, c] = [timers.open(nobody)!, timers.open(nobody)!, timers.open(nobody)!];
  a.armIn(500, () => ran.push('a1'));
  a.armIn(2_000, () => ran.push('a2'));
  b.armIn(500, () => ran.push('b'));
  b.cancel();
  c.armIn(500, () => ran.push('c'));
  c.close();
  clock.advance(5_000);
  t.same(ran, ['a2']);
});

t.test('a closed timer never touches the connection that took its row', async (t) => {
  const clock = new FakeClock();
  const timers = new ConnectionTimers(clock, 1);
  const old = timers.open(nobody)!;
  t.equal(timers.open(nobody), null, 'every row is taken');
  old.close();
  old.close();
  const next = timers.open(nobody)!;
  let ran = false;
  next.armIn(1_000, () => (ran = true));
  old.armIn(100, () => t.fail('the old one ran'));
  old.cancel();
  clock.advance(2_000);
  t.equal(ran, true);
  t.equal(timers.size, 1);
});

t.test('an action may arm its own timer again, and stop ends the ticking', async (t) => {
  const clock = new FakeClock();
  const timers = new ConnectionTimers(clock, 1);
  const timer = timers.open(nobody)!;
  let runs = 0;
  const again = (): void => {
    runs += 1;
    timer.armIn(1_000, again);
  };
  again();
  clock.advance(10_500);
  t.ok(runs >= 10, String(runs));
  timers.stop();
  t.equal(clock.armed, 0);
});

t.test('strangers are cut: those whose timer is neither kept nor closed', async (t) => {
  const timers = new ConnectionTimers(new FakeClock(), 4);
  const cut: string[] = [];
  const open = (name: string) => timers.open({ destroy: () => cut.push(name) })!;
  open('silent');
  open('served').keep();
  open('gone').close();
  open('next');
  timers.cutStrangers();
  t.same(cut.sort(), ['next', 'silent']);
});
