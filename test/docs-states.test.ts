/** docs/STATES.md is what the tables say today. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { renderStates } from '../scripts/render-states.ts';

t.test('the drawing of the session states is up to date', async (t) => {
  const page = readFileSync(new URL('../../docs/STATES.md', import.meta.url), 'utf8');
  t.equal(page, renderStates(), 'else run node build/scripts/render-states.js');
});

t.test('every arrow of the drawing joins states of the table', async (t) => {
  const arrows = [...renderStates().matchAll(/^ {4}(\S+) --> (\S+?)(?::.*)?$/gm)];
  t.ok(arrows.length > 15);
  const outside = arrows
    .flatMap(([, from, to]) => [from, to])
    .filter((name) => !/^(awaiting\w+|spliced|ended)$/.test(name));
  t.same([...new Set(outside)].toSorted(), ['[*]']);
});
