import { UsageError } from '../../common/errors.ts';
import { nearestName } from '../../common/suggest.ts';
import { energy } from './energy.ts';
import { knn } from './knn.ts';
import type { Method } from './method.ts';
import { msp } from './msp.ts';

/** All methods, in the order of tables: of the logits, of the head input, of layers. */
export const methods: readonly Method[] = [msp, energy, knn];

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
