/**
 * Crockford base32 symbols and the check character of printed passwords.
 *
 * Symbols are the 32 of Crockford's alphabet: no I, L, O (read as 1, 1, 0) and no U. The check character is a sum
 * over GF(2^5), `c = a^1*s1 + a^2*s2 + ...` with a primitive `a`: the weights (a^0 = 1 for the check character
 * itself) all differ and none is zero, so every single wrong symbol and every exchange of two symbols is caught,
 * adjacent or not, the check character included. Called by `password.ts` and `likeness.ts` only.
 */

/** Bytes from a cryptographic source: `randomBytes` of node:crypto, or a fixed sequence in a test. */
export type RandomBytes = (length: number) => Uint8Array;

export const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** One symbol carries five bits. */
export const SYMBOL_BITS = 5;
/** The weights a^0 .. a^30 differ; one of them belongs to the check character. */
export const CHECKED_SYMBOLS_MAX = 30;

/** x^5 + x^2 + 1, primitive over GF(2): x generates all 31 non-zero elements. */
const PRIMITIVE_POLYNOMIAL = 0b100101;

const VALUE_BY_CHARACTER = foldTable();

/** `count` symbols, each from five random bits. */
export function randomSymbols(random: RandomBytes, count: number): string {
  const bytes = random(Math.ceil((count * SYMBOL_BITS) / 8));
  let symbols = '';
  for (let i = 0; i < count; i++) symbols += SYMBOLS[bitsAt(bytes, i * SYMBOL_BITS)];
  bytes.fill(0);
  return symbols;
}

/**
 * The symbols that a person meant: lower case raised, O read as 0, I and L as 1. Undefined when any character is
 * none of these (dashes and spaces are for the caller to remove). ASCII only: no other script's letter folds.
 */
export function foldSymbols(text: string): string | undefined {
  let symbols = '';
  for (const character of text) {
    const value = VALUE_BY_CHARACTER.get(character);
    if (value === undefined) return undefined;
    symbols += SYMBOLS[value];
  }
  return symbols;
}

/** The check character of 1 to 30 folded symbols. Throws RangeError for any other text. */
export function checkCharacter(symbols: string): string {
  if (symbols.length < 1 || symbols.length > CHECKED_SYMBOLS_MAX) {
    throw new RangeError(
      `a check character covers 1 to ${CHECKED_SYMBOLS_MAX} symbols, got ${symbols.length}`,
    );
  }
  // Horner's rule from the last symbol: each one ends up multiplied by a^(its position, counted from 1).
  let sum = 0;
  for (let i = symbols.length - 1; i >= 0; i--) sum = timesAlpha(sum ^ valueOf(symbols[i]));
  return SYMBOLS[sum];
}

function valueOf(symbol: string): number {
  const value = SYMBOLS.indexOf(symbol);
  if (value < 0) throw new RangeError('not a folded symbol');
  return value;
}

function timesAlpha(element: number): number {
  const doubled = element << 1;
  return doubled & 0b100000 ? doubled ^ PRIMITIVE_POLYNOMIAL : doubled;
}

function bitsAt(bytes: Uint8Array, offset: number): number {
  const index = offset >> 3;
  const pair = (bytes[index] << 8) | (bytes[index + 1] ?? 0);
  return (pair >> (16 - SYMBOL_BITS - (offset & 7))) & 0b11111;
}

function foldTable(): ReadonlyMap<string, number> {
  const table = new Map<string, number>();
  for (const [value, symbol] of [...SYMBOLS].entries()) {
    table.set(symbol, value);
    table.set(symbol.toLowerCase(), value);
  }
  for (const character of 'Oo') table.set(character, 0);
  for (const character of 'IiLl') table.set(character, 1);
  return table;
}
