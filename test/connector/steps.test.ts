/** A trace in words: every frame has its meaning, no field that could be used is in it. */
import t from 'tap';
import { stepText } from '../../src/connector/steps.ts';
import { FRAMES, type FrameName } from '../../src/wire/frames.ts';
import { EXAMPLES } from '../wire/frame-examples.ts';

t.test('every frame but pings is told in a sentence with its name and the time', async (t) => {
  for (const name of Object.keys(FRAMES) as FrameName[]) {
    const text = stepText('sent', name, {}, 12.4);
    if (name === 'ping' || name === 'pong') t.equal(text, null, name);
    else t.match(text, new RegExp(`^Sent ${name}: .{10,} \\(12 ms\\)\\.$`));
  }
});

t.test('numbers that explain an end are told', async (t) => {
  t.match(stepText('received', 'refused', { reason: 6 }, 3), /^Received refused reason 6: /);
  t.match(stepText('received', 'bye', { outcome: 14 }, 3), /^Received bye outcome 14: /);
  t.match(
    stepText('sent', 'consent', { visit: 'aa'.repeat(16), granted: 1 }, 3),
    /^Sent consent granted 1: /,
  );
});

t.test('no tag, key, share, signature or visit id is in it', async (t) => {
  for (const frame of EXAMPLES) {
    const text = stepText('received', frame.name, frame, 0) ?? '';
    for (const value of Object.values(frame)) {
      if (typeof value === 'number' || value === frame.name) continue;
      const forms =
        typeof value === 'string'
          ? [value]
          : ['hex', 'base64', 'latin1'].map((form) => Buffer.from(value).toString(form as BufferEncoding));
      for (const form of forms.filter((secret) => secret.length > 3))
        t.notOk(text.includes(form), frame.name);
    }
  }
});
