/**
 * One-time passwords as people see them: made, printed, typed and judged.
 *
 *   made     NNNNNN-SSSSS-SSSSS-C    nameplate (30 random bits), secret (50 random bits), check character
 *   chosen   NNNNNN-secret           the secret is what a person chose: opaque, compared after NFC only
 *   bare     secret                  the same, with the empty nameplate
 *
 * The nameplate says which invitation is meant and is sent in the clear; the secret never is. Invariant: no chosen
 * secret resembles a made one (`checkChosenSecret` refuses it), and no bare one any other password (`checkBareSecret`),
 * so a made password with a wrong, missing or extra character is always noticed here, before any packet, and never
 * tried as a chosen one. No sentence of this file repeats what was typed. Made by the relay, parsed by the connector.
 */
import { checkCharacter, foldSymbols, randomSymbols, SYMBOL_BITS } from './crockford.ts';
import type { RandomBytes } from './crockford.ts';
import { DASHES, likenessOf, resemblesMade, withoutSeparators } from './likeness.ts';

export const NAMEPLATE_SYMBOLS = 6;
/** That of every bare password. */
export const BARE_NAMEPLATE = '';
/** Bits of a made secret; also the level below which the odds of guessing are stated. */
export const MADE_SECRET_BITS = 50;
/** Least length of a chosen secret, in code points after NFC. */
export const CHOSEN_CHARACTERS_MIN = 4;
/** Greatest length of a chosen secret, in UTF-8 bytes after NFC: 16 emoji, 21 Chinese characters, 64 of ASCII. */
export const CHOSEN_BYTES_MAX = 64;

export interface MadePassword {
  readonly printed: string;
  readonly nameplate: string;
  /** Ten folded symbols, without the dash and the check character. */
  readonly secret: string;
}

export type ParsedPassword = TypedPassword | RefusedPassword;

export interface TypedPassword {
  readonly kind: 'made' | 'chosen';
  /** Six folded symbols, or none. */
  readonly nameplate: string;
  /** Ten folded symbols when made, text in NFC when chosen. */
  readonly secret: string;
  /** 50 when made; when chosen the most that a secret of this length and these kinds of characters can have. */
  readonly bits: number;
}

export interface RefusedPassword {
  readonly kind: 'refused';
  readonly problem: PasswordProblem;
  /** One sentence for whoever typed it: what is wrong and what to do. */
  readonly sentence: string;
}

/** `nameplate` to `check` name the test that failed, `short` to `space` what is wrong with a chosen secret. */
export type PasswordProblem = 'empty' | 'nameplate' | 'length' | 'symbol' | 'check' | SecretFlaw;
type SecretFlaw = 'short' | 'long' | 'control' | 'space';

export interface ChosenSecretProblem {
  readonly problem: SecretFlaw | 'resembles-made' | 'resembles-other';
  /** One sentence for whoever chose it. */
  readonly sentence: string;
}

/** What scrypt (RFC 7914) needs besides the secret; about 50 ms and 16 MiB. */
export interface StretchParameters {
  readonly salt: Uint8Array;
  readonly keyBytes: number;
  readonly options: { readonly N: number; readonly r: number; readonly p: number };
}

const SECRET_SYMBOLS = MADE_SECRET_BITS / SYMBOL_BITS;
const GROUP_SYMBOLS = 5;
const PRINTED_SYMBOLS = NAMEPLATE_SYMBOLS + SECRET_SYMBOLS + 1;

const NAMEPLATE_AND_SECRET = new RegExp(`^(.{${NAMEPLATE_SYMBOLS}})[${DASHES}](.*)$`, 'su');

export function makePassword(random: RandomBytes): MadePassword {
  const nameplate = makeNameplate(random);
  const secret = randomSymbols(random, SECRET_SYMBOLS);
  return { printed: printMade(nameplate, secret), nameplate, secret };
}

export function makeNameplate(random: RandomBytes): string {
  return randomSymbols(random, NAMEPLATE_SYMBOLS);
}

/** `NNNNNN-SSSSS-SSSSS-C` */
function printMade(nameplate: string, secret: string): string {
  return `${nameplate}-${inTwoGroups(secret)}-${checkCharacter(nameplate + secret)}`;
}

/** `NNNNNN-secret`. Throws RangeError when `checkChosenSecret` has something against the secret. */
export function printChosen(nameplate: string, secret: string): string {
  const problem = checkChosenSecret(secret);
  if (problem !== undefined) throw new RangeError(`chosen secret: ${problem.problem}`);
  return `${nameplate}-${secret.normalize('NFC')}`;
}

/** A bare password: the secret. Throws RangeError when `checkBareSecret` has something against it. */
export function printBare(secret: string): string {
  const problem = checkBareSecret(secret);
  if (problem !== undefined) throw new RangeError(`bare secret: ${problem.problem}`);
  return secret.normalize('NFC');
}

/**
 * What a person typed after `-password`. A made password may be typed in any case, with O, I or L for 0, 1 and 1,
 * and with its dashes left out, moved or replaced by spaces: the check character vouches for the rest.
 */
export function parsePassword(text: string): ParsedPassword {
  const typed = text.normalize('NFC').trim();
  if (typed === '') return refused('empty');
  const made = parseMade(typed);
  if (made !== undefined) return made;

  const [, head = '', secret = ''] = NAMEPLATE_AND_SECRET.exec(typed) ?? [];
  const nameplate = foldSymbols(head);
  if (!nameplate) return parseBare(typed);
  if (resemblesMade(secret)) return mistyped(typed);
  const flaw = flawOf(secret);
  if (flaw !== undefined) return refused(flaw);
  return { kind: 'chosen', nameplate, secret, bits: chosenSecretBits(secret) };
}

function parseBare(typed: string): ParsedPassword {
  const likeness = likenessOf(typed);
  if (likeness !== undefined) return likeness.isWhole ? mistyped(typed) : refused('nameplate');
  const flaw = flawOf(typed);
  if (flaw !== undefined) return refused(flaw, SENTENCES_FOR_BARE_TYPIST[flaw]);
  return { kind: 'chosen', nameplate: BARE_NAMEPLATE, secret: typed, bits: chosenSecretBits(typed) };
}

function parseMade(typed: string): TypedPassword | undefined {
  const symbols = foldSymbols(withoutSeparators(typed));
  if (symbols?.length !== PRINTED_SYMBOLS) return undefined;
  const checked = symbols.slice(0, -1);
  if (checkCharacter(checked) !== symbols.at(-1)) return undefined;
  const nameplate = checked.slice(0, NAMEPLATE_SYMBOLS);
  return { kind: 'made', nameplate, secret: checked.slice(NAMEPLATE_SYMBOLS), bits: MADE_SECRET_BITS };
}

/**
 * Judges a secret that somebody wants to use (any Unicode form): undefined when it will do. Refused are fewer than
 * 4 characters, more than 64 UTF-8 bytes, control characters and line breaks, a space at either end (lost in
 * copying), and whatever `parsePassword` would take for a mistyped made password.
 */
export function checkChosenSecret(secret: string): ChosenSecretProblem | undefined {
  const composed = secret.normalize('NFC');
  const problem = flawOf(composed) ?? (resemblesMade(composed) ? 'resembles-made' : undefined);
  return problem === undefined ? undefined : { problem, sentence: SENTENCES_FOR_CHOOSER[problem] };
}

/** The same for a secret that shall be the password by itself: refused is also what looks like any other password. */
export function checkBareSecret(secret: string): ChosenSecretProblem | undefined {
  const composed = secret.normalize('NFC');
  const flaw = flawOf(composed);
  if (flaw !== undefined) return { problem: flaw, sentence: SENTENCES_FOR_CHOOSER[flaw] };
  const likeness = likenessOf(composed);
  if (likeness === undefined) return undefined;
  return {
    problem: 'resembles-other',
    sentence: `This secret cannot be used bare, because it ${likeness.because}, and a mistake in one of those must be noticed: choose another, or leave out --bare.`,
  };
}

/** Bits of a secret chosen at random among those of its length and kinds of characters: no secret has more. */
export function chosenSecretBits(secret: string): number {
  const composed = secret.normalize('NFC');
  let kinds = 0;
  for (const [pattern, count] of CHARACTER_KINDS) if (pattern.test(composed)) kinds += count;
  return [...composed].length * Math.log2(kinds);
}

/**
 * The odds of a secret of at most `bits` bits, as one sentence; undefined from 50 bits on. Whoever poses as the
 * other side learns from one exchange whether one guess was right, and nothing else.
 */
export function guessOdds(bits: number): string | undefined {
  if (bits >= MADE_SECRET_BITS) return undefined;
  const secrets = new Intl.NumberFormat('en-US').format(roundedUp(2 ** bits));
  return (
    `Whoever intercepts the connection has one guess each time it is dialled: there are at most ${secrets} ` +
    `secrets of this kind, and a word, a name or a date is guessed far sooner.`
  );
}

/** Told of every bare password, however long. */
export const BARE_ODDS =
  'This password is bare, nothing before it says whose it is: anybody who can dial the relay can try it, and three ' +
  'wrong tries, whoever makes them, burn it.';

/** The password-related string (PRS) of a made secret: its ten symbols as ASCII. */
export function prsOfMade(secret: string): Uint8Array {
  if (foldSymbols(secret) !== secret || secret.length !== SECRET_SYMBOLS) {
    throw new RangeError('not a made secret');
  }
  return new TextEncoder().encode(secret);
}

/** What the caller gives to scrypt, with `stretchParameters`, to get the PRS of a chosen secret. */
export function chosenSecretBytes(secret: string): Uint8Array {
  return new TextEncoder().encode(secret.normalize('NFC'));
}

/** The salt names the invitation, so that equal chosen secrets do not share a PRS. */
export function stretchParameters(nameplate: string): StretchParameters {
  return {
    salt: new TextEncoder().encode(`secure-telnet/1${nameplate}`),
    keyBytes: 32,
    options: { N: 2 ** 14, r: 8, p: 1 },
  };
}

/** `XXXXX-XXXXX`, 50 random bits: lets an engineer without an account into one session. */
export function makeEngineerPassword(random: RandomBytes): string {
  return inTwoGroups(randomSymbols(random, SECRET_SYMBOLS));
}

/** The printed form of an engineer password as typed; undefined when it cannot be one. Compare in constant time. */
export function foldEngineerPassword(typed: string): string | undefined {
  const symbols = foldSymbols(withoutSeparators(typed));
  return symbols?.length === SECRET_SYMBOLS ? inTwoGroups(symbols) : undefined;
}

function inTwoGroups(symbols: string): string {
  return `${symbols.slice(0, GROUP_SYMBOLS)}-${symbols.slice(GROUP_SYMBOLS)}`;
}

function mistyped(typed: string): RefusedPassword {
  const bare = withoutSeparators(typed);
  if ([...bare].length !== PRINTED_SYMBOLS) return refused('length');
  return refused(foldSymbols(bare) === undefined ? 'symbol' : 'check');
}

function refused(problem: PasswordProblem, sentence = SENTENCES_FOR_TYPIST[problem]): RefusedPassword {
  return { kind: 'refused', problem, sentence };
}

/** What is wrong with a chosen secret (in NFC) in itself. */
function flawOf(secret: string): SecretFlaw | undefined {
  // Unpaired surrogates have no UTF-8 form; line and paragraph separators end a line as control characters do.
  if (/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(secret)) return 'control';
  if (secret !== secret.trim()) return 'space';
  if ([...secret].length < CHOSEN_CHARACTERS_MIN) return 'short';
  if (new TextEncoder().encode(secret).length > CHOSEN_BYTES_MAX) return 'long';
  return undefined;
}

const COMPARE = 'compare it character by character with the one you were given';

const SENTENCES_FOR_TYPIST: Readonly<Record<PasswordProblem, string>> = {
  empty: 'The password is empty: type it exactly as you were given it.',
  nameplate:
    'The password does not begin with six letters or digits (never U) and a dash: type all of it, exactly as you were given it.',
  length: `The password is mistyped, characters are missing or too many (6, 5, 5 and 1 are expected between the dashes): ${COMPARE}.`,
  symbol: `The password is mistyped, it holds the letter U or a sign, which such passwords never do: ${COMPARE}.`,
  check: `The password is mistyped, its last character (a check on the others) does not fit: ${COMPARE}.`,
  short: `The password is incomplete, at least ${CHOSEN_CHARACTERS_MIN} characters follow the first dash: type all of it, exactly as you were given it.`,
  long: `The password is too long, at most ${CHOSEN_BYTES_MAX} bytes follow the first dash: type it exactly as you were given it.`,
  control: 'The password holds an invisible control character: type it by hand instead of pasting it.',
  space: 'The password has a space right after its first dash: type it again without that space.',
};

/** Where there is no dash to count from. */
const SENTENCES_FOR_BARE_TYPIST: Readonly<Partial<Record<SecretFlaw, string>>> = {
  short: `The password is incomplete, it has at least ${CHOSEN_CHARACTERS_MIN} characters: type all of it, exactly as you were given it.`,
  long: `The password is too long, it has at most ${CHOSEN_BYTES_MAX} bytes: type it exactly as you were given it.`,
};

const SENTENCES_FOR_CHOOSER: Readonly<Record<SecretFlaw | 'resembles-made', string>> = {
  short: `A chosen secret needs at least ${CHOSEN_CHARACTERS_MIN} characters: choose a longer one.`,
  long: `A chosen secret has at most ${CHOSEN_BYTES_MAX} bytes of UTF-8: choose a shorter one.`,
  control: 'A chosen secret may not hold control characters or line breaks: choose one that can be typed.',
  space: 'A chosen secret may not begin or end with a space, which is easily lost: leave it out.',
  'resembles-made':
    'This secret looks like a made one (ten to twelve letters and digits, or groups of about 5, 5 and 1), so typing mistakes in either could not be noticed: choose one of another length.',
};

/** How many characters there are of each kind. The last one, for all other scripts, is what Unicode 16 assigns. */
const CHARACTER_KINDS: readonly (readonly [RegExp, number])[] = [
  [/[0-9]/, 10],
  [/[a-z]/, 26],
  [/[A-Z]/, 26],
  [/[ -/:-@[-`{-~]/, 33],
  // Latin with accents (U+00A0 to U+024F), then Greek and Cyrillic (U+0370 to U+052F).
  [/[\u00a0-\u024f]/, 432],
  [/[\u0370-\u052f]/, 448],
  [/[^\u0000-\u024f\u0370-\u052f]/u, 154_998],
];

/** Exact below ten million, from there two digits: an upper bound stays one. */
function roundedUp(count: number): number {
  if (count < 10_000_000) return Math.round(count);
  const step = 10 ** (Math.floor(Math.log10(count)) - 1);
  return Math.ceil(count / step) * step;
}
