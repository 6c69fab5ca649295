import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFeatures } from '../../converters/hdf5/features.ts';
import { UsageError } from '../../src/common/errors.ts';
import { defaultFitOptions, type FitOptions, LayerFitter } from '../../src/detectors/fit-layer.ts';
import { python } from '../parity/python.ts';
import { type Bench, type BenchValues, count, inTemporaryFolder, median, spread, timed } from './bench.ts';
import { correlatedFeatures } from './synthetic.ts';

/** How many layers of each width densenet100 has. */
const densenet100: ReadonlyMap<number, number> = new Map([
  [10, 1],
  [12, 48],
  [24, 1],
  [48, 48],
  [108, 1],
  [150, 1],
]);

/** Rows of the synthetic features. */
const SYNTHETIC_ROWS = 10_000;

/** Both follow the original's code, so that they have the same work to do. */
const options: FitOptions = { ...defaultFitOptions, compat: 'original' };

interface Layer {
  readonly name: string;
  readonly width: number;
  read(): Float32Array;
}

interface Training {
  readonly gamma: number;
  readonly error: number;
  readonly supportVectors: number;
  readonly seconds: { readonly shifting: number; readonly grid: number; readonly refit: number };
}

/** A layer's whole training: scaler, shifting, every γ with its predictions, refit. One thread on both sides. */
export const detectors: Bench = {
  about: "a layer's detector training on one thread beside scikit-learn in one process",
  options: {
    features: { about: 'a feature file; synthetic features where absent' },
    layers: { about: "numbers, separated by commas, or 'all'; one of each width where absent" },
    samples: { about: 'rows, spread evenly over the file; all, or 10,000 synthetic ones, where absent' },
    rounds: { about: 'rounds of each layer: ours, theirs, ours, theirs, …', default: '1' },
    ours: { about: 'leave scikit-learn out', flag: true },
  },
  async run(values) {
    const rounds = count(values, 'rounds');
    const layers = values.features ? await fileLayers(values.features, values) : syntheticLayers(values);
    const fitter = await LayerFitter.open();
    // The first layer would pay for compiling the code, as no other layer of a network does.
    await fitter.fit('warm-up', correlatedFeatures(1000, 12, 0), 12, options);

    console.log(`\n${HEAD}`);
    const measured: { width: number; ours: number; theirs: number }[] = [];
    for (const layer of layers) {
      const rows = layer.read();
      const ours: Training[] = [];
      const theirs: Training[] = [];
      for (let round = 0; round < rounds; round++) {
        ours.push(await trainOurs(fitter, rows, layer));
        if (!values.ours) theirs.push(await trainTheirs(rows, layer));
      }
      console.log(describe(layer, rows.length / layer.width, ours, theirs));
      measured.push({ width: layer.width, ours: middle(ours), theirs: middle(theirs) });
    }
    if (!values.ours) console.log(`\n${summary(measured)}`);
  },
};

async function trainOurs(fitter: LayerFitter, rows: Float32Array, { name, width }: Layer): Promise<Training> {
  const { seconds, result } = await timed(() => fitter.fit(name, rows, width, options));
  const { gamma, alpha, fit } = result;
  const { grid, refit } = fit.seconds;
  const phases = { shifting: seconds - grid - refit, grid, refit };
  return { gamma, error: fit.error, supportVectors: alpha.length, seconds: phases };
}

async function trainTheirs(rows: Float32Array, { width }: Layer): Promise<Training> {
  return inTemporaryFolder(async (folder) => {
    const path = join(folder, 'features.bin');
    await writeFile(path, rows);
    return python<Training>('../bench/detectors.py', path, String(width), JSON.stringify(options));
  });
}

async function fileLayers(path: string, values: BenchValues): Promise<Layer[]> {
  const file = await openFeatures(path);
  const { widths } = file;
  const samples = values.samples ? count(values, 'samples') : file.count;
  if (samples > file.count) throw new UsageError('--samples', `${path} has ${file.count} rows`);
  return chosen(widths, values.layers).map((index) => ({
    name: String(index),
    width: widths[index],
    read: () => spreadRows(file.readLayer(index), widths[index], samples),
  }));
}

function chosen(widths: readonly number[], wanted?: string): number[] {
  const all = widths.map((_, index) => index);
  if (wanted === 'all') return all;
  if (!wanted) return all.filter((index) => widths.indexOf(widths[index]) === index);
  const indices = wanted.split(',').map(Number);
  const unknown = indices.find((index) => !(index in widths));
  if (unknown !== undefined) throw new UsageError('--layers', `there are layers 0 to ${widths.length - 1}`);
  return indices;
}

/** The file's rows may be in the order of their classes. */
function spreadRows(rows: Float32Array, width: number, samples: number): Float32Array {
  const count = rows.length / width;
  if (samples === count) return rows;
  const taken = new Float32Array(samples * width);
  for (let i = 0; i < samples; i++) {
    const from = Math.floor((i * count) / samples) * width;
    taken.set(rows.subarray(from, from + width), i * width);
  }
  return taken;
}

function syntheticLayers(values: BenchValues): Layer[] {
  if (values.layers) throw new UsageError('--layers', 'synthetic features have none to choose');
  const samples = values.samples ? count(values, 'samples') : SYNTHETIC_ROWS;
  return [...densenet100.keys()].map((width) => ({
    name: 'synthetic',
    width,
    read: () => correlatedFeatures(samples, width, width),
  }));
}

const HEAD = `seconds of one thread: in all = scaler, split and shifting + seven gammas + refit
layer      width   rows  ours                                scikit-learn                        ratio`;

function describe({ name, width }: Layer, rows: number, ours: Training[], theirs: Training[]): string {
  const start = `${name.padEnd(9)}  ${String(width).padStart(5)}  ${String(rows).padStart(5)}`;
  const [{ gamma, supportVectors, error }] = ours;
  const found = `gamma ${gamma}, error ${error.toFixed(4)}, ${supportVectors} support vectors`;
  if (theirs.length === 0) return `${start}  ${secondsText(ours)}  ${found}`;
  const ratio = (middle(theirs) / middle(ours)).toFixed(1).padStart(5);
  const [other] = theirs;
  const same =
    other.gamma === gamma
      ? `same gamma ${gamma}`
      : `gamma ${gamma} (error ${error.toFixed(4)}), theirs ${other.gamma} (error ${other.error.toFixed(4)})`;
  return `${start}  ${secondsText(ours)}  ${secondsText(theirs)}  ${ratio}  ${same}`;
}

function secondsText(trainings: readonly Training[]): string {
  const part = (phase: keyof Training['seconds']) =>
    median(trainings.map(({ seconds }) => seconds[phase])).toFixed(2);
  return `${spread(trainings.map(total), 2)} = ${part('shifting')} + ${part('grid')} + ${part('refit')}`.padEnd(
    34,
  );
}

/** Every width measured stands for all layers of densenet100 that have it. */
function summary(measured: readonly { width: number; ours: number; theirs: number }[]): string {
  const sums = { layers: 0, ours: 0, theirs: 0 };
  for (const [width, layers] of densenet100) {
    const alike = measured.filter((layer) => layer.width === width);
    if (alike.length === 0) continue;
    sums.layers += layers;
    for (const side of ['ours', 'theirs'] as const)
      sums[side] += (layers * alike.reduce((sum, layer) => sum + layer[side], 0)) / alike.length;
  }
  const { layers, ours, theirs } = sums;
  if (layers === 0) return 'no width of densenet100 is among them';
  return `weighted by densenet100's layers of each width (${layers} of its 100): ours ${ours.toFixed(1)} s, scikit-learn ${theirs.toFixed(1)} s, ratio ${(theirs / ours).toFixed(1)}`;
}

function total({ seconds }: Training): number {
  return seconds.shifting + seconds.grid + seconds.refit;
}

function middle(trainings: readonly Training[]): number {
  return trainings.length ? median(trainings.map(total)) : Number.NaN;
}
