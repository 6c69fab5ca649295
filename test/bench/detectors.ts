import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { openFeatures } from '../../converters/hdf5/open-features.ts';
import { writeFeatures } from '../../converters/hdf5/write-features.ts';
import { UsageError } from '../../src/common/errors.ts';
import { detectorsOfModel } from '../../src/detectors/detectors-model.ts';
import { defaultFitOptions, type FitOptions, type FitReport } from '../../src/detectors/layer-svm.ts';
import { decodeModel } from '../../src/graph/read.ts';
import { fitSvms } from '../../src/pipeline/detectors/fit-svms.ts';
import { type FeatureLayer, featureLayers } from '../../src/pipeline/features/feature-files.ts';
import { python } from '../parity/python.ts';
import { type Bench, inTemporaryFolder, timed } from './bench.ts';
import { kernelRate, leastKernelValues } from './kernel-limit.ts';
import { correlatedFeatures } from './synthetic.ts';

/** scikit-learn trains as many layers of each width where nothing else is asked for. */
const OF_EACH_WIDTH = 4;

/** Features where there are no real ones: the widths of densenet100, a layer each. */
const SYNTHETIC = { rows: 10_000, widths: [10, 12, 24, 48, 108, 150] };

/** Both follow the original's code, so that they have the same work to do. */
const options: FitOptions = { ...defaultFitOptions, compat: 'original' };

interface FeatureSet {
  readonly path: string;
  readonly samples: number;
  readonly layers: readonly FeatureLayer[];
}

interface Training {
  readonly gamma: number;
  readonly error: number;
  readonly seconds: { readonly shifting: number; readonly grid: number; readonly refit: number };
}

/** All of a network's detectors: ours on all cores, scikit-learn on some layers that stand for all of their width. */
export const detectors: Bench = {
  about:
    "the training of a network's detectors on all cores beside scikit-learn in one process, as the original",
  python: true,
  options: {
    features: { about: 'a feature file; synthetic features where absent' },
    layers: {
      about: `those that scikit-learn trains: numbers, or 'all'; ${OF_EACH_WIDTH} of each width where absent`,
    },
    'their-gamma': { about: 'the largest gamma that scikit-learn tries; ours tries all' },
    two: { about: 'scikit-learn once more, in two processes', flag: true },
    ours: { about: 'leave scikit-learn out', flag: true },
  },
  async run(values) {
    await inTemporaryFolder(async (folder) => {
      const set = await featureSet(folder, values.features);
      const all = await fitOurs(folder, set, set.layers);
      console.log(`\n${await limitText(set, all.reports, all.seconds)}`);
      if (values.ours) return;

      const chosen = choose(set.layers, values.layers);
      const limit = values['their-gamma'] ? Number(values['their-gamma']) : Number.POSITIVE_INFINITY;
      const theirOptions = { ...options, gammas: options.gammas.filter((gamma) => gamma <= limit) };
      console.log(`\n${HEAD}`);
      const theirs: number[] = [];
      for (const layer of chosen) {
        const ours = await fitOurs(folder, set, [layer]);
        const their = await fitTheirs(folder, set, layer, theirOptions);
        theirs.push(total(their));
        console.log(describe(layer, total(ours.reports[0]), ours.reports[0], their));
      }
      console.log(`\n${totals('one process', set.layers, chosen, theirs, all.seconds)}`);
      if (!values.two) return;
      const side = await sideBySide(chosen, (layer) => fitTheirs(folder, set, layer, theirOptions));
      const halves = side.map((training) => total(training) / 2);
      console.log(totals('two processes', set.layers, chosen, halves, all.seconds));
    });
  },
};

async function featureSet(folder: string, given?: string): Promise<FeatureSet> {
  const path = given ?? join(folder, 'synthetic.hdf5');
  if (!given) {
    const { rows, widths } = SYNTHETIC;
    const layers = widths.map((width) => correlatedFeatures(rows, width, width));
    await writeFeatures(path, { widths, count: rows }, (append) => append(layers));
  }
  const file = await openFeatures(path);
  const layers = featureLayers(file);
  file.close();
  return { path, samples: file.count, layers };
}

/** As `la-ood fit` does it: workers begun, features read and detectors written within the time. */
async function fitOurs(folder: string, { path, samples }: FeatureSet, layers: readonly FeatureLayer[]) {
  const parts = await mkdtemp(join(folder, 'ours-'));
  const { seconds, result } = await timed(() =>
    fitSvms({
      features: path,
      samples,
      layers,
      settings: options,
      parts,
      workers: availableParallelism(),
      memory: 2 ** 32,
    }),
  );
  const reports = await Promise.all(
    result.map(async (file) => {
      const [{ gamma, alpha, fit }] = detectorsOfModel(decodeModel(await readFile(file), file), file);
      return { ...fit!, seconds: fit!.seconds!, gamma, supportVectors: alpha.length };
    }),
  );
  return { seconds, reports };
}

async function fitTheirs(
  folder: string,
  set: FeatureSet,
  { index, width }: FeatureLayer,
  theirOptions: FitOptions,
): Promise<Training> {
  const path = join(folder, `${index}.bin`);
  const file = await openFeatures(set.path);
  await writeFile(path, file.readLayer(index));
  file.close();
  return python<Training>('../bench/detectors.py', path, String(width), JSON.stringify(theirOptions));
}

/** Two at a time, the widest first. */
async function sideBySide<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async () => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at]);
  };
  await Promise.all([lane(), lane()]);
  return results;
}

function choose(layers: readonly FeatureLayer[], wanted?: string): FeatureLayer[] {
  if (wanted === 'all') return [...layers];
  if (wanted)
    return wanted.split(',').map((number) => {
      const layer = layers[Number(number)];
      if (!layer) throw new UsageError('--layers', `there are layers 0 to ${layers.length - 1}`);
      return layer;
    });
  const widths = [...new Set(layers.map(({ width }) => width))].sort((a, b) => b - a);
  return widths.flatMap((width) => {
    const alike = layers.filter((layer) => layer.width === width);
    const taken = Math.min(alike.length, OF_EACH_WIDTH);
    // Spread over the depth of the network, neither its first nor its last of them.
    return Array.from({ length: taken }, (_, i) => alike[Math.floor(((i + 0.5) * alike.length) / taken)]);
  });
}

const HEAD = `seconds of a layer alone, reading not counted: ours on all cores; scikit-learn in one process = scaler, split and shifting + gammas + refit
layer  width      ours                       scikit-learn   ratio`;

function describe(
  layer: FeatureLayer,
  ours: number,
  report: FitReport & { gamma: number },
  theirs: Training,
) {
  const { shifting, grid, refit } = theirs.seconds;
  const parts = [shifting, grid, refit].map((seconds) => seconds.toFixed(2)).join(' + ');
  const same =
    theirs.gamma === report.gamma
      ? `same gamma ${report.gamma}`
      : `gamma ${report.gamma} (error ${report.error.toFixed(4)}), theirs ${theirs.gamma} (${theirs.error.toFixed(4)})`;
  return [
    String(layer.index).padStart(5),
    String(layer.width).padStart(5),
    ours.toFixed(2).padStart(8),
    `${total(theirs).toFixed(2)} = ${parts}`.padStart(32),
    (total(theirs) / ours).toFixed(1).padStart(6),
    same,
  ].join('  ');
}

/** The layers measured stand for all of their width. */
function totals(
  how: string,
  layers: readonly FeatureLayer[],
  chosen: readonly FeatureLayer[],
  theirs: readonly number[],
  ours: number,
): string {
  let sum = 0;
  for (const { width } of layers) {
    const alike = theirs.filter((_, i) => chosen[i].width === width);
    if (alike.length === 0)
      return `no layer ${width} wide was measured: nothing to say of all ${layers.length}`;
    sum += alike.reduce((a, b) => a + b, 0) / alike.length;
  }
  return `all ${layers.length} layers: ours ${ours.toFixed(1)} s; scikit-learn in ${how} ${sum.toFixed(0)} s, by the mean of each width; ratio ${(sum / ours).toFixed(1)}`;
}

/** What no solver can do without, at the rate that this machine reaches on it, against what was needed. */
async function limitText(
  { layers }: FeatureSet,
  reports: readonly (FitReport & { supportVectors: number })[],
  seconds: number,
): Promise<string> {
  const rates = new Map<number, number>();
  let least = 0;
  let values = 0;
  for (const [at, { width }] of layers.entries()) {
    if (!rates.has(width)) rates.set(width, await kernelRate(width));
    const needed = leastKernelValues(reports[at], options.validationShare);
    values += needed;
    least += needed / rates.get(width)!;
  }
  const cores = availableParallelism();
  return [
    `ours, all ${layers.length} layers on ${cores} cores: ${seconds.toFixed(1)} s`,
    `limit: ${(values / 1e9).toFixed(1)} thousand million kernel values, a column for each support vector once; ${(least / cores).toFixed(1)} s at the rate of this machine`,
  ].join('\n');
}

function total({ seconds }: Pick<Training, 'seconds'>): number {
  return seconds.shifting + seconds.grid + seconds.refit;
}
