import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildBackbone } from '../../models/backbone.ts';
import { initialWeights } from '../../models/initial.ts';
import { architectureNamed } from '../../models/registry.ts';
import { RandomState } from '../../src/common/random.ts';
import { elementCount } from '../../src/common/tensor.ts';
import type { ModelProto } from '../../src/graph/onnx.ts';
import { pruneUnused } from '../../src/graph/rewrite.ts';
import { tensorFromProto } from '../../src/graph/tensor-proto.ts';
import { encodeModel } from '../../src/graph/write.ts';
import * as ort from '../../src/runtime/onnxruntime.ts';
import { DECAY, MOMENTUM, RATE, SHARE } from '../../src/training/onnx/sgd-graph.ts';
import { LABELS, LOSS, stepGraph } from '../../src/training/onnx/step-graph.ts';
import { recipeOf } from '../../src/training/recipe.ts';
import { type Bench, count, inTemporaryFolder } from './bench.ts';

const CLASSES = 10;
const SCALARS: Readonly<Record<string, number>> = {
  [RATE]: 0.01,
  [MOMENTUM]: 0.9,
  [DECAY]: 1e-4,
  [SHARE]: 1,
};

/** What onnxruntime's profile says of a node that ran. */
interface Event {
  readonly cat: string;
  readonly name: string;
  /** Microseconds: when it began, and how long it took. */
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly op_name?: string; readonly input_type_shape?: readonly Shapes[] };
}

/** The shape of an input, under the name of its type. */
type Shapes = Readonly<Record<string, readonly number[]>>;

/** Which operators of a training step on onnxruntime take its time. */
export const trainingProfile: Bench = {
  about: "the operators of a training step, and what each takes of it, by onnxruntime's profile",
  python: false,
  options: {
    models: { about: 'backbones, separated by commas', default: 'vgg16,resnet34,densenet100' },
    batch: { about: "images a step; the recipe's by default" },
    steps: { about: 'steps, after a first one that is not counted', default: '2' },
  },
  async run(values) {
    const given = (values.batch ?? 'undefined') === 'undefined' ? undefined : count(values, 'batch');
    const steps = count(values, 'steps');
    for (const name of values.models!.split(',')) {
      const batch = given ?? recipeOf(name).batch;
      const taken = await inTemporaryFolder((folder) => profile(folder, name, batch, steps));
      const all = taken.reduce((sum, [, seconds]) => sum + seconds, 0);
      console.log(`\n${name}: batch ${batch}, ${(all / steps).toFixed(2)} s a step in operators`);
      for (const [operator, seconds] of taken)
        if (seconds >= 0.005 * all)
          console.log(`  ${operator.padEnd(28)} ${((100 * seconds) / all).toFixed(1).padStart(5)} %`);
    }
  },
};

/** Seconds of all counted steps by kind of operator, the longest first. */
async function profile(
  folder: string,
  name: string,
  batch: number,
  steps: number,
): Promise<[string, number][]> {
  const network = buildBackbone(
    architectureNamed(name),
    initialWeights(architectureNamed(name), CLASSES, new RandomState(0)),
  );
  const { model } = stepGraph(network, {}, { momentum: 0.9, weightDecay: 1e-4 }, name);
  const session = await ort.openSession(encodeModel(withPhases(model)), {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    enableProfiling: true,
    profileFilePrefix: join(folder, 'profile'),
  });
  const feeds = feedsOf(model, network, batch);
  for (let step = 0; step <= steps; step++) await session.run(feeds);
  session.endProfiling();
  await session.release();
  const [file] = (await readdir(folder)).filter((each) => each.startsWith('profile'));
  const events: Event[] = JSON.parse(await readFile(join(folder, file), 'utf8'));
  const first = events.find((event) => event.name === 'model_run')!;
  const seconds = new Map<string, number>();
  for (const event of events) {
    if (!event.name.endsWith('_kernel_time') || event.ts < first.ts + first.dur) continue;
    const kind = kindOf(event);
    seconds.set(kind, (seconds.get(kind) ?? 0) + event.dur / 1e6);
  }
  return [...seconds].sort(([, a], [, b]) => b - a);
}

/** Names of nodes say whether the loss follows from them. */
function withPhases(model: ModelProto): ModelProto {
  const { graph } = model;
  const output = graph.output.filter(({ name }) => name === LOSS);
  const forth = new Set(pruneUnused({ ...model, graph: { ...graph, output } }).graph.node);
  const node = graph.node.map((each, i) => ({
    ...each,
    name: `${forth.has(each) ? 'forth' : 'back'}${i}`,
  }));
  return { ...model, graph: { ...graph, node } };
}

/** The operator; of convolutions and batch normalisations also what for. */
function kindOf({ name, args }: Event): string {
  const operator = args?.op_name ?? 'unknown';
  if (name.startsWith('forth')) return `${operator}, forth`;
  if (operator !== 'Conv') return operator;
  const [, filters] = args?.input_type_shape ?? [];
  const shape = Object.values(filters ?? {})[0] ?? [];
  // Filters' gradients are convolutions by the output's gradient, over batch, height and width.
  return `Conv, gradient of ${shape.length === 5 && shape[2] > 1 ? 'filters' : 'inputs'}`;
}

function feedsOf(model: ModelProto, network: ModelProto, batch: number): Record<string, ort.Tensor> {
  const random = new RandomState(0);
  const weights = new Map(network.graph.initializer.map((proto) => [proto.name, proto]));
  const sizes = new Map(
    model.graph.input.map(({ name, type }) => [
      name,
      (type?.tensorType?.shape?.dim ?? []).map(({ dimValue }) => Number(dimValue ?? 0) || batch),
    ]),
  );
  return Object.fromEntries(
    Array.from(sizes, ([name, shape]) => {
      const elements = elementCount(shape);
      if (name === LABELS)
        return [
          name,
          ort.tensor(
            'int64',
            BigInt64Array.from({ length: elements }, () => BigInt(random.integer(CLASSES - 1))),
            shape,
          ),
        ];
      const weight = weights.get(name);
      if (weight)
        return [name, ort.tensor('float32', tensorFromProto(weight, name).data as Float32Array, shape)];
      const data = new Float32Array(elements).fill(SCALARS[name] ?? 0);
      if (shape[0] === batch && shape.length === 4)
        for (let i = 0; i < elements; i++) data[i] = random.normal();
      return [name, ort.tensor('float32', data, shape)];
    }),
  );
}
