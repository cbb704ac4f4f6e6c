import t from 'tap';
import { OperatorError } from '../../src/base/errors.ts';
import {
  durationText,
  helpText,
  parseDurationMs,
  parseOptions,
  type OptionTable,
} from '../../src/base/options.ts';

const STYLE = { dashes: '-', hint: 'run `prog -help`' } as const;
const TABLE = {
  host: { kind: 'text', value: 'HOST', help: 'where', required: true },
  file: { kind: 'text', value: 'FILE', help: 'log', default: 'prog.log' },
  note: { kind: 'text', help: 'free text' },
  port: { kind: 'integer', value: 'PORT', help: 'port', default: 23, min: 1, max: 65_535 },
  idleTimeout: {
    kind: 'durationMs',
    value: 'TIME',
    help: 'idle',
    default: 60_000,
    min: 1_000,
    max: 3_600_000,
  },
  listen: { kind: 'list', value: 'ADDRESS', help: 'repeatable', default: ['*:23'] },
  consent: { kind: 'choice', value: 'ask|auto', help: 'consent', choices: ['ask', 'auto'], default: 'ask' },
  verbose: { kind: 'flag', help: 'more' },
} as const satisfies OptionTable;

const parse = (...argv: string[]) => parseOptions(TABLE, argv, STYLE);
const refusal = (...argv: string[]): string => {
  try {
    parse(...argv);
  } catch (error) {
    t.ok(error instanceof OperatorError);
    return (error as Error).message;
  }
  throw new Error('was accepted');
};

t.test('defaults fill what is not given', async (t) => {
  t.same(parse('-host', 'h').options, {
    host: 'h',
    file: 'prog.log',
    note: null,
    port: 23,
    idleTimeout: 60_000,
    listen: ['*:23'],
    consent: 'ask',
    verbose: false,
  });
});

t.test('one dash or two, a following value or one after =, in any order, lists repeated', async (t) => {
  const { options, operands } = parse(
    ...[
      '--listen',
      'a:1',
      'first',
      '-idle-timeout=90',
      '--host=h',
      '-listen',
      'b:2',
      '-verbose',
      '--',
      '-second',
    ],
  );
  t.match(options, { host: 'h', idleTimeout: 90_000, listen: ['a:1', 'b:2'], verbose: true });
  t.same(operands, ['first', '-second']);
});

t.test('a lone dash is a value and an operand, never an option', async (t) => {
  t.equal(parse('-host', '-').options.host, '-');
  t.same(parse('-host', 'h', '-').operands, ['-']);
});

t.test('a value may begin with a dash as long as it is no option', async (t) => {
  t.equal(parse('-host', 'h', '-note', '-x1').options.note, '-x1');
  t.match(refusal('-host', '-verbose'), /-host needs a value: -host HOST/);
});

t.test('every mistake is one line that names the fix', async (t) => {
  t.match(refusal(), /-host HOST is required; run `prog -help`/);
  t.match(refusal('-host'), /-host needs a value/);
  t.match(refusal('-host', 'h', '-prot', '1'), /unknown option "-prot"; run/);
  t.match(refusal('-host', 'h', '-porx', '1'), /did you mean -port\?/);
  t.match(refusal('-host', 'h', '-host', 'i'), /-host is given twice/);
  t.match(refusal('-host', 'h', '-port', '0'), /-port must be a whole number from 1 to 65535/);
  t.match(refusal('-host', 'h', '-port', '1e3'), /whole number/);
  t.match(refusal('-host', 'h', '-idle-timeout', '2d'), /a time such as 30s, 10m or 8h, from 1s to 1h/);
  t.match(refusal('-host', 'h', '-idle-timeout', '0'), /from 1s to 1h/);
  t.match(refusal('-host', 'h', '-consent', 'maybe'), /-consent must be one of ask, auto/);
  t.match(refusal('-host', 'h', '-verbose=1'), /-verbose takes no value/);
  t.notMatch(refusal('-host', 'h', '-toString', '1'), /given twice/);
  t.match(refusal('-host', 'h', '-__proto__', '1'), /unknown option/);
});

t.test('a value that ran into its option is not repeated: it may be a password', async (t) => {
  for (const mistake of ['-hots=AB3D9Z-K7QF9', '-hostAB3D9Z-K7QF9', '--hostAB3D9Z', '-AB3D9Z-K7QF9']) {
    t.match(refusal(mistake), /unknown option/);
    t.notMatch(refusal(mistake), /AB3D|K7QF/, mistake);
  }
});

t.test('the result is frozen', async (t) => {
  t.ok(Object.isFrozen(parse('-host', 'h').options));
});

t.test('durations', async (t) => {
  t.same(
    ['90', '500ms', '30s', '10m', '8h'].map(parseDurationMs),
    [90_000, 500, 30_000, 600_000, 28_800_000],
  );
  t.same(['', 's', '1.5s', '-1', '1d', '1 s'].map(parseDurationMs), [null, null, null, null, null, null]);
  t.same([28_800_000, 600_000, 90_000, 250].map(durationText), ['8h', '10m', '90s', '250ms']);
});

t.test('help names every option with its value and default', async (t) => {
  const help = helpText(TABLE, STYLE);
  t.match(help, /-host HOST +where \(required\)/);
  t.match(help, /-idle-timeout TIME +idle \(default 1m\)/);
  t.match(help, /-listen ADDRESS +repeatable \(default \*:23\)/);
  t.match(help, /-verbose +more$/m);
});
