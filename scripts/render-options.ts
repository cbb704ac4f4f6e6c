/**
 * Writes the tables that the documents take from the source: options of both programs, exit statuses, outcomes.
 *
 *     node build/scripts/render-options.js        rewrites README.md, docs/ENGINEER.md and docs/PROTOCOL.md
 *
 * Each table stands between two marks, `<!-- generated: NAME -->` and `<!-- end -->`; nothing else of a page is touched.
 * A test compares, so no page can say what the programs do not.
 */
import { fileURLToPath } from 'node:url';
import { EXIT_USAGE } from '../src/base/errors.ts';
import { defaultText, spelling, type OptionStyle, type OptionTable } from '../src/base/options.ts';
import { ENDING_STATUS } from '../src/connector/ending.ts';
import { CONNECTOR_OPTIONS, STYLE as CONNECTOR_STYLE } from '../src/connector/options.ts';
import { COMMANDS, STYLE as RELAY_STYLE } from '../src/relay/options.ts';
import { OUTCOMES } from '../src/wire/outcomes.ts';
import { readRepositoryFile, writeRepositoryFile } from '../test/helpers/repository.ts';

/** Pages with generated parts, from the repository's root. */
export const GENERATED_PAGES = ['README.md', 'docs/ENGINEER.md', 'docs/PROTOCOL.md'] as const;

const ENDING_MEANINGS: Readonly<Record<keyof typeof ENDING_STATUS, string>> = {
  daemonUnreachable: 'No telnet daemon answers at the target. Start it, or name another with `-target`.',
  relayNotFound: "DNS does not find the relay's name. Check `-host`, or add the name to the hosts file.",
  relayUnreachable: 'The relay cannot be reached. Check `-host` and `-port`; try `-port 80`.',
  notARelay: 'Something answers there, but it is no relay. Check `-host` and `-port`.',
  passwordRefused:
    'The password was not accepted, or somebody is between you and the relay. Ask for a new one.',
  versionRefused: 'The relay speaks another protocol version. Update `tndconnect`.',
  relayLost: 'The connection to the relay broke off.',
  logFailed: 'The log file cannot be written any more, and a visit that cannot be recorded is no visit.',
  relayBusy: 'The relay is too busy. Start `tndconnect` again in a minute.',
  keyRefused:
    'The relay does not let this connector back in: it was revoked, its time is over, or the relay does not know it. ' +
    'Ask for a new password.',
};

const PARTS: Readonly<Record<string, () => string[]>> = {
  'relayapp options': relayOptions,
  'tndconnect options': () => optionTable(CONNECTOR_OPTIONS, CONNECTOR_STYLE),
  'exit statuses': exitStatuses,
  outcomes,
  'outcome codes': outcomeCodes,
};

/** `page` with every generated part made anew. Throws for a mark that names no part. */
export function renderPage(page: string): string {
  return page.replace(/(<!-- generated: ([a-z ]+) -->\n)[^]*?(<!-- end -->)/g, (_all, begin, name, end) => {
    const part = PARTS[name];
    if (!part) throw new Error(`there is no generated part "${name}"`);
    return `${begin}\n${part().join('\n')}\n\n${end}`;
  });
}

function relayOptions(): string[] {
  return COMMANDS.flatMap(({ usage, summary, options }, index) => [
    ...(index === 0 ? [] : ['']),
    `\`${usage}\`: ${summary}`,
    '',
    ...optionTable(options, RELAY_STYLE),
  ]);
}

function optionTable(options: OptionTable, style: OptionStyle): string[] {
  const rows = Object.entries(options).map(([key, spec]) => [
    code(`${spelling(key, style)}${spec.kind === 'flag' ? '' : ` ${spec.value ?? 'VALUE'}`}`),
    `${spec.help}${defaultText(spec)}`,
  ]);
  return table(['option', 'meaning'], rows);
}

function exitStatuses(): string[] {
  const good = OUTCOMES.filter(({ exitStatus }) => exitStatus === 0).map(({ word }) => code(word));
  const rows = [
    [0, `The visit was held and ended in good order (${good.join(', ')}); or help was asked for.`],
    [1, 'A mistake of the program itself. Please report it.'],
    [
      EXIT_USAGE,
      'A wrong option, a mistyped password or a log file that cannot be opened. Nothing was dialled.',
    ],
    ...OUTCOMES.filter(({ exitStatus }) => exitStatus !== 0).map(({ exitStatus, word, forCustomer }) => [
      exitStatus,
      `${forCustomer} (${code(word)})`,
    ]),
    ...Object.entries(ENDING_STATUS).map(([cause, status]) => [
      status,
      ENDING_MEANINGS[cause as keyof typeof ENDING_STATUS],
    ]),
  ];
  return table(
    ['status', 'meaning'],
    rows.map((cells) => cells.map(String)),
  );
}

function outcomes(): string[] {
  const rows = OUTCOMES.map(({ word, forEngineer, forCustomer }) => [code(word), forEngineer, forCustomer]);
  return table(['word', 'you read', 'the customer reads'], rows);
}

function outcomeCodes(): string[] {
  const rows = OUTCOMES.map(({ word, code: number, exitStatus }) => [
    String(number),
    code(word),
    String(exitStatus),
  ]);
  return table(['code', 'word', 'exit status of the connector'], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [head, head.map(() => '---'), ...rows].map(
    (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`,
  );
}

function code(text: string): string {
  return `\`${text}\``;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of GENERATED_PAGES) writeRepositoryFile(name, renderPage(readRepositoryFile(name)));
}
