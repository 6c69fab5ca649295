import type { Calibration } from '../evaluation/conformal.ts';
import { element } from './elements.ts';
import type { GuardFacts } from './guard-facts.ts';
import { plural, score } from './text.ts';

const BINS = 48;

/** Where an image's score lies among those of the calibration images, and the threshold. */
export function scoreChart({ scores }: GuardFacts, { threshold }: Calibration, value: number): HTMLElement {
  const low = Math.min(...scores, threshold);
  const known = Math.max(...scores, threshold) - low;
  const high = low + 1.35 * known;
  // What is farther up stands at the edge, with an arrow.
  const place = (x: number) => (100 * (Math.min(x, high) - low)) / (high - low || 1);
  const counts = new Uint32Array(BINS);
  for (const x of scores) counts[Math.min(BINS - 1, Math.floor((BINS * place(x)) / 100))]++;
  const most = Math.max(...counts);
  const bars = Array.from(counts, (count, bin) => {
    const isAbove = (bin + 0.5) / BINS > place(threshold) / 100;
    const bar = element('i', { class: isAbove ? 'above' : undefined });
    bar.style.height = `${(100 * count) / most}%`;
    return bar;
  });
  const higher = scores.filter((x) => !(x < value)).length;
  const told = `Score ${score(value)}, threshold ${score(threshold)}; ${higher} of ${plural(scores.length, 'calibration image')} score at least as high.`;
  const isBeyond = !(value <= high);
  return element(
    'div',
    { class: 'score-chart', role: 'img', 'aria-label': told },
    element('div', { class: 'bars' }, ...bars),
    mark(
      'own',
      isBeyond ? 100 : Math.max(0, place(value)),
      `this image ${score(value)}${isBeyond ? ' →' : ''}`,
    ),
    // Above the other, whose line may run through its label.
    mark('limit', place(threshold), `threshold ${score(threshold)}`),
  );
}

/** A line at a place in percent, with its label on the side where there is room. */
function mark(kind: string, place: number, label: string): HTMLElement {
  const line = element(
    'div',
    { class: `mark ${kind} ${place > 50 ? 'left' : 'right'}` },
    element('span', { class: 'mark-label' }, label),
  );
  line.style.left = `${place}%`;
  return line;
}
