/**
 * The systemd unit of `tndconnect`: its command line is one that the program takes, its exit statuses are the
 * program's and each is decided on, and nothing secret is in it.
 */
import t from 'tap';
import { ENDING_STATUS } from '../../src/connector/ending.ts';
import { parseConnectorOptions } from '../../src/connector/options.ts';
import { OUTCOMES, outcomeRow } from '../../src/wire/outcomes.ts';
import { readRepositoryFile } from '../helpers/repository.ts';

/** What mends itself, or is mended, while the service waits; the password was not used. */
const MENDED_BY_A_RESTART = [
  ENDING_STATUS.daemonUnreachable,
  ENDING_STATUS.relayNotFound,
  ENDING_STATUS.relayUnreachable,
  ENDING_STATUS.relayLost,
  ENDING_STATUS.relayBusy,
];
/** What systemd itself ends with when a credential is missing. */
const NO_CREDENTIAL = 243;

const unit = readRepositoryFile('scripts/systemd/tndconnect.service');
const customerPage = readRepositoryFile('docs/CUSTOMER.md');
const settings = [...unit.replaceAll(/ \\\n +/g, ' ').matchAll(/^(\w+)=(.*)$/gm)];

t.test('its command line is one that the program takes, and asks nobody', async (t) => {
  const [program, file, ...argv] = valueOf('ExecStart').split(' ');
  t.same([program, file], ['node', '/usr/local/lib/tndconnect/tndconnect.mjs']);
  const given = argv.filter((word) => word !== '$OPTIONS');
  t.equal(given.length, argv.length - 1, 'more options may follow, as words of their own');
  t.match(parseConnectorOptions(given.map((word) => word.replace('${RELAY}', 'relay.example.com'))), {
    host: 'relay.example.com',
    persist: true,
    password: null,
    passwordFile: '${CREDENTIALS_DIRECTORY}/password',
    consent: 'auto',
    noecho: true,
    file: 'tndconnect.log',
  });
});

t.test('the password comes as a credential, and is in no command line, environment or unit', async (t) => {
  t.equal(valueOf('LoadCredential'), 'password:/etc/tndconnect/password');
  t.equal(valueOf('Environment'), 'OPTIONS=');
  t.equal(valueOf('EnvironmentFile'), '/etc/tndconnect/tndconnect.conf');
  t.notMatch(unit, /^SetCredential/m);
  t.notMatch(unit, /-password(?!-file)\b/);
  t.notMatch(unit, /\b[0-9A-Z]{6}-[0-9A-Z]{5}-/i);
});

t.test(
  'every exit status is decided on: it ends well, is mended by a restart, or prevents one',
  async (t) => {
    const all = [0, 1, 2, ...OUTCOMES.map(({ exitStatus }) => exitStatus), ...Object.values(ENDING_STATUS)];
    const good = [0, ...statusesOf('SuccessExitStatus')];
    const prevented = statusesOf('RestartPreventExitStatus');
    const decided = [...good, ...MENDED_BY_A_RESTART, ...prevented];
    t.same(decided.toSorted(byNumber), [...new Set(decided)].toSorted(byNumber), 'none is decided on twice');
    t.same(decided.toSorted(byNumber), [...new Set([...all, NO_CREDENTIAL])].toSorted(byNumber));
    t.same(good, [0, outcomeRow('customer').exitStatus], 'a stop is the end that the customer makes');
    t.equal(valueOf('Restart'), 'on-failure');
  },
);

t.test('nobody between is given another guess by a restart', async (t) => {
  const prevented = statusesOf('RestartPreventExitStatus');
  for (const status of [ENDING_STATUS.passwordRefused, ENDING_STATUS.notARelay, ENDING_STATUS.keyRefused])
    t.ok(prevented.includes(status), String(status));
});

t.test('it runs as nobody else, with no right, and where a password in memory is in no file', async (t) => {
  t.equal(valueOf('DynamicUser'), 'yes');
  t.equal(valueOf('CapabilityBoundingSet'), '');
  t.equal(valueOf('NoNewPrivileges'), 'yes');
  t.equal(valueOf('ProtectSystem'), 'strict');
  t.equal(valueOf('UMask'), '0077');
  t.equal(valueOf('LimitCORE'), '0');
  t.notMatch(unit, /^MemoryDenyWriteExecute=/m, 'V8 could not run');
});

t.test('the page for customers installs it where it is looked for', async (t) => {
  const paths = [/\S+\.mjs/, /\/etc\/\S+\.conf/, /\/etc\/\S+\/password\b/].map((path) => path.exec(unit)![0]);
  for (const path of paths) t.ok(customerPage.includes(path), path);
  t.ok(customerPage.includes('/var/lib/tndconnect/tndconnect.log'));
  t.equal(valueOf('WorkingDirectory'), `%S/${valueOf('StateDirectory')}`);
});

function valueOf(name: string): string {
  const values = settings.filter(([, found]) => found === name).map(([, , value]) => value);
  if (values.length !== 1) throw new Error(`the unit has ${values.length} settings ${name}`);
  return values[0];
}

function statusesOf(name: string): number[] {
  return valueOf(name).split(' ').map(Number);
}

function byNumber(a: number, b: number): number {
  return a - b;
}
