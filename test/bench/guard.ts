import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { backboneMetadata } from '../../models/metadata.ts';
import { UsageError } from '../../src/common/errors.ts';
import { RandomState } from '../../src/common/random.ts';
import type { Tensor } from '../../src/common/tensor.ts';
import { withThreshold } from '../../src/detectors/decision-model.ts';
import type { ModelProto } from '../../src/graph/onnx.ts';
import { prependPreprocessing } from '../../src/graph/preprocessing.ts';
import { readModel } from '../../src/graph/read.ts';
import {
  type FeatureGraph,
  featureGraph,
  preprocessingOf,
} from '../../src/pipeline/features/feature-graph.ts';
import { GraphSession } from '../../src/runtime/graph-session.ts';
import { type Bench, count, median, spread, timed } from './bench.ts';

/**
 * Runs of one model in a row, and those before them that do not count: threads of the model before still look for work,
 * and the caches hold what it needed.
 */
const BLOCK = 5;
const LEAD = 5;

/** What guarding costs: a guarded model beside the classifier alone, from the same pixels, on all cores. */
export const guard: Bench = {
  about: 'time of a guarded model beside the bare classifier, with the shares of pooling and detectors',
  options: {
    run: { about: 'a run folder that has a guarded.onnx (required)' },
    batches: { about: 'images a run', default: '1,8,32' },
    rounds: { about: 'rounds of five runs of each', default: '15' },
    ours: { about: 'needs no Python, as there is no counterpart', flag: true },
  },
  async run(values) {
    const { run } = values;
    if (!run) throw new UsageError('--run', 'is required');
    const path = join(run, 'backbone.onnx');
    const backbone = await readModel(path);
    const features = featureGraph(backbone, path);
    const models: Record<string, ModelProto> = {
      classifier: prependPreprocessing(backbone, preprocessingOf(backboneMetadata(backbone, path))),
      pooled: features.model,
      guarded: await readModel(join(run, 'guarded.onnx')),
    };
    const early = join(run, 'guarded-early-exit.onnx');
    if (existsSync(early)) {
      const staged = await readModel(early);
      models.stay = withThreshold(staged, Number.POSITIVE_INFINITY);
      models.leave = withThreshold(staged, Number.NEGATIVE_INFINITY);
    }
    const sessions = await Promise.all(
      Object.values(models).map((model) => GraphSession.open(model, { device: 'cpu' })),
    );
    console.log(
      `\nms a run: median (least to largest)\nbatch  classifier  with taps pooled  guarded${models.stay ? '  none leaves  all leave' : ''}  ratio`,
    );
    for (const batch of values.batches!.split(',').map(Number)) {
      const pixels = noise(batch, features);
      const times: number[][] = sessions.map(() => []);
      for (let round = 0; round < count(values, 'rounds'); round++)
        for (const [s, session] of sessions.entries())
          for (let run = -LEAD; run < BLOCK; run++) {
            const { seconds } = await timed(() => session.run({ pixels }));
            if (run >= 0) times[s].push(1000 * seconds);
          }
      const [bare, pooled, guarded, stay, leave] = times.map(median);
      const share = (part: number) => `${((100 * part) / guarded).toFixed(1)} %`;
      console.log(
        [batch, ...times.map((of) => spread(of, 2)), (guarded / bare).toFixed(2)].join('  '),
        `— pooling ${share(pooled - bare)}, detectors ${share(guarded - pooled)} of it, ${((1000 * batch) / guarded).toFixed(0)} img/s${stay === undefined ? '' : `; of the guard's time ${(stay / guarded).toFixed(2)} where none leaves, ${(leave / guarded).toFixed(2)} where all do`}`,
      );
    }
    await Promise.all(sessions.map((session) => session.close()));
  },
};

function noise(batch: number, { size: { height, width } }: FeatureGraph): Tensor {
  const random = new RandomState(0);
  const data = Uint8Array.from({ length: batch * height * width * 3 }, () => random.integer(255));
  return { dtype: 'uint8', shape: [batch, height, width, 3], data };
}
