/**
 * Draws the session states: the table of src/relay/session-states.ts and the outcome words as docs/STATES.md.
 *
 *     node build/scripts/render-states.js        writes the file
 *
 * The page holds nothing that is not in the tables, and a test compares it with them, so that the drawing cannot rot.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  SESSION_EVENTS,
  SESSION_STATES,
  SESSION_TABLE,
  type Cell,
  type SessionEvent,
  type SessionState,
  type Transition,
} from '../src/relay/session-states.ts';
import { OUTCOMES } from '../src/wire/outcomes.ts';

const FIRST = SESSION_STATES[0];
const LIVE = SESSION_STATES.filter((state) => state !== 'ended');

/** The page, as Markdown. */
export function renderStates(): string {
  return [
    '# Session states',
    '',
    'Made from `src/relay/session-states.ts` and `src/wire/outcomes.ts` by `scripts/render-states.ts`; do not edit.',
    '',
    'A state says what is awaited, an event what happened. Behind the event: the actions (`/`) and the outcome (`=`).',
    '',
    ...drawing(),
    '',
    '## Transitions',
    '',
    'Every way into `ended` performs `finish`. `ended` ignores every event.',
    '',
    ...transitions(),
    '',
    '## Late and impossible events',
    '',
    '*Late* events are ignored: a peer may send any frame at any time, and people cross each other. *Impossible* ones can',
    'only come from a mistake of the relay itself, and throw.',
    '',
    ...reasons(),
    '',
    '## Outcomes',
    '',
    'One word a session, the same on the wire, in the log and in the exit status of the connector.',
    '',
    ...outcomes(),
    '',
  ].join('\n');
}

function drawing(): string[] {
  const everywhere = SESSION_EVENTS.filter(endsEveryLiveState);
  return [
    '```mermaid',
    'stateDiagram-v2',
    `    [*] --> ${FIRST}`,
    ...LIVE.flatMap((state) => arrows(state, everywhere)),
    '    note right of ended',
    ...everywhere.map((event) => `        from every state, ${label(event, move(FIRST, event)!)}`),
    '    end note',
    '    ended --> [*]',
    '```',
  ];
}

/** One arrow for each state that a state leads to; what every live state has is left to the note. */
function arrows(state: SessionState, everywhere: readonly SessionEvent[]): string[] {
  return SESSION_STATES.filter((next) => next !== state).flatMap((next) => {
    const events = SESSION_EVENTS.filter(
      (event) => move(state, event)?.next === next && !everywhere.includes(event),
    );
    const labels = events.map((event) => label(event, move(state, event)!));
    return labels.length === 0 ? [] : `    ${state} --> ${next}: ${labels.join('<br>')}`;
  });
}

function endsEveryLiveState(event: SessionEvent): boolean {
  const outcomes = new Set(LIVE.map((state) => move(state, event)?.outcome));
  return outcomes.size === 1 && !outcomes.has(undefined);
}

function label(event: SessionEvent, { actions, outcome }: Transition): string {
  if (outcome !== undefined) return `${event} = ${outcome}`;
  return actions.length === 0 ? event : `${event} / ${actions.join(', ')}`;
}

function move(state: SessionState, event: SessionEvent): Transition | null {
  const cell = SESSION_TABLE[state][event];
  return 'next' in cell ? cell : null;
}

function transitions(): string[] {
  const rows = LIVE.flatMap((state) =>
    SESSION_EVENTS.flatMap((event) => {
      const found = move(state, event);
      return found
        ? [[code(state), code(event), code(found.next), code(found.actions.join(', ')), found.outcome ?? '']]
        : [];
    }),
  );
  return table(['state', 'event', 'next', 'actions', 'outcome'], rows);
}

/** Rows of (verdict, reason, event, states), in the order in which the reasons first occur. */
function reasons(): string[] {
  const statesBy = new Map<string, SessionState[]>();
  for (const event of SESSION_EVENTS) {
    for (const state of LIVE) {
      const verdict = verdictOf(SESSION_TABLE[state][event]);
      if (verdict === null) continue;
      const key = [...verdict, code(event)].join('\n');
      statesBy.set(key, [...(statesBy.get(key) ?? []), state]);
    }
  }
  const rows = [...statesBy].map(([key, states]) => {
    const [verdict, reason, event] = key.split('\n') as [string, string, string];
    return [event, verdict, states.map(code).join(', '), reason];
  });
  return table(['event', '', 'in', 'because'], rows);
}

function verdictOf(cell: Cell): [string, string] | null {
  if ('late' in cell) return ['late', cell.late];
  return 'impossible' in cell ? ['impossible', cell.impossible] : null;
}

function outcomes(): string[] {
  const rows = OUTCOMES.map((row) => [
    code(row.word),
    String(row.code),
    String(row.exitStatus),
    row.forEngineer,
    row.forCustomer,
  ]);
  return table(['word', 'code', 'exit status', 'the engineer reads', 'the customer reads'], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

function code(text: string): string {
  return text === '' ? '' : `\`${text}\``;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL('../../docs/STATES.md', import.meta.url), renderStates());
}
