import { GraphError } from '../../common/errors.ts';
import { RandomState } from '../../common/random.ts';
import type { Tensor } from '../../common/tensor.ts';
import { conformalPValues } from '../../evaluation/conformal.ts';
import { joinModels } from '../../graph/join.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { poolTogether } from '../../graph/pool-together.ts';
import { setMetadata } from '../../graph/rewrite.ts';
import { GraphSession, type Tensors } from '../../runtime/graph-session.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';

/** Largest difference to the separate pieces, as a share of the largest value. */
const TOLERANCE = 1e-4;

/** What a guarded model yields behind the logits, in this order. */
function outputsOf(scorer: ModelProto): string[] {
  const others = scorer.graph.output.map(({ name }) => name).filter((name) => name !== 'ood_score');
  return ['label', 'ood_score', 'p_value', 'is_ood', ...others];
}

/**
 * Network, scorer and decision in one model.
 *
 * @param scorer from features to `ood_score` and what explains it
 */
export function guardedModel(
  features: FeatureGraph,
  scorer: ModelProto,
  decision: ModelProto,
  metadata: Readonly<Record<string, string>>,
  where: string,
): ModelProto {
  const widths = new Map(features.taps.map((tap, at) => [tap, features.widths[at]]));
  const network = poolTogether(features.model, widths);
  const whole = joinModels(joinModels(network, scorer, where), decision, where);
  const outputs = [features.logits, ...outputsOf(scorer)].map(
    (name) => whole.graph.output.find((output) => output.name === name)!,
  );
  return setMetadata({ ...whole, graph: { ...whole.graph, output: outputs } }, metadata);
}

/**
 * Compares a written guard with the feature graph, the scorer and p-values computed here, on made images.
 *
 * @param path the name that its file is to have, for errors
 * @throws GraphError where it does not do what they do
 */
export async function verifyGuarded(
  guard: ModelProto,
  path: string,
  features: FeatureGraph,
  scorer: ModelProto,
  calibration: Float32Array,
  threshold: number,
): Promise<void> {
  const pixels = testImages(features);
  const inputs = scorer.graph.input.map(({ name }) => name);
  const pooled = await runOnce(features.model, { pixels }, [...new Set([...inputs, features.logits])]);
  const taps = Object.fromEntries(inputs.map((tap) => [tap, pooled[tap]]));
  const { ood_score } = await runOnce(scorer, taps, ['ood_score']);
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

/** @throws GraphError where an output of a written file differs from what its pieces say */
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
  const session = await GraphSession.open(model, { device: 'cpu', single: true, optimization: 'all' });
  try {
    return await session.run(feeds, outputs);
  } finally {
    await session.close();
  }
}

/** Noise, and noise smoothed over the whole image: a seeded handful of images, as many as the graph takes. */
export function testImages({ size: { height, width }, batch }: FeatureGraph): Tensor {
  const count = batch ?? 8;
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
