import t from 'tap';
import { helpConnector, parseConnectorOptions } from '../../src/connector/options.ts';

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
