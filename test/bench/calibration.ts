import { UsageError } from '../../src/common/errors.ts';
import { sha256File } from '../../src/common/files.ts';
import { RandomState } from '../../src/common/random.ts';
import { quantile } from '../../src/evaluation/bootstrap.ts';
import { betaQuantile, conformalPValues } from '../../src/evaluation/conformal.ts';
import { readModel } from '../../src/graph/read.ts';
import { corruptedFile, featureFile } from '../../src/pipeline/features/feature-files.ts';
import { featureGraph } from '../../src/pipeline/features/feature-graph.ts';
import { type FeatureOutputs, outputsOnFeatures } from '../../src/pipeline/features/feature-rows.ts';
import { fitQuestionGuard } from '../../src/pipeline/guard/question-guard.ts';
import { RunFolder } from '../../src/pipeline/run-folder.ts';
import { type Bench, count } from './bench.ts';
import { markdown, replacePart } from './markdown.ts';

const CONFIDENCE = 0.9;

/** The answers of a guard, as `CalibratedGuard` calls them. */
const answers = { content: 'content', conditions: 'conditions', ood: 'decision' } as const;

/** How often a guard's false alarms are what it states: calibrated anew on many draws of held-out images, tried on the rest. */
export const calibration: Bench = {
  about:
    'false alarms of the default guard over random splits of the held-out images into calibration and others',
  python: false,
  options: {
    run: { about: 'a run folder that has features of training and test images (required)' },
    images: { about: 'calibration images', default: '300,1000,2000' },
    splits: { about: 'splits for each number of them', default: '200' },
    rate: { about: 'the stated rate of false alarms', default: '0.05' },
    seed: { about: 'seed of the splits', default: '0' },
    write: { about: 'a Markdown file, whose part between its two "made by" comments is replaced' },
  },
  async run(values) {
    if (!values.run) throw new UsageError('--run', 'is required');
    const outputs = await RunFolder.use(values.run, heldOutComponents);
    const rate = Number(values.rate);
    const random = new RandomState(Number(values.seed));
    const rows = values.images!.split(',').map((text) => {
      const images = Number(text);
      if (!(images >= 1 && images < outputs.count))
        throw new UsageError('--images', `${text} is not below the ${outputs.count} held-out images`);
      const shares = Array.from({ length: count(values, 'splits') }, () =>
        falseAlarms(outputs, images, rate, random.permutation(outputs.count)),
      );
      const cells = Object.keys(answers).map((answer) => spreadOf(shares.map((share) => share[answer])));
      const alarms = Math.floor(rate * (images + 1) + 1e-9);
      const ends = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2].map((share) =>
        percent(betaQuantile(share, alarms, images + 1 - alarms)),
      );
      return [images.toLocaleString('en'), ...cells, `${ends[0]} to ${ends[1]}`];
    });
    const head = ['calibration images', ...Object.values(answers), 'Beta(k, n + 1 − k)'];
    const text = `False alarms at a stated ${percent(rate)} %, in %: mean, and where the middle ${percent(CONFIDENCE)} % of ${values.splits} splits of ${outputs.count.toLocaleString('en')} held-out images lie; beside it where theory has a calibration set's own rate.\n\n${markdown(head, rows)}`;
    if (values.write) await replacePart(values.write, 'calibration', text);
    else console.log(`\n${text}`);
  },
};

interface HeldOut {
  readonly count: number;
  readonly outputs: FeatureOutputs;
  calibrate: Awaited<ReturnType<typeof fitQuestionGuard>>['calibrate'];
}

/** Fits a guard on a run's training images, and runs its parts on the held-out ones. */
async function heldOutComponents(run: RunFolder): Promise<HeldOut> {
  const path = run.file('backbone.onnx');
  const backbone = await sha256File(path);
  const train = await featureFile(run, 'train');
  const sources = { train, corrupted: corruptedFile(train), backbone };
  const guard = await fitQuestionGuard(true, featureGraph(await readModel(path), path), sources);
  const heldOut = await featureFile(run, 'test');
  const names = guard.components.graph.output.map(({ name }) => name);
  const outputs = await outputsOnFeatures(guard.components, heldOut, {
    outputs: names,
    device: 'cpu',
    backbone,
  });
  return {
    count: Math.min(...[...outputs.values()].map(({ length }) => length)),
    outputs,
    calibrate: guard.calibrate,
  };
}

/** The share of the images behind the first ones, in some order, that each answer calls OOD. */
function falseAlarms(
  { count, outputs, calibrate }: HeldOut,
  images: number,
  rate: number,
  order: Uint32Array,
): Record<string, number> {
  const { known, scoresOf } = calibrate(rowsOf(outputs, count, order.subarray(0, images)), rate);
  const others = scoresOf(rowsOf(outputs, count, order.subarray(images)));
  return Object.fromEntries(
    (Object.keys(answers) as (keyof typeof answers)[]).map((answer) => {
      const p = conformalPValues(known[answer]!, others[answer]!);
      return [answer, p.filter((value) => value <= rate).length / p.length];
    }),
  );
}

function rowsOf(outputs: FeatureOutputs, count: number, rows: Uint32Array): FeatureOutputs {
  return new Map(
    [...outputs].map(([name, values]) => {
      const width = values.length / count;
      const some = new Float32Array(rows.length * width);
      rows.forEach((row, i) => {
        some.set(values.subarray(row * width, (row + 1) * width), i * width);
      });
      return [name, some];
    }),
  );
}

function spreadOf(values: readonly number[]): string {
  const ascending = Float64Array.from(values).sort();
  const mean = ascending.reduce((sum, value) => sum + value, 0) / ascending.length;
  const [low, high] = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2].map((share) => quantile(ascending, share));
  return `${percent(mean)} (${percent(low)} to ${percent(high)})`;
}

function percent(share: number): string {
  return String(Number((100 * share).toFixed(1)));
}
