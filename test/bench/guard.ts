import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { backboneMetadata } from '../../models/metadata.ts';
import { UsageError } from '../../src/common/errors.ts';
import { RandomState } from '../../src/common/random.ts';
import { withThreshold } from '../../src/detectors/decision-model.ts';
import type { ModelProto } from '../../src/graph/onnx.ts';
import { prependPreprocessing } from '../../src/graph/preprocessing.ts';
import { readModel } from '../../src/graph/read.ts';
import { pruneUnused } from '../../src/graph/rewrite.ts';
import { encodeModel } from '../../src/graph/write.ts';
import {
  type FeatureGraph,
  featureGraph,
  preprocessingOf,
} from '../../src/pipeline/features/feature-graph.ts';
import { openSession, type Tensor, tensor } from '../../src/runtime/onnxruntime.ts';
import { type Bench, count, median, spread, timed } from './bench.ts';

/** Runs of one model in a row, and those before them that do not count. */
const BLOCK = 10;
const LEAD = 5;

/** What guarding costs: a guarded model beside the classifier alone, from the same pixels, on all cores. */
export const guard: Bench = {
  about: 'time of a guarded model beside the bare classifier, with the shares of pooling and detectors',
  python: false,
  options: {
    run: { about: 'a run folder that has a guarded.onnx (required)' },
    batches: { about: 'images a run', default: '1,8,32' },
    rounds: { about: 'rounds of ten runs of each model', default: '5' },
  },
  async run(values) {
    const { run } = values;
    if (!run) throw new UsageError('--run', 'is required');
    const path = join(run, 'backbone.onnx');
    const backbone = await readModel(path);
    const features = featureGraph(backbone, path);
    const guarded = await readModel(join(run, 'guarded.onnx'));
    const models: Record<string, ModelProto> = {
      classifier: prependPreprocessing(backbone, preprocessingOf(backboneMetadata(backbone, path))),
      pooled: withoutDetectors(guarded, features),
      guarded,
    };
    const early = join(run, 'guarded-early-exit.onnx');
    if (existsSync(early)) {
      const staged = await readModel(early);
      models.stay = withThreshold(staged, Number.POSITIVE_INFINITY);
      models.leave = withThreshold(staged, Number.NEGATIVE_INFINITY);
    }
    console.log(
      `\nms a run: median (least to largest)\nbatch  classifier  with taps pooled  guarded${models.stay ? '  none leaves  all leave' : ''}  ratio`,
    );
    for (const batch of values.batches!.split(',').map(Number)) {
      const feeds = { pixels: noise(batch, features) };
      const times: number[][] = Object.values(models).map(() => []);
      for (let round = 0; round < count(values, 'rounds'); round++)
        for (const [m, model] of Object.values(models).entries()) {
          // Alone: threads of another open session would look for work meanwhile. And without our own worker thread,
          // which outputs are handed over by one after the other.
          const session = await openSession(encodeModel(model));
          for (let run = -LEAD; run < BLOCK; run++) {
            const { seconds } = await timed(() => session.run(feeds));
            if (run >= 0) times[m].push(1000 * seconds);
          }
          await session.release();
        }
      const [bare, pooled, guarded, stay, leave] = times.map(median);
      const share = (part: number) => `${((100 * part) / guarded).toFixed(1)} %`;
      console.log(
        [batch, ...times.map((of) => spread(of, 2)), (guarded / bare).toFixed(2)].join('  '),
        `— pooling ${share(pooled - bare)}, detectors ${share(guarded - pooled)} of it, ${((1000 * batch) / guarded).toFixed(0)} img/s${stay === undefined ? '' : `; of the guard's time ${(stay / guarded).toFixed(2)} where none leaves, ${(leave / guarded).toFixed(2)} where all do`}`,
      );
    }
  },
};

/** What a guarded model has of a feature graph: network and pooling. */
function withoutDetectors(guarded: ModelProto, { model }: FeatureGraph): ModelProto {
  const yielded = new Set(guarded.graph.node.flatMap(({ output }) => output));
  const output = model.graph.output.filter(({ name }) => yielded.has(name));
  return pruneUnused({ ...guarded, graph: { ...guarded.graph, output } });
}

function noise(batch: number, { size: { height, width } }: FeatureGraph): Tensor {
  const random = new RandomState(0);
  const data = Uint8Array.from({ length: batch * height * width * 3 }, () => random.integer(255));
  return tensor('uint8', data, [batch, height, width, 3]);
}
