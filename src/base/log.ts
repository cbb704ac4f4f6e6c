/**
 * The operator's log: one event, one line of JSON in printable ASCII, to a writer that is passed in.
 *
 * Values come from outside as often as not (names, addresses, banners), so everything beyond ASCII is escaped and
 * long strings are cut; a line can neither be forged nor carry a terminal escape. No secret is ever passed in.
 */
import type { Clock } from './clock.ts';

export type Level = 'debug' | 'info' | 'warn' | 'error';
export type Fields = Readonly<Record<string, string | number | boolean | null>>;

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const VALUE_CHARACTERS_MAX = 500;

export class Log {
  readonly #clock: Clock;
  readonly #write: (line: string) => void;
  readonly #rank: number;

  constructor(clock: Clock, write: (line: string) => void, level: Level = 'info') {
    this.#clock = clock;
    this.#write = write;
    this.#rank = RANK[level];
  }

  debug(event: string, fields: Fields = {}): void {
    this.#log('debug', event, fields);
  }

  info(event: string, fields: Fields = {}): void {
    this.#log('info', event, fields);
  }

  warn(event: string, fields: Fields = {}): void {
    this.#log('warn', event, fields);
  }

  error(event: string, fields: Fields = {}): void {
    this.#log('error', event, fields);
  }

  #log(level: Level, event: string, fields: Fields): void {
    if (RANK[level] < this.#rank) return;
    const time = new Date(this.#clock.wallNow()).toISOString();
    this.#write(jsonLine({ time, level, event, ...fields }));
  }
}

/** One object as one line of JSON, ASCII only, strings cut at 500 characters; ends with a line feed. */
export function jsonLine(fields: Fields): string {
  const json = JSON.stringify(fields, (_key, value: unknown) =>
    typeof value === 'string' && value.length > VALUE_CHARACTERS_MAX
      ? `${value.slice(0, VALUE_CHARACTERS_MAX)}...`
      : value,
  );
  return `${json.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}
