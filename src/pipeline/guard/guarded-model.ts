import { GraphError } from '../../common/errors.ts';
import { RandomState } from '../../common/random.ts';
import type { Tensor } from '../../common/tensor.ts';
import { conformalPValues } from '../../evaluation/conformal.ts';
import { flattenTogether } from '../../graph/flatten-together.ts';
import { joinModels } from '../../graph/join.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { setMetadata } from '../../graph/rewrite.ts';
import { GraphSession, type Tensors } from '../../runtime/graph-session.ts';
import { largestBatch } from '../../runtime/memory.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';
import type { Scorer } from './scorer.ts';

/** Largest difference to the separate pieces, as a share of the largest value. */
const TOLERANCE = 1e-4;

/** What a guarded model yields behind the logits, in this order. */
function outputsOf({ outputs }: Scorer): string[] {
  const [score, ...others] = outputs;
  return ['label', score, 'p_value', 'is_ood', ...others];
}

/** Network, scorer and decision in one model. */
export function guardedModel(
  features: FeatureGraph,
  scorer: Scorer,
  decision: ModelProto,
  metadata: Readonly<Record<string, string>>,
  where: string,
): ModelProto {
  const widths = new Map(features.taps.map((tap, at) => [tap, features.widths[at]]));
  const network = flattenTogether(features.model, widths);
  const whole = joinModels(joinModels(network, scorer.model, where), decision, where);
  const outputs = [features.logits, ...outputsOf(scorer)].map(
    (name) => whole.graph.output.find((output) => output.name === name)!,
  );
  return setMetadata({ ...whole, graph: { ...whole.graph, output: outputs } }, metadata);
}

/**
 * Compares a written guard with the feature graph, the scorer and p-values computed here, on made images.
 *
 * @param path the name that the file is to have, for errors
 * @throws GraphError where it does not do what they do
 */
export async function verifyGuarded(
  guard: ModelProto,
  path: string,
  features: FeatureGraph,
  scorer: Scorer,
  calibration: Float32Array,
  threshold: number,
  memory?: number,
): Promise<void> {
  const pixels = testImages(features, memory);
  const pooled = await runOnce(features.model, { pixels }, [...new Set([...scorer.taps, features.logits])]);
  const taps = Object.fromEntries(scorer.taps.map((tap) => [tap, pooled[tap]]));
  const { ood_score } = await runOnce(scorer.model, taps, ['ood_score']);
  const guarded = await runOnce(guard, { pixels }, [features.logits, ...outputsOf(scorer)]);
  const expected: Record<string, Float32Array> = {
    [features.logits]: pooled[features.logits].data as Float32Array,
    ood_score: ood_score.data as Float32Array,
  };
  const scores = Float32Array.from(guarded.ood_score.data as Float32Array);
  expected.p_value = Float32Array.from(conformalPValues(calibration, scores));
  expected.is_ood = scores.map((score) => (score > threshold ? 1 : 0));
  for (const [name, values] of Object.entries(expected)) requireEqual(path, name, guarded[name], values);
}

/** @throws GraphError, of this path, where an output of a written file differs from what its pieces say */
export function requireEqual(path: string, name: string, found: Tensor, expected: ArrayLike<number>): void {
  const values = Array.from(expected);
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  const difference = values.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - Number(found.data[i]))),
    0,
  );
  if (!(difference <= TOLERANCE * largest))
    throw new GraphError(
      path,
      `its ${name} differs by ${difference.toPrecision(2)} from that of its pieces`,
      'do not use it, and report this',
    );
}

/** Opens a model on the CPU, and runs it once. */
export async function runOnce(
  model: ModelProto,
  feeds: Tensors,
  outputs?: readonly string[],
): Promise<Tensors> {
  const session = await GraphSession.open(model, { device: 'cpu' });
  try {
    return await session.run(feeds, outputs);
  } finally {
    await session.close();
  }
}

/** Images of a run that checks. */
const CHECKED = 8;

/** Noise, and noise smoothed over the whole image: a seeded handful of images, as many as graph and memory take. */
export function testImages({ model, size: { height, width }, batch }: FeatureGraph, memory?: number): Tensor {
  const count = batch ?? largestBatch(model, memory, CHECKED);
  const random = new RandomState(0);
  const data = new Uint8Array(count * height * width * 3);
  for (let i = 0; i < count; i++) {
    const spread = 256 >> (i % 8);
    const base = random.integer(256 - spread);
    for (let at = 0; at < height * width * 3; at++)
      data[i * height * width * 3 + at] = base + random.integer(spread - 1);
  }
  return { dtype: 'uint8', shape: [count, height, width, 3], data };
}
