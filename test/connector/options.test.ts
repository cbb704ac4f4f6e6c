import t from 'tap';
import { helpConnector, parseConnectorOptions, untilWallMs } from '../../src/connector/options.ts';

t.test("the original's command line", async (t) => {
  const line = '-host relayservername -password cisco -file connect.log -port 80 -verbose -noecho';
  t.match(parseConnectorOptions(line.split(' ')), {
    host: 'relayservername',
    password: 'cisco',
    file: 'connect.log',
    port: 80,
    verbose: true,
    noecho: true,
    target: { host: 'localhost', port: 23 },
    consent: 'ask',
    wait: 1_800_000,
  });
});

t.test("the original's defaults", async (t) => {
  t.match(parseConnectorOptions(['-host', 'h', '-password', 'p']), {
    file: 'tndconnect.log',
    port: 23,
    verbose: false,
    noecho: false,
    targetText: 'localhost',
  });
});

t.test('/? and its relatives ask for help, whatever else is given', async (t) => {
  for (const argv of [
    ['/?'],
    ['-help'],
    ['--help'],
    ['-h'],
    ['-?'],
    ['-host', 'h', '/?'],
    ['C:/Program Files/Git/?'],
    ['C:\\msys64\\?'],
    ['\\?'],
    ['-bad', '-help'],
  ]) {
    t.equal(parseConnectorOptions(argv), null, argv.join(' '));
  }
  for (const option of ['host', 'password', 'file', 'port', 'verbose', 'target', 'noecho']) {
    t.match(helpConnector(), new RegExp(`^  -${option}\\b`, 'm'));
  }
});

t.test('host and password are always required', async (t) => {
  t.throws(
    () => parseConnectorOptions(['-password', 'p']),
    /-host RELAY is required; run `tndconnect -help`/,
  );
  t.throws(
    () => parseConnectorOptions(['-host', 'h']),
    /-password PASSWORD is required, or -password-file FILE; run `tndconnect -help`/,
  );
});

t.test('the password is given, or a file that has it, and never both', async (t) => {
  t.match(parseConnectorOptions(['-host', 'h', '-password-file', 'f']), {
    password: null,
    passwordFile: 'f',
  });
  t.match(parseConnectorOptions(['-host', 'h', '-password', 'p']), { password: 'p', passwordFile: null });
  t.throws(
    () => parseConnectorOptions(['-host', 'h', '-password', 'p', '-password-file', 'f']),
    /-password and -password-file are both given: leave one of them out/,
  );
});

t.test('a password that ends as a path to /? does is a password', async (t) => {
  t.match(parseConnectorOptions(['-host', 'h', '-password', 'AAAAAA-is it here/?']), {
    password: 'AAAAAA-is it here/?',
  });
});

t.test('a target with and without a port', async (t) => {
  const target = (text: string) =>
    parseConnectorOptions(['-host', 'h', '-password', 'p', '-target', text])?.target;
  t.same(target('ccm1'), { host: 'ccm1', port: 23 });
  t.same(target('10.0.0.5:2323'), { host: '10.0.0.5', port: 2323 });
  t.same(target('[::1]:2323'), { host: '::1', port: 2323 });
  t.throws(() => target('a:b'), /-target takes HOST or HOST:PORT/);
  t.throws(() => target('a:0'), /-target takes/);
});

t.test('a relay with its port in the wrong place, and stray words', async (t) => {
  t.throws(() => parseConnectorOptions(['-host', 'h:80', '-password', 'p']), /the port goes to -port/);
  t.throws(
    () => parseConnectorOptions(['-host', 'h', '-password', 'p', 'extra']),
    /argument 5 is neither an option nor its value \(one with spaces needs quotes\)/,
  );
});

t.test('-until takes an hour or a time, and only beside -consent auto', async (t) => {
  const parse = (...more: string[]) =>
    parseConnectorOptions(['-host', 'h', '-password', 'p', ...more])!.until;
  const auto = ['-consent', 'auto', '-until'];
  t.equal(parse(), null);
  t.same(parse(...auto, '18:00'), { hour: 18, minute: 0 });
  t.same(parse(...auto, '7:05'), { hour: 7, minute: 5 });
  t.same(parse(...auto, '2h'), { afterMs: 7_200_000 });
  t.throws(() => parse('-until', '18:00'), /-until goes with -consent auto/);
  for (const wrong of ['24:00', '18:60', '18', '18:0', 'noon', '0s', '169h', '', '1:2:3'])
    t.throws(() => parse(...auto, wrong), /-until takes an hour such as 18:00, or a time such as 2h/, wrong);
});

t.test('the hour of -until is the next one of this machine, tomorrow if it has passed today', async (t) => {
  const at = (...fields: [number, number, number, number, number]) => new Date(...fields).getTime();
  const now = at(2026, 10, 27, 17, 30);
  t.equal(untilWallMs({ hour: 18, minute: 0 }, now), at(2026, 10, 27, 18, 0));
  t.equal(untilWallMs({ hour: 17, minute: 30 }, now), at(2026, 10, 28, 17, 30), 'now is over');
  t.equal(untilWallMs({ hour: 0, minute: 0 }, at(2026, 11, 31, 23, 59)), at(2027, 0, 1, 0, 0));
  t.equal(untilWallMs({ afterMs: 5 }, now), now + 5);
  t.equal(untilWallMs(null, now), null);
});
