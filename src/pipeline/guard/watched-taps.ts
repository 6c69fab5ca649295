import type { LayerDetector } from '../../detectors/fit-layer.ts';
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

/** Beside another kind, one-class SVMs watch this share of the watched taps, from the input on. */
const SVM_DEPTH = 1 / 2;

/**
 * What they multiply for an image, at most, as a share of what the network does. Of one image each number of a support
 * vector is read from memory to be multiplied once, where a convolution's weights are used hundreds of times, so it takes
 * far more than this share of the time.
 */
const SVM_SHARE = 1 / 100;

/** What a network multiplies for one image. */
export function multiplicationsOf({ model }: FeatureGraph): number {
  return totalMultiplyAdds(model.graph.node, inferShapes(model));
}

/**
 * The taps that get detectors, but the logits, whose energy is heard; of more than the network's cost allows every second,
 * third and so on: the same places of all its blocks.
 *
 * @param multiplications of the network, for one image
 */
export function watchedTaps(
  { detectorTaps, logits }: FeatureGraph,
  multiplications: number,
): ReadonlySet<string> {
  const taps = detectorTaps.filter((tap) => tap !== logits);
  const most = Math.max(FEW_TAPS, multiplications / MULTIPLICATIONS_PER_TAP);
  const step = Math.ceil(taps.length / most);
  return new Set(taps.filter((_, at) => at % step === 0));
}

/**
 * Those of early layers, the smallest of them that are within `SVM_SHARE` together, at least one. What is unusual in an
 * image's colours, contrast or noise is seen there, before the network has learnt to overlook it.
 *
 * @param multiplications of the network, for one image
 */
export function earlySvms(
  all: readonly LayerDetector[],
  watched: ReadonlySet<string>,
  multiplications: number,
): LayerDetector[] {
  const ofSvm = ({ supportVectors }: LayerDetector) => supportVectors.length;
  const ofWatched = all.filter(({ tap }) => watched.has(tap));
  const early = ofWatched.slice(0, Math.ceil(SVM_DEPTH * ofWatched.length));
  let sum = 0;
  const small = new Set(
    early
      .toSorted((a, b) => ofSvm(a) - ofSvm(b))
      .filter((svm, i) => {
        sum += ofSvm(svm);
        return i === 0 || sum <= SVM_SHARE * multiplications;
      }),
  );
  return early.filter((svm) => small.has(svm));
}
