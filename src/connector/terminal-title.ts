/**
 * The terminal's status line: what terminfo calls so (`tsl`, `fsl`), and today's terminals show as title of their window
 * or tab, multiplexers in their own bar.
 *
 * It is no row of the screen, so nothing that the daemon draws can be hit by it, whatever the daemon does with margins,
 * saved cursors and the alternate screen; and the filter lets no daemon write there. Kept and given back (XTWINOPS 22
 * and 23) where the terminal can.
 */
import type { Screen } from './screen.ts';

/** TERM of terminals, and of multiplexers, that take OSC 2. */
const WITH_TITLE =
  /^(xterm|screen|tmux|rxvt|alacritty|foot|kitty|vte|konsole|gnome|putty|wezterm|ghostty|st-)/;
const KEEP = '\u001b[22;2t';
const GIVE_BACK = '\u001b[23;2t';
const TITLE_CHARACTERS_MAX = 200;

/** Whether the terminal of a process with this environment has such a line. */
export function hasTitle(env: NodeJS.ProcessEnv, platform: string): boolean {
  return platform === 'win32' || WITH_TITLE.test(env['TERM'] ?? '');
}

export class TerminalTitle {
  readonly #screen: Screen;
  /** What is to be shown, and what the terminal was given last; null for its own. */
  #wanted: string | null = null;
  #given: string | null = null;
  /** Not taken by the terminal yet: a stopped one is not given more. */
  #isWaiting = false;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** Shows `text`, or with null the terminal's own title again. */
  show(text: string | null): void {
    this.#wanted = text;
    this.#give();
  }

  #give(): void {
    if (this.#isWaiting || this.#wanted === this.#given) return;
    const keep = this.#given === null ? KEEP : '';
    const text = this.#wanted;
    const sequences = text === null ? `${title('')}${GIVE_BACK}` : `${keep}${title(this.#safe(text))}`;
    this.#isWaiting = true;
    // Its own title is back when no visit is shown.
    this.#screen.control(sequences, text === null, (isGiven) => {
      this.#isWaiting = false;
      // Left out this time: whoever ticks shows it again.
      if (!isGiven) return;
      this.#given = text;
      this.#give();
    });
  }

  #safe(text: string): string {
    return [...this.#screen.safeText(text)].slice(0, TITLE_CHARACTERS_MAX).join('');
  }
}

function title(text: string): string {
  return `\u001b]2;${text}\u0007`;
}
