import type { GuardAnswer } from '../guard/guard-answer.ts';
import { element } from './elements.ts';
import type { GuardFacts } from './guard-facts.ts';
import { score } from './text.ts';

/** Standardised scores of InD images mostly lie within so many deviations. */
const USUAL = 2;

/** What the score is made of, layer by layer or part by part: a bar each, and a table. */
export function layerChart(facts: GuardFacts, answer: GuardAnswer): HTMLElement {
  const { parts: layers } = facts;
  const { parts: layerScores } = answer;
  const layer = largestOf(facts, answer);
  // By what is usual; those of version 0.1.0 that are not the paper's are `evidence`.
  const isStandardized = ['mean', 'evidence'].includes(facts.aggregation ?? '');
  const known = layerScores.filter((value) => !Number.isNaN(value));
  const low = Math.min(isStandardized ? -USUAL - 0.5 : 0, ...known);
  const high = Math.max(isStandardized ? USUAL + 1.5 : 0, ...known);
  const part = (value: number) => (100 * (value - low)) / (high - low || 1);
  const isRoomy = layers.length <= 12;
  const label = (value: number, i: number) =>
    isRoomy || i === layer ? value.toFixed(1).replace('-', '−') : '';
  const columns = layerScores.map((value, i) => {
    const column = element('div', {
      class: i === layer ? 'column worst' : 'column',
      title: `${layers[i]}: ${reached(value)}`,
    });
    if (Number.isNaN(value)) column.classList.add('unknown');
    else column.append(bar(part(Math.min(value, 0)), part(Math.max(value, 0)), label(value, i)));
    return column;
  });
  const zero = element('div', { class: 'zero' });
  zero.style.bottom = `${part(0)}%`;
  const plot = element('div', { class: isRoomy ? 'plot roomy' : 'plot' });
  if (isStandardized) {
    const band = element('div', { class: 'band' });
    band.style.bottom = `${part(-USUAL)}%`;
    band.style.height = `${part(USUAL) - part(-USUAL)}%`;
    plot.append(band);
  }
  plot.append(zero, element('div', { class: 'columns' }, ...columns));
  const told = `${facts.questions ? 'Parts of the score' : 'Layer profile'}. Largest: ${layers[layer]}, ${score(layerScores[layer])}. The table below has all ${layers.length}.`;
  return element(
    'div',
    {},
    element(
      'div',
      { class: 'layer-chart', role: 'img', 'aria-label': told },
      element(
        'p',
        { class: 'key' },
        element('b', {}, layers[layer]),
        ` is the largest.${isStandardized ? ' Shaded: what is usual.' : ''}`,
      ),
      plot,
      ends(layers),
    ),
    table(facts, answer),
  );
}

/** The number of the part that is farthest from what is usual. */
function largestOf({ parts: names }: GuardFacts, { layer, parts }: GuardAnswer): number {
  return layer === undefined ? parts.indexOf(Math.max(...parts)) : names.indexOf(layer);
}

/** A bar between two heights in percent, with a label above it. */
function bar(from: number, to: number, label: string): HTMLElement {
  const made = element('i', {}, element('span', { class: 'value' }, label));
  made.style.bottom = `${from}%`;
  made.style.height = `${to - from}%`;
  return made;
}

function reached(value: number): string {
  return Number.isNaN(value) ? 'left before' : score(value);
}

function ends(layers: readonly string[]): HTMLElement {
  return element(
    'div',
    { class: 'ends' },
    element('span', {}, layers[0]),
    ...(layers.length > 1 ? [element('span', {}, layers[layers.length - 1])] : []),
  );
}

function table(facts: GuardFacts, answer: GuardAnswer): HTMLElement {
  const { parts: layers, questions } = facts;
  const { parts: layerScores } = answer;
  const layer = largestOf(facts, answer);
  const rows = layers.map((name, i) =>
    element(
      'tr',
      { class: i === layer ? 'worst' : undefined },
      element('th', { scope: 'row' }, name),
      element(
        'td',
        {},
        element('data', { value: layerScores[i] }, reached(layerScores[i])),
        ...(i === layer ? [' (largest)'] : []),
      ),
    ),
  );
  const head = element(
    'tr',
    {},
    element('th', { scope: 'col' }, questions ? 'Part' : 'Layer, first to last'),
    element('th', { scope: 'col' }, 'Score'),
  );
  return element(
    'details',
    {},
    element('summary', {}, 'As a table'),
    element('table', {}, element('thead', {}, head), element('tbody', {}, ...rows)),
  );
}
