/**
 * A visit in one line: who, since when, how much, how long quiet. Pure text; whoever shows it makes it safe.
 */

export interface StatusFacts {
  readonly who: string;
  readonly from: string;
  readonly sinceWallMs: number;
  readonly fromEngineerBytes: number;
  readonly fromDaemonBytes: number;
  /** On the monotonic clock. */
  readonly lastMovedMs: number;
}

/** A name is cut here, so that the rest of the line can be read. */
const NAME_CHARACTERS_MAX = 40;
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;
/** Below a minute the idle time is told in steps, so that the line does not change every second. */
const IDLE_STEP_S = 5;

/** `alice from 10.1.2.3 since 10:12, 1.2 kB typed, 34 kB shown, idle 5 s` */
export function statusLine(facts: StatusFacts, nowMs: number): string {
  const { fromEngineerBytes, fromDaemonBytes, lastMovedMs } = facts;
  return (
    `${headingOf(facts)}, ${bytesText(fromEngineerBytes)} typed, ${bytesText(fromDaemonBytes)} shown, ` +
    `idle ${idleText(nowMs - lastMovedMs)}`
  );
}

/** `alice from 10.1.2.3 since 10:12` */
export function headingOf({ who, from, sinceWallMs }: StatusFacts): string {
  return `${short(who)} from ${short(from)} since ${hourText(sinceWallMs)}`;
}

function short(name: string): string {
  const characters = [...name];
  return characters.length <= NAME_CHARACTERS_MAX
    ? name
    : `${characters.slice(0, NAME_CHARACTERS_MAX).join('')}...`;
}

/** Three digits at most, of what a thousand of the unit before make. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 999.5 && unit < UNITS.length - 1; unit += 1) value /= 1_000;
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

export function idleText(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${seconds - (seconds % IDLE_STEP_S)} s`;
  return seconds < 3_600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3_600)} h`;
}

/** By this machine's clock. */
function hourText(wallMs: number): string {
  const date = new Date(wallMs);
  return [date.getHours(), date.getMinutes()].map((n) => String(n).padStart(2, '0')).join(':');
}
