import { PassThrough } from 'node:stream';
import type { WriteStream } from 'node:tty';
import t from 'tap';
import { screenOutput } from '../../src/connector/screen-output.ts';

function stdoutOf(isTTY: boolean) {
  const asked: boolean[] = [];
  const handle = { setBlocking: (isBlocking: boolean) => asked.push(isBlocking) };
  const stdout = Object.assign(new PassThrough(), { isTTY, _handle: handle }) as unknown as WriteStream;
  return { stdout, asked };
}

t.test('a terminal that is ours is written to without waiting', async (t) => {
  const { stdout, asked } = stdoutOf(true);
  t.equal(screenOutput(stdout, 'linux'), stdout);
  t.same(asked, [false]);
});

t.test("pipes, files and Windows' console are as Node has them", async (t) => {
  for (const [isTTY, platform] of [
    [false, 'linux'],
    [true, 'win32'],
  ] as const) {
    const { stdout, asked } = stdoutOf(isTTY);
    t.equal(screenOutput(stdout, platform), stdout);
    t.same(asked, [], platform);
  }
});
