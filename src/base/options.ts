/**
 * The option-table engine: a program declares its options once, as data; parsing, ranges, `--help` and the
 * generated tables of the documentation all come from that table.
 *
 * Every option may be spelled with one dash or two (`-host`, `--host`), its value may follow as the next argument
 * or after `=`. Unknown options, options given twice and missing values are refused with one line that names the
 * fix. The result is a frozen record whose fields are typed by the table, so no string-keyed reads remain.
 */
import { OperatorError } from './errors.ts';

interface Common {
  /** One line for the help text. */
  readonly help: string;
  /** How the value is called in the help text, such as `HOST:PORT`. */
  readonly value?: string;
}

export type OptionSpec = Common &
  (
    | { readonly kind: 'flag' }
    | { readonly kind: 'text'; readonly default?: string; readonly required?: boolean }
    | { readonly kind: 'list'; readonly default?: readonly string[] }
    | { readonly kind: 'choice'; readonly choices: readonly string[]; readonly default: string }
    | { readonly kind: 'integer'; readonly default: number; readonly min: number; readonly max: number }
    | { readonly kind: 'durationMs'; readonly default: number; readonly min: number; readonly max: number }
  );

/** How a program spells its options, and what its error lines advise: `run 'tndconnect -help' ...`. */
export interface OptionStyle {
  readonly dashes: '-' | '--';
  readonly hint: string;
}

export type OptionTable = Readonly<Record<string, OptionSpec>>;

type Value<S extends OptionSpec> = S extends { kind: 'flag' }
  ? boolean
  : S extends { kind: 'integer' | 'durationMs' }
    ? number
    : S extends { kind: 'list' }
      ? readonly string[]
      : S extends { kind: 'choice'; choices: readonly (infer C)[] }
        ? C
        : S extends { default: string } | { required: true }
          ? string
          : string | null;

/** What `parseOptions` returns: a field for each option of the table, named as the table names it. */
export type Options<T extends OptionTable> = { readonly [K in keyof T]: Value<T[K]> };

export interface ParsedOptions<T extends OptionTable> {
  readonly options: Options<T>;
  /** Arguments that are not options, in order. */
  readonly operands: readonly string[];
}

/**
 * Parses `argv` (without program and command names) by `table`. A key `idleTimeout` is spelled `idle-timeout`.
 * Throws OperatorError for anything the table does not allow; `style.hint` ends the message of most.
 */
export function parseOptions<const T extends OptionTable>(
  table: T,
  argv: readonly string[],
  style: OptionStyle,
): ParsedOptions<T> {
  const given = new Map<string, string[]>();
  const operands: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i];
    if (argument === '--') {
      operands.push(...argv.slice(i + 1));
      break;
    }
    if (!argument.startsWith('-') || argument === '-') {
      operands.push(argument);
      continue;
    }
    const { key, inline } = findOption(table, argument, style);
    const spec = table[key];
    if (spec.kind === 'flag') {
      if (inline !== null) throw new OperatorError(`${spelling(key, style)} takes no value`);
      remember(given, key, spec, '', style);
    } else if (inline !== null) {
      remember(given, key, spec, inline, style);
    } else {
      i += 1;
      const next = argv[i];
      if (next === undefined || isOption(table, next)) {
        throw new OperatorError(
          `${spelling(key, style)} needs a value: ${spelling(key, style)} ${spec.value ?? 'VALUE'}`,
        );
      }
      remember(given, key, spec, next, style);
    }
  }
  const options: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries(table))
    options[key] = valueOf(spelling(key, style), spec, given.get(key), style);
  return { options: Object.freeze(options) as Options<T>, operands };
}

/** The help text: one line for each option with its value, meaning and default. */
export function helpText(table: OptionTable, { dashes }: OptionStyle): string {
  const rows = Object.entries(table).map(([key, spec]) => ({
    left: `  ${dashes}${kebab(key)}${spec.kind === 'flag' ? '' : ` ${spec.value ?? 'VALUE'}`}`,
    right: `${spec.help}${defaultText(spec)}`,
  }));
  const width = Math.min(34, Math.max(...rows.map((row) => row.left.length)) + 2);
  return rows
    .map(({ left, right }) =>
      left.length < width - 1 ? left.padEnd(width) + right : `${left}\n${' '.repeat(width)}${right}`,
    )
    .join('\n');
}

/** Reads `90`, `500ms`, `30s`, `10m`, `8h` (a bare number is seconds) as milliseconds; null if it is neither. */
export function parseDurationMs(text: string): number | null {
  const match = /^(\d{1,9})(ms|s|m|h)?$/.exec(text);
  if (!match) return null;
  const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match[2] ?? 's']!;
  return Number(match[1]) * unitMs;
}

/** The shortest exact spelling of a duration: `30m`, `90s`, `250ms`. */
export function durationText(ms: number): string {
  if (ms >= 3_600_000 && ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000}m`;
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}

function findOption(table: OptionTable, argument: string, style: OptionStyle) {
  const { name, inline } = splitOption(argument);
  const key = keyOf(table, name);
  if (key === null) {
    const near = Object.keys(table).find((k) => name.length > 1 && kebab(k).startsWith(name.slice(0, 3)));
    const hint = near === undefined ? '' : ` (did you mean ${spelling(near, style)}?)`;
    throw new OperatorError(`unknown option ${quotedName(argument)}${hint}; ${style.hint}`);
  }
  return { key, inline };
}

/** What may be a value that ran into its option's name, a password even, is not repeated. */
function quotedName(argument: string): string {
  const [name] = argument.split('=');
  const start = /^-{0,2}[a-z-]{0,30}/.exec(name)![0];
  return JSON.stringify(start === name ? name : `${start}...`);
}

function splitOption(argument: string): { name: string; inline: string | null } {
  const body = argument.replace(/^--?/, '');
  const equals = body.indexOf('=');
  return equals < 0
    ? { name: body, inline: null }
    : { name: body.slice(0, equals), inline: body.slice(equals + 1) };
}

function keyOf(table: OptionTable, name: string): string | null {
  return Object.keys(table).find((key) => kebab(key) === name) ?? null;
}

function isOption(table: OptionTable, argument: string): boolean {
  return /^--?./.test(argument) && keyOf(table, splitOption(argument).name) !== null;
}

function remember(
  given: Map<string, string[]>,
  key: string,
  spec: OptionSpec,
  value: string,
  style: OptionStyle,
): void {
  const before = given.get(key) ?? [];
  if (before.length > 0 && spec.kind !== 'list')
    throw new OperatorError(`${spelling(key, style)} is given twice`);
  given.set(key, [...before, value]);
}

function valueOf(name: string, spec: OptionSpec, given: string[] | undefined, style: OptionStyle): unknown {
  const text = given?.[0];
  switch (spec.kind) {
    case 'flag':
      return text !== undefined;
    case 'list':
      return Object.freeze(given ?? [...(spec.default ?? [])]);
    case 'text':
      if (text === undefined && spec.required === true) {
        throw new OperatorError(`${name} ${spec.value ?? 'VALUE'} is required; ${style.hint}`);
      }
      return text ?? spec.default ?? null;
    case 'choice':
      if (text !== undefined && !spec.choices.includes(text)) {
        throw new OperatorError(`${name} must be one of ${spec.choices.join(', ')}`);
      }
      return text ?? spec.default;
    case 'integer':
      return text === undefined ? spec.default : integerOf(name, spec, text);
    case 'durationMs':
      return text === undefined ? spec.default : durationOf(name, spec, text);
  }
}

function integerOf(name: string, spec: { min: number; max: number }, text: string): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (!(value >= spec.min && value <= spec.max)) {
    throw new OperatorError(`${name} must be a whole number from ${spec.min} to ${spec.max}`);
  }
  return value;
}

function durationOf(name: string, spec: { min: number; max: number }, text: string): number {
  const value = parseDurationMs(text) ?? NaN;
  if (!(value >= spec.min && value <= spec.max)) {
    const range = `from ${durationText(spec.min)} to ${durationText(spec.max)}`;
    throw new OperatorError(`${name} must be a time such as 30s, 10m or 8h, ${range}`);
  }
  return value;
}

/** ` (default 30m)`, ` (required)`, or nothing: what follows an option's help. */
export function defaultText(spec: OptionSpec): string {
  if (spec.kind === 'flag') return '';
  if (spec.kind === 'durationMs') return ` (default ${durationText(spec.default)})`;
  if (spec.kind === 'list') return spec.default === undefined ? '' : ` (default ${spec.default.join(' ')})`;
  if (spec.kind === 'text' && spec.required === true) return ' (required)';
  return spec.default === undefined ? '' : ` (default ${spec.default})`;
}

function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
}

/** An option as it is typed: `--idle-timeout` for the key `idleTimeout`. */
export function spelling(key: string, style: OptionStyle): string {
  return `${style.dashes}${kebab(key)}`;
}
