/**
 * The documents say what the programs do: generated parts are up to date, the protocol's layouts are those of the
 * encoder, numbers are those of the source, and every file, command, option and message that is named exists.
 */
import { posix } from 'node:path';
import t from 'tap';
import { parseDurationMs, parseOptions, spelling, type OptionTable } from '../src/base/options.ts';
import { VERSION } from '../src/base/version.ts';
import { ENDING_STATUS } from '../src/connector/ending.ts';
import {
  CONNECTOR_OPTIONS,
  parseConnectorOptions,
  STYLE as CONNECTOR_STYLE,
} from '../src/connector/options.ts';
import { GENERATED_PAGES, renderPage } from '../scripts/render-options.ts';
import { ROLES } from '../src/relay/accounts.ts';
import { DEADLINE_LIMITS } from '../src/relay/limits.ts';
import { COMMANDS, STYLE as RELAY_STYLE } from '../src/relay/options.ts';
import { locateState } from '../src/relay/state-directory.ts';
import {
  CONNECTOR_CARD,
  encodeConnectorCard,
  encodeFrame,
  encodeRelayCard,
  FRAMES,
  REFUSED,
  RELAY_CARD,
  VISIT_FAILED,
  WARNING,
  type ConnectorCard,
  type FrameFields,
  type FrameName,
  type RelayCard,
} from '../src/wire/frames.ts';
import { OUTCOMES } from '../src/wire/outcomes.ts';
import { parsePassword } from '../src/wire/password.ts';
import { isInRepository, listRepositoryFiles, readRepositoryFile } from './helpers/repository.ts';

const PAGES = [
  ...listRepositoryFiles('docs', '.md'),
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  'README.md',
  'SECURITY.md',
];
const protocol = readRepositoryFile('docs/PROTOCOL.md');
const sourceText = listRepositoryFiles('src', '.ts').map(readRepositoryFile).join('\n');

/** Options of scripts/demo, which has no table. */
const DEMO_OPTIONS = ['--once', '--port'];

interface Code {
  readonly page: string;
  readonly text: string;
  readonly isBlock: boolean;
}
const allCode = PAGES.flatMap(codeOf);

// ---- generated parts

for (const page of GENERATED_PAGES) {
  t.test(`the generated parts of ${page} are up to date`, async (t) => {
    const text = readRepositoryFile(page);
    t.match(text, /<!-- generated: /);
    t.equal(text, renderPage(text), 'else run node build/scripts/render-options.js');
  });
}

t.test('a mark that names no part is a mistake', async (t) => {
  t.throws(() => renderPage('<!-- generated: nonsense -->\n<!-- end -->'), /nonsense/);
});

t.test('every outcome word is in the page for engineers, every exit status in the README', async (t) => {
  const engineers = readRepositoryFile('docs/ENGINEER.md');
  for (const { word } of OUTCOMES) t.match(engineers, `\`${word}\``);
  const readme = readRepositoryFile('README.md');
  const statuses = [...OUTCOMES.map(({ exitStatus }) => exitStatus), ...Object.values(ENDING_STATUS), 1, 2];
  for (const status of new Set(statuses)) t.match(readme, `\n| ${status} | `);
});

// ---- the protocol

/** A field of the page: its name, its type, and the length or limit of that. */
interface PageField {
  readonly name: string;
  readonly type: string;
  readonly size: number;
}

const frameRows = rowsOf(section(protocol, '### 3.1')).map(([type, name, , fields]) => ({
  type: Number(type),
  name: bare(name) as FrameName,
  fields: fieldsOf(fields),
}));
const cardRows = Object.fromEntries(
  rowsOf(section(protocol, '### 3.2')).map(([card, fields]) => [card, fieldsOf(fields)]),
);

t.test('the protocol page has every frame with its number and its fields in order', async (t) => {
  const ours = Object.entries(FRAMES).map(([name, { type, fields }]) => ({
    type,
    name,
    fields: Object.keys(fields),
  }));
  const page = frameRows.map(({ type, name, fields }) => ({
    type,
    name,
    fields: fields.map((field) => field.name),
  }));
  t.same(page, ours);
});

t.test('the protocol page has both cards with their fields in order', async (t) => {
  const names = (card: string): string[] => cardRows[card].map(({ name }) => name);
  t.same(Object.keys(cardRows), ['connector', 'relay']);
  t.same(names('connector'), Object.keys(CONNECTOR_CARD));
  t.same(names('relay'), Object.keys(RELAY_CARD));
});

t.test('what is encoded is what the page says, byte for byte', async (t) => {
  for (const { type, name, fields } of frameRows) {
    const payload = Buffer.concat([Buffer.of(type), ...fields.map(pageBytes)]);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(payload.length);
    const frame = encodeFrame(name, sample(fields) as FrameFields<FrameName>);
    t.equal(frame.toString('hex'), Buffer.concat([length, payload]).toString('hex'), name);
  }
  const bytes = (card: string): string => Buffer.concat(cardRows[card].map(pageBytes)).toString('hex');
  const connector = encodeConnectorCard(sample(cardRows['connector']) as ConnectorCard);
  t.equal(connector.toString('hex'), bytes('connector'));
  t.equal(encodeRelayCard(sample(cardRows['relay']) as RelayCard).toString('hex'), bytes('relay'));
});

t.test('limits of fields are those of the page', async (t) => {
  const longer = (fields: PageField[], name: string): unknown => {
    const field = fields.find((one) => one.name === name)!;
    return { ...sample(fields), [name]: sampleOf({ ...field, size: field.size + 1 }) };
  };
  for (const { name, fields } of frameRows) {
    for (const field of fields.filter(({ type }) => type === 'text' || type === 'blob')) {
      t.throws(
        () => encodeFrame(name, longer(fields, field.name) as FrameFields<FrameName>),
        `${name}.${field.name}`,
      );
    }
  }
  for (const { name, type } of cardRows['connector'].filter((field) => field.type === 'text')) {
    t.throws(
      () => encodeConnectorCard(longer(cardRows['connector'], name) as ConnectorCard),
      `${name} ${type}`,
    );
  }
});

t.test('the examples of the page are frames', async (t) => {
  const examples = [...section(protocol, '### 3.4').matchAll(/^(\S.*?) {2,}([0-9a-f ]+)$/gm)];
  const hex = Object.fromEntries(examples.map(([, what, bytes]) => [what, bytes.replaceAll(' ', '')]));
  const visit = '000102030405060708090a0b0c0d0e0f';
  t.same(hex, {
    'ping, token 7': encodeFrame('ping', { token: 7 }).toString('hex'),
    'bye, outcome 4 (customer)': encodeFrame('bye', { outcome: 4 }).toString('hex'),
    dataRefused: encodeFrame('dataRefused', {}).toString('hex'),
    'consent to visit 00..0f': encodeFrame('consent', { visit, granted: 1 }).toString('hex'),
  });
});

t.test('the numbers in frames are those of the page', async (t) => {
  const rows = rowsOf(section(protocol, '### 3.3')).map(([field, values]) => [
    bare(field),
    Object.fromEntries(
      [...values.matchAll(/(\d+) (\w+)/g)].map(([, number, name]) => [name, Number(number)]),
    ),
  ]);
  const page = Object.fromEntries(rows) as Record<string, unknown>;
  t.same(page['refused.reason'], REFUSED);
  t.same(page['visitFailed.reason'], VISIT_FAILED);
  t.same(page['warning.kind'], WARNING);
});

t.test('limits and deadlines are those of the page', async (t) => {
  const rows = rowsOf(section(protocol, '## 7.'));
  t.ok(rows.length > 15);
  for (const [what, value, name] of rows) t.equal(constant(bare(name)), numberOf(value), `${what}: ${name}`);
});

t.test('sections that comments of the source refer to exist', async (t) => {
  const references = [...sourceText.matchAll(/docs\/(\w+\.md)(?:, sections? (\d)(?: to (\d))?)?/g)];
  t.ok(references.length > 0);
  for (const [reference, page, first, last = first] of references) {
    const text = readRepositoryFile(`docs/${page}`);
    for (const number of [first, last]) if (number) t.match(text, `\n## ${number}. `, reference);
  }
});

// ---- what pages name

t.test('links lead somewhere', async (t) => {
  for (const page of PAGES) {
    for (const [, target] of readRepositoryFile(page).matchAll(/\]\(([^)]+)\)/g)) {
      const [file, anchor] = target.split('#');
      const path = file === '' ? page : posix.join(posix.dirname(page), file);
      t.ok(isInRepository(path), `${page}: ${target}`);
      if (anchor && isInRepository(path)) t.ok(anchorsOf(path).includes(anchor), `${page}: ${target}`);
    }
  }
});

t.test('every page is linked from the README', async (t) => {
  const readme = readRepositoryFile('README.md');
  for (const page of PAGES.filter((name) => name !== 'README.md')) t.match(readme, `](${page})`);
});

t.test('files that are named exist', async (t) => {
  const basenames = listRepositoryFiles('.').map((path) => posix.basename(path));
  for (const { page, text } of allCode) {
    const compiled = /^node build\/(\S+)\.js$/.exec(text);
    if (compiled) t.ok(isInRepository(`${compiled[1]}.ts`), `${page}: ${text}`);
    else if (/^(src|test|docs|scripts|bench)\/[\w./-]*$/.test(text))
      t.ok(isInRepository(text), `${page}: ${text}`);
    else if (/^(base|wire|stream|relay|connector)\/[\w-]+$/.test(text))
      t.ok(isInRepository(`src/${text}.ts`), `${page}: ${text}`);
    else if (/^[\w-]+\.ts$/.test(text)) t.ok(basenames.includes(text), `${page}: ${text}`);
  }
});

t.test('options that are named exist', async (t) => {
  const connectors = spellings(CONNECTOR_OPTIONS, ['-', '--']);
  const relays = COMMANDS.flatMap(({ options }) => spellings(options, ['--']));
  for (const { page, text } of allCode) {
    if (!/^(-|relayapp |tndconnect |serve |user |otp |sessions |close |\.\/scripts\/demo)/.test(text))
      continue;
    const known = text.startsWith('tndconnect')
      ? connectors
      : text.startsWith('-')
        ? [...connectors, ...relays, ...DEMO_OPTIONS]
        : text.startsWith('./scripts/demo')
          ? DEMO_OPTIONS
          : relays;
    const options = words(text).filter((word) => /^--?[a-z]/.test(word));
    for (const option of options) t.ok(known.includes(option.split('=')[0]), `${page}: ${option} in ${text}`);
  }
});

t.test('the commands in examples are taken by the programs', async (t) => {
  const lines = allCode.filter(({ text, isBlock }) => isBlock && /^(relayapp|tndconnect) /.test(text));
  t.ok(lines.length > 10);
  for (const { page, text } of lines) {
    const [program, ...argv] = words(text.replace(/ {3,}.*$| < .*$/, ''));
    if (program === 'tndconnect' && /^[-/]/.test(argv[0]))
      t.doesNotThrow(() => parseConnectorOptions(argv), text);
    if (program === 'relayapp') t.doesNotThrow(() => parseRelayCommand(argv), `${page}: ${text}`);
  }
});

t.test('commands of the dialogue are in the page for engineers', async (t) => {
  const commands = [...sourceText.matchAll(/^ {2}(\w+(?: \[?\w+\]?)?) {3,}\w/gm)].map(
    ([, command]) => command,
  );
  t.ok(commands.includes('open ID'));
  const page = readRepositoryFile('docs/ENGINEER.md');
  for (const command of commands) t.match(page, `| \`${command}\` |`);
});

t.test('messages that are explained are ones that the programs have', async (t) => {
  const tables = [
    ...rowsOf(section(readRepositoryFile('docs/ENGINEER.md'), '## What you read')),
    ...rowsOf(section(readRepositoryFile('docs/CUSTOMER.md'), '## When it does not work')),
  ];
  t.ok(tables.length > 20);
  const outcomeWords = new Set<string>(OUTCOMES.map(({ word }) => word));
  for (const [cell] of tables.filter(([first]) => !outcomeWords.has(bare(first)))) {
    for (const piece of bare(cell).split('...'))
      t.ok(sourceText.includes(piece.trim()), `"${piece}" of ${cell}`);
  }
});

t.test('passwords in examples are well made', async (t) => {
  const printed = PAGES.flatMap((page) => [
    ...readRepositoryFile(page).matchAll(/\b[0-9A-Z]{6}-[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]\b/g),
  ]);
  const passwords = [...new Set(printed.map(([password]) => password))].filter(
    (one) => !one.startsWith('NNNNNN'),
  );
  t.ok(passwords.length > 0);
  for (const password of passwords) t.equal(parsePassword(password).kind, 'made', password);
});

t.test('the package file that is named is that of this version', async (t) => {
  const named = PAGES.flatMap((page) => [
    ...readRepositoryFile(page).matchAll(/secure-telnet-([\d.]+)\.tgz/g),
  ]);
  t.same([...new Set(named.map(([, version]) => version))], [VERSION]);
});

t.test('the page for operators has the roles, the files and events that there are', async (t) => {
  const page = readRepositoryFile('docs/OPERATOR.md');
  const roles = rowsOf(section(page, '## Accounts and sessions')).map(([role]) => bare(role));
  t.same(roles.toSorted(), [...ROLES].toSorted());
  const tables = rowsOf(section(page, '## Files'));
  const named = tables.flatMap(([cell]) => cell.split(', ').map(bare));
  const { path, ...files } = locateState('/state', { env: {}, homeDirectory: '/', isRoot: false });
  t.same(
    named.filter((name) => name.includes('.')).toSorted(),
    Object.values(files)
      .map((file) => posix.relative(path, file))
      .toSorted(),
  );
  for (const event of named.filter((name) => !name.includes('.') && name !== 'event'))
    t.match(sourceText, `'${event}'`);
});

// ---- reading pages

/** From a heading to the next of its level or above. */
function section(page: string, heading: string): string {
  const level = /^#+/.exec(heading)![0].length;
  const start = page.indexOf(`\n${heading}`);
  if (start < 0) throw new Error(`there is no ${heading}`);
  const [first, ...rest] = page.slice(start + 1).split('\n');
  const end = rest.findIndex((line) => new RegExp(`^#{1,${level}} `).test(line));
  return [first, ...(end < 0 ? rest : rest.slice(0, end))].join('\n');
}

/** Cells of all tables, without their heads. */
function rowsOf(text: string): string[][] {
  const rows = text.split('\n').map((line) => (/^\| .* \|$/.test(line) ? cellsOf(line) : null));
  return rows.flatMap((row, index) =>
    row === null || row[0] === '---' || rows[index + 1]?.[0] === '---' ? [] : [row],
  );
}

function cellsOf(line: string): string[] {
  return line
    .slice(2, -2)
    .split(/ (?<!\\)\| /)
    .map((cell) => cell.trim());
}

function bare(cell: string): string {
  return cell.replaceAll('`', '');
}

function codeOf(page: string): Code[] {
  const parts = readRepositoryFile(page).split(/^```.*$/m);
  const code = (text: string, isBlock: boolean): Code => ({
    page,
    text: text.replaceAll('\\|', '|').trim(),
    isBlock,
  });
  return parts.flatMap((part, index) =>
    index % 2 === 1
      ? part.split('\n').map((line) => code(line, true))
      : [...part.matchAll(/`([^`\n]+)`/g)].map(([, text]) => code(text, false)),
  );
}

/** As a shell would split it, quotes aside. */
function words(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain,
  );
}

/** As GitHub makes them of headings. */
function anchorsOf(path: string): string[] {
  return [...readRepositoryFile(path).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

function spellings(table: OptionTable, dashes: readonly ('-' | '--')[]): string[] {
  return Object.keys(table).flatMap((key) =>
    dashes.map((dash) => spelling(key, { ...CONNECTOR_STYLE, dashes: dash })),
  );
}

/** Throws for what relayapp would not take. */
function parseRelayCommand(argv: readonly string[]): void {
  const command = COMMANDS.find(({ usage }) => usage.split(' ')[1] === argv[0]);
  if (!command) throw new Error(`there is no command ${argv[0]}`);
  const { operands } = parseOptions(command.options as OptionTable, argv.slice(1), RELAY_STYLE);
  const acts = command.usage.split(' ')[2];
  const isAct = acts === undefined || acts === 'ID' || acts.split('|').includes(operands[0]);
  if (!isAct || operands.length !== command.usage.split(' ').length - (operands[0] === 'list' ? 3 : 2))
    throw new Error(`it is used so: ${command.usage}`);
}

// ---- reading the protocol page

function fieldsOf(cell: string): PageField[] {
  if (cell === 'no fields') return [];
  return cell.split(', ').map((field) => {
    const [, name, type, size] = /^`(\w+)` ([a-z0-9-]+)(?:\((\d+)\))?$/.exec(field)!;
    return { name, type, size: Number(size ?? 0) };
  });
}

/** A value of the type and of the greatest length. */
function sampleOf({ type, size }: PageField): unknown {
  switch (type) {
    case 'u8':
      return 0x81;
    case 'u16':
      return 0x8182;
    case 'u32':
      return 0x81828384;
    case 'visit-id':
      return '81'.repeat(16);
    case 'text':
      return 't'.repeat(size);
    default:
      return new Uint8Array(size).fill(0x81);
  }
}

function sample(fields: readonly PageField[]): Record<string, unknown> {
  return Object.fromEntries(fields.map((field) => [field.name, sampleOf(field)]));
}

/** The same value as the page says it is written. */
function pageBytes({ type, size }: PageField): Buffer {
  const length = Buffer.of(size >> 8, size & 0xff);
  switch (type) {
    case 'u8':
      return Buffer.from('81', 'hex');
    case 'u16':
      return Buffer.from('8182', 'hex');
    case 'u32':
      return Buffer.from('81828384', 'hex');
    case 'visit-id':
      return Buffer.alloc(16, 0x81);
    case 'bytes':
      return Buffer.alloc(size, 0x81);
    case 'blob':
      return Buffer.concat([length, Buffer.alloc(size, 0x81)]);
    case 'text':
      return Buffer.concat([length, Buffer.alloc(size, 't')]);
    default:
      throw new Error(`the page has no type ${type}`);
  }
}

/** A constant of the source, or a default of the deadlines. */
function constant(name: string): number {
  if (name in DEADLINE_LIMITS) return DEADLINE_LIMITS[name as keyof typeof DEADLINE_LIMITS];
  const values = [...sourceText.matchAll(new RegExp(`const ${name}(?:: number)? = ([\\d_]+);`, 'g'))];
  const distinct = new Set(values.map(([, digits]) => Number(digits.replaceAll('_', ''))));
  if (distinct.size !== 1) throw new Error(`${name} has ${distinct.size} values in the source`);
  return [...distinct][0];
}

/** `20 s`, `30 m`: milliseconds; `2048 bytes`, `3`: the number. */
function numberOf(value: string): number {
  const [, digits, unit = ''] = /^(\d+) ?(\w+)?$/.exec(value)!;
  return ['s', 'm', 'h'].includes(unit) ? parseDurationMs(digits + unit)! : Number(digits);
}
