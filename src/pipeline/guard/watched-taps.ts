import { totalMultiplyAdds } from '../../graph/cost.ts';
import { inferShapes } from '../../graph/shapes.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';

/**
 * A tap is watched for so many of the network's multiplications, at most: of one image, to pool one takes as long as about
 * a million of them.
 */
const MULTIPLICATIONS_PER_TAP = 2.5e6;

/** So many taps are watched however small the network. */
const FEW_TAPS = 20;

/**
 * The taps that get detectors, but the logits; of more than the network's cost allows every second, third and so on: the same
 * places of all its blocks.
 */
export function watchedTaps({ model, detectorTaps, logits }: FeatureGraph): ReadonlySet<string> {
  const taps = detectorTaps.filter((tap) => tap !== logits);
  const multiplications = totalMultiplyAdds(model.graph.node, inferShapes(model));
  const most = Math.max(FEW_TAPS, multiplications / MULTIPLICATIONS_PER_TAP);
  const step = Math.ceil(taps.length / most);
  return new Set(taps.filter((_, at) => at % step === 0));
}
