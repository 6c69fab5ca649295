import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../../src/common/errors.ts';
import { writeAtomically } from '../../src/common/files.ts';
import { RandomState } from '../../src/common/random.ts';
import { readModel } from '../../src/graph/read.ts';
import { featureGraph } from '../../src/pipeline/features/feature-graph.ts';
import { readManifest } from '../../src/pipeline/run-folder.ts';
import { SessionPool } from '../../src/runtime/session-pool.ts';
import { python } from '../parity/python.ts';
import { type Bench, type BenchValues, count, inTemporaryFolder, timed } from './bench.ts';
import { markdown } from './markdown.ts';

const program = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

/** Peak memory is asked for this often, in milliseconds: it is the system's own mark, which only grows. */
const INTERVAL = 50;

/** What is measured of each classifier, in this order; commands are processes of their own. */
const steps = ['fit', 'guard', 'score', 'features'] as const;
type StepName = (typeof steps)[number];

/** Images that features are measured on, after a run that is not counted. */
const MEASURED = 64;

/** What is known of a classifier so far. */
type Figures = Partial<Record<'fit' | 'guard' | 'score', Finished> & { features: Features }>;

interface Finished {
  readonly seconds: number;
  /** Bytes. */
  readonly peak: number;
}

interface Features {
  /** Images a second, on both sides, and the batch that ours runs. */
  readonly ours: number;
  readonly theirs: number;
  readonly batch: number;
  readonly taps: number;
  readonly pooledByTheirs: number;
}

/** Classifiers of 224 pixels and more through fit, guard and score, with no option but preprocessing. */
export const real: Bench = {
  about: 'real classifiers: seconds and peak memory of fit, guard and score; features beside PyTorch eager',
  python: true,
  options: {
    photos: { about: 'a folder of images, drawn from by their names: see --train, --test, --images' },
    train: { about: 'images to fit on', default: '300' },
    test: { about: 'images to calibrate on', default: '100' },
    images: { about: 'images that are scored', default: '1000' },
    only: { about: 'some of the classifiers, separated by commas' },
    steps: { about: 'some of the steps, separated by commas', default: steps.join(',') },
    folder: {
      about: 'where classifiers, runs and figures are kept, to measure in pieces; none are kept by default',
    },
  },
  async run(values) {
    const { photos, folder } = values;
    if (!photos) throw new UsageError('--photos', 'is missing', 'name a folder of images');
    if (!folder) return inTemporaryFolder((temporary) => measureAll(temporary, photos, values));
    await mkdir(folder, { recursive: true });
    await measureAll(resolve(folder), photos, values);
  },
};

async function measureAll(folder: string, photos: string, values: BenchValues): Promise<void> {
  const sets = await drawSets(folder, photos, values);
  const known = await python<string[]>('../bench/real.py', 'files', folder);
  const lite = process.env.LA_OOD_REFERENCE && join(process.env.LA_OOD_REFERENCE, 'models', `${LITE}.onnx`);
  if (lite && existsSync(lite)) {
    await copyFile(lite, join(folder, `${LITE}.onnx`));
    known.unshift(LITE);
  }
  const names = values.only?.split(',') ?? known;
  const wanted = values.steps!.split(',') as StepName[];
  const file = join(folder, 'figures.json');
  const figures: Record<string, Figures> = existsSync(file) ? JSON.parse(await readFile(file, 'utf8')) : {};
  for (const name of names)
    for (const step of steps.filter((step) => wanted.includes(step))) {
      const own = { ...figures[name], [step]: await measure(step, name, folder, sets) };
      figures[name] = own;
      await writeAtomically(file, JSON.stringify(figures, null, 2));
      console.log(name, step, JSON.stringify(own[step]));
    }
  const measured = known.filter((name) => figures[name]);
  console.log(table(measured.map((name) => row(name, join(folder, `${name}.onnx`), figures[name]))));
}

const LITE = 'efficientnet-lite0';

interface Sets {
  readonly train: string;
  readonly test: string;
  readonly scored: string;
}

/** Three folders of links to different photos, the first by their names. */
async function drawSets(folder: string, photos: string, values: BenchValues): Promise<Sets> {
  const all = (await readdir(photos)).sort();
  const sets = { train: join(folder, 'train'), test: join(folder, 'test'), scored: join(folder, 'scored') };
  const counts = {
    train: count(values, 'train'),
    test: count(values, 'test'),
    scored: count(values, 'images'),
  };
  let start = 0;
  for (const [name, own] of Object.entries(sets) as [keyof Sets, string][]) {
    const drawn = all.slice(start, start + counts[name]);
    if (drawn.length < counts[name])
      throw new UsageError(photos, `has ${all.length} images, which are too few`);
    start += drawn.length;
    await rm(own, { recursive: true, force: true });
    await mkdir(own);
    for (const photo of drawn) await symlink(resolve(photos, photo), join(own, photo));
  }
  return sets;
}

async function measure(
  step: StepName,
  name: string,
  folder: string,
  { train, test, scored }: Sets,
): Promise<Finished | Features> {
  const model = join(folder, `${name}.onnx`);
  const run = join(folder, name);
  switch (step) {
    case 'fit':
      await rm(run, { recursive: true, force: true });
      return finished([
        ...['fit', model, '--run', run, '--train', train, '--test', test, '--preprocess', 'imagenet'],
      ]);
    case 'guard':
      return finished(['guard', '--run', run]);
    case 'score':
      return finished(['score', join(run, 'guarded.onnx'), scored, '--output', join(run, 'scores.csv')]);
    case 'features':
      return features(model, run);
  }
}

/** Runs a command; its seconds, and the most memory that it had at once. */
async function finished(args: readonly string[]): Promise<Finished> {
  const start = performance.now();
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  let peak = 0;
  const watch = setInterval(() => {
    try {
      const [, kib] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
      peak = Math.max(peak, 1024 * Number(kib ?? 0));
    } catch {
      // It has ended.
    }
  }, INTERVAL);
  const [code] = await once(child, 'close');
  clearInterval(watch);
  if (code !== 0) throw new UsageError(`la-ood ${args.join(' ')}`, `exited with ${code}`);
  return { seconds: (performance.now() - start) / 1000, peak };
}

/** Pooled features of pixels in memory, on all cores: ours by the run's own batch, and PyTorch's with the same taps. */
async function features(model: string, run: string): Promise<Features> {
  const path = join(run, 'backbone.onnx');
  const graph = featureGraph(await readModel(path), path);
  const { taps } = graph;
  const { steps } = await readManifest(run);
  const batch = Number(steps['batch size'].results.batch);
  const { height, width } = graph.size;
  const random = new RandomState(0);
  const data = Uint8Array.from({ length: batch * height * width * 3 }, () => random.integer(255));
  const pixels = { dtype: 'uint8', shape: [batch, height, width, 3], data } as const;
  const pool = await SessionPool.open(graph.model, 'cpu');
  try {
    const runs = Math.ceil(MEASURED / batch / pool.size) * pool.size;
    const all = (times: number) =>
      Promise.all(Array.from({ length: times }, () => pool.run({ pixels }, taps)));
    await all(pool.size);
    const { seconds } = await timed(() => all(runs));
    await pool.close();
    const task = [model, String(MEASURED), String(availableParallelism()), ...taps];
    const theirs = await python<{ rate: number; pooled: number }>('../bench/real.py', 'eager', ...task);
    return {
      ...{ ours: (runs * batch) / seconds, theirs: theirs.rate },
      ...{ batch, taps: taps.length, pooledByTheirs: theirs.pooled },
    };
  } finally {
    await pool.close();
  }
}

function row(name: string, file: string, { fit, guard, score, features }: Figures): string[] {
  const command = (of: Finished | undefined) =>
    of ? [of.seconds.toFixed(0), (of.peak / 2 ** 20).toFixed(0)] : ['', ''];
  const weights = (statSync(file).size / 2 ** 20).toFixed(0);
  const rates = features
    ? [
        ...[features.ours.toFixed(1), features.theirs.toFixed(1)],
        ...[(features.ours / features.theirs).toFixed(2), `${features.taps}, ${features.pooledByTheirs}`],
      ]
    : ['', '', '', ''];
  return [basename(name), weights, ...[fit, guard, score].flatMap(command), ...rates];
}

function table(rows: readonly (readonly string[])[]): string {
  const head = [
    ...[
      'classifier',
      'weights, MiB',
      'fit, s',
      'peak, MiB',
      'guard, s',
      'peak, MiB',
      'score, s',
      'peak, MiB',
    ],
    ...['features, images/s', 'PyTorch eager', 'ratio', 'pooled values'],
  ];
  return markdown(head, rows);
}
