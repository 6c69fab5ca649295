import { advice, command, GraphError } from '../../common/errors.ts';
import { nearestName } from '../../common/suggest.ts';
import { hasWildcards, wildcards } from '../../common/wildcards.ts';
import type { TapCandidate, TapKind } from './candidates.ts';

/** Taps that are taken of any network: more tell little more, and take time. */
const MOST = 30;

/** With fewer, the ends of a network's blocks are no picture of its depth. */
const FEWEST_ENDS = 10;

/**
 * The taps that are taken where nobody says others: convolutions, sums and concatenations that end a block, and what
 * the last layer takes. Where these are more than 30, convolutions inside a block are left out, for its end is there;
 * not so in networks that have few such ends, such as DenseNets, where every layer takes what all before it yield.
 * Where there still are more, the taps are spread evenly over the depth, the first and the last among them.
 */
export function defaultTaps(candidates: readonly TapCandidate[]): string[] {
  const fitting = candidates.filter(({ kind }) => usual.has(kind));
  const ends = fitting.filter(({ kind, isCut }) => kind !== 'convolution' || isCut);
  const taps = fitting.length <= MOST || ends.length < FEWEST_ENDS ? fitting : ends;
  return spread(taps, MOST).map(({ name }) => name);
}

/**
 * The taps that names, patterns (`*` stands for any characters, `?` for one) and `all` stand for, in the order of
 * execution. Patterns are compared with the names of values and of nodes; names may be those of any value or node.
 *
 * @param where the file, for errors
 * @throws GraphError where a pattern fits none
 */
export function chooseTaps(
  candidates: readonly TapCandidate[],
  wanted: readonly string[],
  where: string,
): string[] {
  const within = candidates.filter(({ kind }) => kind !== 'logits');
  const chosen = new Set<string>();
  const others: string[] = [];
  for (const pattern of wanted) {
    const expression = wildcards(pattern === 'all' ? '*' : pattern, 'names');
    const found = within.filter(({ name, node = name }) => expression.test(name) || expression.test(node));
    for (const { name } of found) chosen.add(name);
    if (found.length > 0) continue;
    if (hasWildcards(pattern)) throw noSuchTap(pattern, within, where);
    others.push(pattern);
  }
  return [...within.filter(({ name }) => chosen.has(name)).map(({ name }) => name), ...others];
}

const usual: ReadonlySet<TapKind> = new Set<TapKind>([
  'convolution',
  'residual sum',
  'concatenation',
  'features',
]);

function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))]);
}

function noSuchTap(pattern: string, candidates: readonly TapCandidate[], where: string): GraphError {
  const nearest = nearestName(
    pattern.replace(/[*?]/g, ''),
    candidates.map(({ name }) => name),
  );
  return new GraphError(
    where,
    `no tap is called ${pattern}`,
    nearest ? `did you mean ${nearest}?` : advice`${command('inspect')} lists the taps`,
  );
}
