import { advice, GraphError, option } from '../../common/errors.ts';
import { type Tensor, toFloat32 } from '../../common/tensor.ts';
import { type Classifier, LOGITS } from '../../graph/classifier/classifier.ts';
import { quantizationOf } from '../../graph/classifier/quantized.ts';
import { ElementType, type ModelProto } from '../../graph/onnx.ts';
import { type Preprocessing, prependPreprocessing } from '../../graph/preprocessing.ts';
import type { Optimization } from '../../runtime/device.ts';
import { featureGraph } from '../features/feature-graph.ts';
import { runOnPixels } from '../run-graph.ts';
import { isClose, largestDifference, randomPixels } from './normalize-classifier.ts';

/** What a backbone was made of. */
interface Origin {
  readonly original: ModelProto;
  /** The original's input and logits. */
  readonly classifier: Classifier;
  readonly preprocessing: Preprocessing | undefined;
}

/** Smaller differences of logits, as shares of the largest, are not noted. */
const NOTABLE = 1e-4;

/**
 * Runs a backbone on two images one by one and at once, and beside the original: that its logits are the original's, and
 * that no tap mixes the images. A quantised network is computed operator by operator for that: what onnxruntime fuses is
 * rounded otherwise, in the original and, since its taps are read, differently in the backbone.
 *
 * @param where the original's file, for errors
 * @returns what a person would not expect, a sentence each
 * @throws GraphError where it does not do what the original does
 */
export async function verifyBackbone(
  backbone: ModelProto,
  where: string,
  { original, classifier, preprocessing }: Origin,
): Promise<string[]> {
  const isQuantized = quantizationOf(original) !== undefined;
  const asWritten: Optimization = isQuantized ? 'disabled' : 'all';
  const { model, taps, batch, size } = featureGraph(backbone, where);
  const images = [0, 1].map((seed) => randomPixels(size, 1, seed));
  const runs = batch === undefined ? [...images, Buffer.concat(images)] : images;
  const run = async (optimization: Optimization) => {
    const [first, second, both] = await runOnPixels(model, where, size, runs, { optimization, single: true });
    return { both, single: (tap: string) => [first, second].flatMap((one) => [...toFloat32(one[tap])]) };
  };
  const { both, single } = await run(asWritten);
  if (!single(LOGITS).every(Number.isFinite)) throw notFinite(original, where);
  const mixing = both && taps.find((tap) => !isClose(toFloat32(both[tap]), single(tap)));
  if (mixing === LOGITS)
    throw new GraphError(
      where,
      'the logits of an image depend on the other images of its batch',
      'export it for inference',
    );
  if (mixing)
    throw new GraphError(
      where,
      `tap ${mixing} of an image depends on the other images of its batch`,
      advice`choose others with ${option('taps')}`,
    );

  const { logits, batch: atOnce = 1 } = classifier;
  const { graph } = original;
  const exposed = { ...original, graph: { ...graph, output: [{ name: logits }] } };
  // Where it takes several at once, all of them are the same.
  const copies = images.map((image) => Buffer.concat(Array.from({ length: atOnce }, () => image)));
  const originals = async (optimization: Optimization) => {
    const wanted = prependPreprocessing(exposed, preprocessing);
    const runs = await runOnPixels(wanted, where, size, copies, { optimization, single: true });
    return runs.flatMap((run) => logitsOf(run[logits], classifier));
  };
  const wanted = await originals(asWritten);
  if (!isClose(wanted, single(LOGITS)))
    throw otherLogits(original, where, largestDifference(wanted, single(LOGITS)));
  if (!isQuantized) return [];
  const fused = largestDifference(await originals('all'), (await run('all')).single(LOGITS));
  if (fused < NOTABLE) return [];
  return [
    `it computes in 8 bits: as onnxruntime fuses its operators, its logits differ from the original's by up to ${percent(fused)} of the largest`,
  ];
}

/** The logits of the first image of a run. */
function logitsOf(tensor: Tensor, { classes, isBinary }: Classifier): number[] {
  const values = toFloat32(tensor);
  return isBinary ? [-values[0] / 2, values[0] / 2] : [...values.subarray(0, classes)];
}

function isHalf({ graph }: ModelProto): boolean {
  return graph.initializer.some(({ dataType }) => dataType === ElementType.float16);
}

function notFinite(original: ModelProto, where: string): GraphError {
  return isHalf(original)
    ? new GraphError(
        where,
        'gives logits that are not finite: it computes in float16, which ends at 65,504 and takes what is below 6e-8 for 0',
        'export it in float32, or keep its normalisations in float32',
      )
    : new GraphError(where, 'gives logits that are not finite', 'its weights are unusable');
}

function otherLogits(original: ModelProto, where: string, difference: number): GraphError {
  return isHalf(original)
    ? new GraphError(
        where,
        `its logits change by ${percent(difference)} of the largest when its values within are read: it computes in float16, and is rounded otherwise then`,
        'export it in float32',
      )
    : new GraphError(
        where,
        `the backbone made of it yields other logits, by ${percent(difference)} of the largest`,
        'please report it: this is a defect',
      );
}

const percent = (share: number) => `${Number((100 * share).toPrecision(2))} %`;
