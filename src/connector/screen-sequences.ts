/**
 * Which control sequences of a daemon's output the customer's terminal may see: an allow-list.
 *
 * Let through is what draws: cursor movement, erasing, scrolling, colours, the alternate screen. Not let through is
 * what makes a terminal answer (into the customer's keyboard input), changes what keys send, resizes, prints, sets
 * titles or clipboards, or erases what scrolled off the screen (the customer's record of the visit). Sequences as in
 * ECMA-48 and xterm's ctlseqs. Pure functions; `ScreenFilter` calls them.
 */

/** Finals of CSI sequences that only draw, with any numbers: ICH to CBT, HPA, HPR, VPA, VPR, HVP, TBC. */
const DRAWING = new Set('@ABCDEFGHILMPSXZ`adefgmr');
/** IRM. */
const ANSI_MODES = new Set(['4']);
/** DECSCNM, DECOM, DECAWM, DECTCEM, and the alternate screen in its four ways. */
const PRIVATE_MODES = new Set(['5', '6', '7', '25', '47', '1047', '1048', '1049']);

const PARAMETERS = /^(\??)([0-9]{0,4}(?:[;:][0-9]{0,4}){0,31})$/;
const ERASE_VISIBLE = /^[012]?$/;
const UP_TO_999 = /^[0-9]{0,3}$/;
const ONE_NUMBER = /^[0-9]*$/;

/**
 * What may go on of CSI `parameters` `final` (both as received, without the CSI): the parameters, those of modes
 * thinned out; or null.
 */
export function allowedParameters(parameters: string, final: string): string | null {
  const parsed = PARAMETERS.exec(parameters);
  if (!parsed) return null;
  const [, prefix, numbers] = parsed;
  const isAllowed = prefix === '?' ? privateAllowed(numbers, final) : ansiAllowed(numbers, final);
  if (isAllowed) return parameters;
  return final === 'h' || final === 'l' ? allowedModes(prefix, numbers) : null;
}

function ansiAllowed(numbers: string, final: string): boolean {
  if (DRAWING.has(final)) return true;
  switch (final) {
    case 'J':
    case 'K':
      // 3 would erase what scrolled off.
      return ERASE_VISIBLE.test(numbers);
    case 'T':
      // With five numbers it is mouse tracking.
      return ONE_NUMBER.test(numbers);
    case 'b':
      // A repeat count is work for the terminal, and no line is longer.
      return UP_TO_999.test(numbers);
    case 's':
    case 'u':
      // With numbers: margins, keyboard protocols.
      return numbers === '';
    default:
      return false;
  }
}

function privateAllowed(numbers: string, final: string): boolean {
  return (final === 'J' || final === 'K') && ERASE_VISIBLE.test(numbers);
}

function allowedModes(prefix: string, numbers: string): string | null {
  const modes = prefix === '?' ? PRIVATE_MODES : ANSI_MODES;
  const allowed = numbers.split(';').filter((mode) => modes.has(mode));
  return allowed.length > 0 ? prefix + allowed.join(';') : null;
}

/** Second bytes of ESC sequences that only draw: DECSC, DECRC, IND, NEL, HTS, RI. */
export const DRAWING_ESCAPES: ReadonlySet<string> = new Set('78DEHM');

/** Second bytes that open a string up to ESC \: DCS, SOS, title (screen), OSC, PM, APC. */
export const STRING_OPENERS: ReadonlySet<string> = new Set('PXk]^_');

/** The DEC special graphics set from 0x5F on (VT100): what programs draw lines with. */
export const LINE_DRAWING = ' ◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·';
/** The same for a terminal without Unicode. */
export const LINE_DRAWING_ASCII = " +:HFCL'#NV+++++~---_++++|<>*!fo";

/** What the sequences that went on left switched on, and how to switch it off. */
export class ScreenState {
  readonly #modes = new Set<string>();
  #isColoured = false;
  #hasMargins = false;

  /** A CSI sequence went on. */
  note(parameters: string, final: string): void {
    if (final === 'm') this.#isColoured = true;
    else if (final === 'r') this.#hasMargins = true;
    else if (final === 'h' || final === 'l') this.#noteModes(parameters, final);
  }

  /** The sequences that undo it all; empty if there is nothing to undo. Forgets it. */
  undo(): string {
    const modes = [...this.#modes].map((mode) => `\x1b[${mode}`);
    // Setting margins moves the cursor, so around it the cursor is kept.
    const margins = this.#hasMargins ? ['\x1b7\x1b[r\x1b8'] : [];
    const colours = this.#isColoured ? ['\x1b[0m'] : [];
    this.#modes.clear();
    this.#isColoured = false;
    this.#hasMargins = false;
    return [...margins, ...modes, ...colours].join('');
  }

  #noteModes(parameters: string, final: string): void {
    const prefix = parameters.startsWith('?') ? '?' : '';
    for (const mode of parameters.slice(prefix.length).split(';')) {
      // 1048 only keeps and restores the cursor.
      if (mode === '1048') continue;
      const name = prefix + mode;
      // Off once it is undone: shown cursor and wrapped lines are a terminal's usual state, the others are not.
      const usual = name === '?25' || name === '?7' ? 'h' : 'l';
      if (final === usual) this.#modes.delete(name + usual);
      else this.#modes.add(name + usual);
    }
  }
}
