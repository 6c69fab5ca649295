import { UsageError } from '../../common/errors.ts';
import { nearestName } from '../../common/suggest.ts';
import { ashB } from './ash-b.ts';
import { ashS } from './ash-s.ts';
import { cosine } from './cosine.ts';
import { dice } from './dice.ts';
import { energy } from './energy.ts';
import { entropy } from './entropy.ts';
import { fdbd } from './fdbd.ts';
import { gen } from './gen.ts';
import { gradnorm } from './gradnorm.ts';
import { klMatching } from './kl-matching.ts';
import { knn } from './knn.ts';
import { layerGaussians } from './layer-gaussians.ts';
import { layerKnn } from './layer-knn.ts';
import { layerSvms } from './layer-svms.ts';
import { mahalanobis } from './mahalanobis.ts';
import { mahalanobisPlusPlus } from './mahalanobis-plus-plus.ts';
import { maxLogit } from './max-logit.ts';
import type { Method } from './method.ts';
import { msp } from './msp.ts';
import { nci } from './nci.ts';
import { nnguide } from './nnguide.ts';
import { react } from './react.ts';
import { relativeMahalanobis } from './relative-mahalanobis.ts';
import { residual } from './residual.ts';
import { scale } from './scale.ts';
import { she } from './she.ts';
import { temperatureScaling } from './temperature-scaling.ts';
import { vim } from './vim.ts';

/** All methods, in the order of tables: of the logits, of the head input, of layers. */
export const methods: readonly Method[] = [
  msp,
  maxLogit,
  energy,
  gen,
  temperatureScaling,
  entropy,
  klMatching,
  knn,
  nnguide,
  mahalanobis,
  mahalanobisPlusPlus,
  relativeMahalanobis,
  cosine,
  she,
  residual,
  vim,
  react,
  scale,
  ashB,
  ashS,
  dice,
  fdbd,
  nci,
  gradnorm,
  layerSvms,
  layerGaussians,
  layerKnn,
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
