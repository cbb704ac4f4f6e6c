/**
 * What looks like a one-time password with a mistake in it: a made one (`NNNNNN-SSSSS-SSSSS-C`), a piece of one, or
 * `NNNNNN-secret`.
 *
 * Such a text is never tried as a bare password, for a wrong try counts against whoever has one. It errs on the side
 * of seeing mistakes: who chooses a bare password is told and can choose another, who types one cannot. "Letters and
 * digits" are those of ASCII here. Called by `password.ts` only.
 */
import { SYMBOLS } from './crockford.ts';

export interface Likeness {
  /** Whether it looks like all of a made password; else what stands before the secret is missing or wrong. */
  readonly isWhole: boolean;
  /** For whoever chose the text: "it ...". */
  readonly because: string;
}

// Word processors and chat programs turn the hyphen that was printed into other dashes.
export const DASHES = String.raw`\-\u2010-\u2015\u2212\uff0d`;
const SEPARATORS = new RegExp(String.raw`[${DASHES}\s]`, 'gu');
const SIGN = String.raw`[^\p{L}\p{N}]`;
const SIGNS = new RegExp(SIGN, 'gu');
const LETTERS_AND_DIGITS = /^[0-9A-Za-z]*$/;

export function withoutSeparators(text: string): string {
  return text.replace(SEPARATORS, '');
}

function withoutSigns(text: string): string {
  return text.replace(SIGNS, '');
}

/** Three ways in which the part after the nameplate may be a made secret with a mistake in it. */
export function resemblesMade(secret: string): boolean {
  const bare = withoutSeparators(secret);
  const isNearlyElevenSymbols = LETTERS_AND_DIGITS.test(bare) && Math.abs(bare.length - 11) <= 1;
  return isNearlyElevenSymbols || NEARLY_5_5_1.test(secret) || WRONG_SIGNS_FOR_DASHES.test(secret);
}

/** What a text (in NFC, without spaces around it) has of a longer password; undefined when it can be a bare one. */
export function likenessOf(text: string): Likeness | undefined {
  return LIKENESSES.find(({ isSeenIn }) => isSeenIn(text));
}

const NEARLY_5_5_1 = new RegExp(
  `^[^${DASHES}]{3,7}[${DASHES}][^${DASHES}]{3,7}[${DASHES}][^${DASHES}]{0,2}$`,
  'u',
);
const WRONG_SIGNS_FOR_DASHES = /^[0-9A-Za-z]{5}[^0-9A-Za-z][0-9A-Za-z]{5}[^0-9A-Za-z][0-9A-Za-z]$/u;
const NEARLY_6_5_5_1 = new RegExp(
  `^[^${DASHES}]{4,8}[${DASHES}][^${DASHES}]{3,7}[${DASHES}][^${DASHES}]{3,7}[${DASHES}][^${DASHES}]{0,2}$`,
  'u',
);
/** Two clicks on a printed password select one group of it. */
const PIECE_OF_MADE = new RegExp(String.raw`^(?=.*[A-Z])[${SYMBOLS}${DASHES}\s]{5,}$`, 'u');
const SESSION_ID = new RegExp(String.raw`^\d{4}[${DASHES}\s]*\d{4}$`, 'u');
const BEGINS_WITH_DASH = new RegExp(`^[${DASHES}]`, 'u');
/** Also one with a wrong symbol in it, or a wrong sign for its dash. A secret has four characters or more. */
const SIX_AND_A_SIGN = new RegExp(`^${SIGN}*(?:.{6}[${DASHES}]|[0-9A-Za-z]{6}${SIGN}.{4})`, 'su');
/** A group with one symbol too many or too few, or with something before it. */
const NAMEPLATE_AND_A_SIGN = new RegExp(String.raw`(?<![\p{L}\p{N}])${symbols('5,7')}${SIGN}.{4}`, 'su');
/** For a text without signs: the dash was left out or moved, or there is a sign too many. */
const NAMEPLATE_WITHOUT_DASH = new RegExp(`^${symbols('6')}.{4}`, 'su');

/**
 * As random symbols look, and words do not: nine nameplates out of ten have a letter and a digit, and the others have
 * capitals when they are as printed.
 */
function symbols(count: string): string {
  const mixed = '(?=[A-Za-z]{0,5}[0-9])(?=[0-9]{0,5}[A-Za-z])[0-9A-Za-z]';
  const printed = `(?=[0-9]{0,5}[A-Z])[${SYMBOLS}]`;
  return `(?:${mixed}{${count}}|${printed}{${count}})`;
}

const LIKENESSES: readonly (Likeness & { isSeenIn(text: string): boolean })[] = [
  {
    isWhole: true,
    because: 'has sixteen to eighteen letters and digits, as a made password has',
    isSeenIn: (text) => {
      const bare = withoutSigns(text);
      return LETTERS_AND_DIGITS.test(bare) && Math.abs(bare.length - 17) <= 1;
    },
  },
  {
    isWhole: true,
    because: 'has groups of about 6, 5, 5 and 1 characters, as a made password has',
    isSeenIn: (text) => NEARLY_6_5_5_1.test(text),
  },
  {
    isWhole: false,
    because: 'begins with six characters and a dash, a space or another sign, as a longer password does',
    isSeenIn: (text) => SIX_AND_A_SIGN.test(text),
  },
  {
    isWhole: false,
    because: 'has ten to twelve letters and digits, or groups of about 5, 5 and 1, as a made secret has',
    isSeenIn: resemblesMade,
  },
  {
    isWhole: false,
    because: 'has only such capitals and digits as a piece of a made password has',
    isSeenIn: (text) => PIECE_OF_MADE.test(text),
  },
  {
    isWhole: false,
    because: 'begins with a dash, as if something was left out before it',
    isSeenIn: (text) => BEGINS_WITH_DASH.test(text),
  },
  {
    isWhole: false,
    because: 'has about six letters and digits before a sign, as a longer password has before its dash',
    isSeenIn: (text) => NAMEPLATE_AND_A_SIGN.test(text),
  },
  {
    isWhole: false,
    because: 'begins with what may be the six letters and digits before the dash of a longer one',
    isSeenIn: (text) => NAMEPLATE_WITHOUT_DASH.test(withoutSigns(text)),
  },
  {
    isWhole: false,
    because: 'has eight digits, as the number of a session has',
    isSeenIn: (text) => SESSION_ID.test(text),
  },
];
