import { GUARD } from '../guard-scores.ts';
import { escapeXml } from '../svg.ts';
import type { ComparedSet, Method } from './compared-sets.ts';
import { share } from './html.ts';

/** How much of a set is found at 5 % false alarms, in words; what scores at random finds 5 %. */
const grades: readonly { readonly from: number; readonly name: string; readonly className: string }[] = [
  { from: 0.99, name: 'Nearly all found', className: 'g4' },
  { from: 0.9, name: 'Most found', className: 'g4' },
  { from: 0.5, name: 'More than half', className: 'g3' },
  { from: 0.2, name: 'Some found', className: 'g2' },
  { from: 0.08, name: 'Few found', className: 'g1' },
  { from: 0, name: 'Not found', className: 'g0' },
];

/** A set's grade as a badge. */
export function badge({ methods: [first] }: ComparedSet): string {
  const { name, className } = grades.find(({ from }) => found(first) >= from)!;
  return `<span class="badge ${className}">${name}</span>`;
}

/** What a reader should know of a set, in a sentence or two. */
export function verdict({ methods }: ComparedSet): string {
  const [first, ...others] = methods;
  const better = others
    .filter(({ label }) => label !== 'best layer')
    .filter((method) => found(method) > found(first) + 0.0005)
    .sort((a, b) => found(b) - found(a))
    .slice(0, 2)
    .map((method) => `${escapeXml(method.label)} ${share(found(method))}`);
  const compared = better.length ? `Better here: ${better.join(', ')}.` : 'No other score finds more.';
  return `At 5 % false alarms ${first.name === GUARD ? 'the guard' : escapeXml(first.name)} finds <strong>${share(found(first))}</strong> of these images. ${compared}`;
}

/** Share of the OOD images that are found where 5 % of the InD images are called OOD too. */
export function found({ metrics }: Method): number {
  return 1 - metrics.fprAt95TprIndPositive;
}
