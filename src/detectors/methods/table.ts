import { UsageError } from '../../common/errors.ts';
import { nearestName } from '../../common/suggest.ts';
import { ashB } from './ash-b.ts';
import { ashS } from './ash-s.ts';
import { energy } from './energy.ts';
import { entropy } from './entropy.ts';
import { gen } from './gen.ts';
import { gradnorm } from './gradnorm.ts';
import { klMatching } from './kl-matching.ts';
import { knn } from './knn.ts';
import { maxLogit } from './max-logit.ts';
import type { Method } from './method.ts';
import { msp } from './msp.ts';
import { react } from './react.ts';
import { scale } from './scale.ts';

/** All methods, in the order of tables: of the logits, of the head input, of layers. */
export const methods: readonly Method[] = [
  msp,
  maxLogit,
  energy,
  gen,
  entropy,
  klMatching,
  knn,
  react,
  scale,
  ashB,
  ashS,
  gradnorm,
];

/** What can be typed for a method. */
export const methodNames: readonly string[] = methods.map(({ name }) => name);

/**
 * The methods of these names, in the table's order; `all` stands for all.
 *
 * @throws UsageError where there is none of a name
 */
export function chooseMethods(names: readonly string[]): Method[] {
  for (const name of names) {
    if (name === 'all' || methods.some((method) => method.name === name)) continue;
    const known = methods.map((method) => method.name);
    const nearest = nearestName(name, known);
    throw new UsageError(
      `method ${name}`,
      'there is none of that name',
      nearest ? `did you mean ${nearest}?` : `there are ${known.join(', ')}`,
    );
  }
  return methods.filter(({ name }) => names.includes('all') || names.includes(name));
}
