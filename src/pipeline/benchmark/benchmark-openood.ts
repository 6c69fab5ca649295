import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../../common/errors.ts';
import { writeAtomically } from '../../common/files.ts';
import { packageRoot } from '../../common/package-root.ts';
import type { OnProgress } from '../../common/progress.ts';
import { chooseMethods } from '../../detectors/methods/method-registry.ts';
import { type MethodScores, type MethodTable, measureMethods } from '../../evaluation/method-table.ts';
import { openOodCsv, openOodMarkdown } from '../../evaluation/openood/openood-tables.ts';
import { type OpenOodName, openOodBenchmarks } from '../../evaluation/openood/protocol.ts';
import { parsePublished, publishedOf } from '../../evaluation/openood/published.ts';
import { type OpenOodSummary, summarizeOpenOod } from '../../evaluation/openood/summary.ts';
import type { Scores } from '../../evaluation/operating-points.ts';
import type { Normalization } from '../../graph/preprocessing.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { scoreRunMethods } from '../evaluation/score-run-methods.ts';
import { extractFeatures } from '../features/extract-features.ts';
import type { OnLeftOut } from '../open-images.ts';
import { RunFolder } from '../run-folder.ts';
import { adoptOpenOodCheckpoint, checkpointName } from './openood-checkpoint.ts';
import { findOpenOodSets, type MissingSet, type OpenOodSets } from './openood-sets.ts';

export interface OpenOodOptions {
  readonly ind: OpenOodName;
  /** OpenOOD's `data` folder: `benchmark_imglist`, `images_classic`, `images_largescale`. */
  readonly data: string;
  /** Checkpoints or ONNX classifiers of one architecture, that training runs differ in. */
  readonly checkpoints: readonly string[];
  /** Where results go, and a run folder for each checkpoint. */
  readonly folder: string;
  /** Names of methods, or `all`. */
  readonly methods?: readonly string[];
  /** Training images that methods by neighbours keep; all where absent. */
  readonly bank?: number;
  /** Adds the benchmark with the shifted sets among the InD images. */
  readonly fullSpectrum?: boolean;
  /** What the checkpoints were trained with, where it is not the protocol's. */
  readonly normalization?: Normalization;
  readonly device?: DeviceName;
  /** Images a run; the fastest number on this machine where absent. */
  readonly batch?: number;
  /** Bytes that running a network may take beyond its weights; 2 GiB where absent. */
  readonly memory?: number;
  readonly onProgress?: OnProgress;
  /** Is told of sets that are missing, and of files in sets that are not read. */
  readonly onLeftOut?: OnLeftOut;
}

/** A benchmark over all checkpoints. */
export interface OpenOodResult extends OpenOodSummary {
  /** `CIFAR-10`, or `CIFAR-10, full-spectrum`. */
  readonly title: string;
  /** The network of the published figures; absent where there are none. */
  readonly publishedNetwork?: string;
}

export interface OpenOodReport {
  readonly results: readonly OpenOodResult[];
  readonly checkpoints: readonly OpenOodCheckpoint[];
  readonly missing: readonly MissingSet[];
  /** What else keeps the figures from being comparable with the published ones, in a line each without a full stop. */
  readonly notes: readonly string[];
  /** The files written, relative to the folder. */
  readonly files: readonly string[];
}

export interface OpenOodCheckpoint {
  readonly source: string;
  /** Its run folder, below the benchmark's. */
  readonly run: string;
  /** Absent where the ONNX file does not say it. */
  readonly architecture?: string;
  /** Share of the InD test images that it gets right. */
  readonly accuracy?: number;
}

/**
 * The protocol of OpenOOD v1.5 (see `evaluation/openood/protocol.ts`) over several checkpoints, beside its published figures.
 * Work that was cut off goes on where it was: each checkpoint has a run folder of its own.
 *
 * @throws UsageError where there is no checkpoint, or one twice; DataError where InD images are missing; what importing, features
 * and methods throw
 *
 * @example
 * ```ts
 * import { benchmarkOpenOod } from 'la-ood/methods';
 *
 * const { results } = await benchmarkOpenOod({
 *   ind: 'cifar10',
 *   data: 'OpenOOD/data',
 *   checkpoints: ['s0/best.ckpt', 's1/best.ckpt', 's2/best.ckpt'],
 *   folder: 'runs/openood',
 * });
 * console.log(results.length);
 * ```
 */
export async function benchmarkOpenOod(options: OpenOodOptions): Promise<OpenOodReport> {
  const { ind, data, checkpoints, folder, methods = ['all'], fullSpectrum = false, onProgress } = options;
  const benchmark = openOodBenchmarks[ind];
  const chosen = chooseMethods(methods);
  const sets = await findOpenOodSets(data, benchmark, fullSpectrum);
  if (sets.missing.length > 0)
    options.onLeftOut?.(
      data,
      sets.missing.map(({ path, kind }) => ({ name: path, kind: `missing, ${kind}` })),
    );
  const names: string[] = [];
  for (const source of checkpoints) {
    const name = await checkpointName(source);
    if (names.includes(name)) throw new UsageError(source, 'is named twice', 'name each checkpoint once');
    names.push(name);
  }
  if (names.length === 0) throw new UsageError('checkpoints', 'there are none to benchmark');

  const runs: CheckpointRun[] = [];
  for (const [c, source] of checkpoints.entries()) {
    const tell: OnProgress = (progress) =>
      onProgress?.({ ...progress, task: `checkpoint ${c + 1}/${names.length}: ${progress.task}` });
    runs.push(
      await RunFolder.use(join(folder, names[c]), (run) =>
        runCheckpoint(run, source, sets, { ...options, methods, onProgress: tell }),
      ),
    );
  }

  const { architecture } = runs[0];
  const all = parsePublished(await readFile(PUBLISHED, 'utf8'));
  const missing = (kind: string) => sets.missing.some((set) => set.kind === kind);
  const result = (title: string, key: string, tables: readonly MethodTable[], isComplete: boolean) => {
    const published = publishedOf(all, key, architecture);
    const byTitle = chosen.flatMap(({ title, openood }) => {
      const theirs = openood && published.methods.get(openood);
      return theirs ? [[title, theirs] as const] : [];
    });
    const complete = { near: isComplete && !missing('near'), far: isComplete && !missing('far') };
    return {
      title,
      ...(published.architecture && { publishedNetwork: published.architecture }),
      ...summarizeOpenOod(tables, new Map(byTitle), complete),
    };
  };
  const results: OpenOodResult[] = [
    result(
      benchmark.title,
      ind,
      runs.map((run) => run.table),
      true,
    ),
  ];
  const shifted = runs.flatMap((run) => run.fullSpectrum ?? []);
  if (shifted.length > 0)
    results.push(
      result(`${benchmark.title}, full-spectrum`, `${ind}-full-spectrum`, shifted, !missing('shifted')),
    );
  const report = {
    results,
    checkpoints: runs.map(({ source, architecture, accuracy }, c) => ({
      ...{ source, run: names[c], ...(architecture && { architecture }) },
      ...(accuracy !== undefined && { accuracy }),
    })),
    missing: sets.missing,
    notes: [...new Set(runs.flatMap((run) => run.notes))],
  };
  const files = [
    [`openood-${ind}.json`, `${JSON.stringify(report, null, 2)}\n`],
    [`openood-${ind}.csv`, openOodCsv(results)],
    [`openood-${ind}.md`, openOodMarkdown(report)],
  ];
  for (const [file, text] of files) await writeAtomically(join(folder, file), text);
  return { ...report, files: files.map(([file]) => file) };
}

/** Facts of OpenOOD's leaderboards; its comments say from where. */
const PUBLISHED = new URL('src/evaluation/openood/published.csv', packageRoot);

interface CheckpointRun {
  readonly source: string;
  readonly architecture?: string;
  readonly accuracy?: number;
  readonly table: MethodTable;
  readonly fullSpectrum?: MethodTable;
  readonly notes: readonly string[];
}

async function runCheckpoint(
  run: RunFolder,
  source: string,
  { train, test, others }: OpenOodSets,
  options: OpenOodOptions & { readonly methods: readonly string[] },
): Promise<CheckpointRun> {
  const { ind, methods, bank, normalization, device, batch, memory, onProgress, onLeftOut } = options;
  const benchmark = openOodBenchmarks[ind];
  const { architecture, mean, std } = await adoptOpenOodCheckpoint(run, source, benchmark, normalization);
  const reading = { device, memory, onProgress, onLeftOut, ...(batch && { batch }) };
  // Changed images are a guard's.
  const features = await extractFeatures(run, { train, test, ood: others, corrupted: 0, ...reading });
  const file = (name: string) => run.file('features', `${name}_test.hdf5`);
  const fitting = { methods, device, memory, onProgress, ...(bank && { bank }) };
  const scored = await scoreRunMethods(
    run,
    file(test.name),
    others.map(({ name }) => file(name)),
    fitting,
  );

  const images = (name: string) => features.find(({ set }) => set === `${name}_test`)!.images;
  const indices = (isWanted: (kind: string) => boolean) =>
    [...others.keys()].filter((s) => isWanted(others[s].kind));
  const ood = indices((kind) => kind !== 'shifted');
  const shifted = indices((kind) => kind === 'shifted');
  const measured = ood.map((s) => ({
    name: others[s].name,
    kind: others[s].kind,
    images: images(others[s].name),
  }));
  const measure = (indScores: (method: MethodScores) => Scores) =>
    measureMethods(
      ind,
      measured,
      scored.methods.map((method) => ({
        ...method,
        ind: indScores(method),
        sets: ood.map((s) => method.sets[s]),
        isWrong: undefined,
      })),
      { onProgress },
    );
  const table = measure((method) => method.ind);
  const fullSpectrum =
    shifted.length > 0
      ? measure((method) => concatenated([method.ind, ...shifted.map((s) => method.sets[s])]))
      : undefined;
  const { preprocessing, test: listed, near, far } = benchmark;
  const sizes = [listed, ...near, ...far].flatMap(({ name, count }) => {
    const found = features.find(({ set }) => set === `${name}_test`)?.images;
    return found === undefined || count === undefined || found === count
      ? []
      : [
          `${name} has ${found.toLocaleString('en')} images, and ${count.toLocaleString('en')} in the protocol`,
        ];
  });
  const isNormalized = mean?.join() === preprocessing.mean.join() && std?.join() === preprocessing.std.join();
  return {
    ...{ source, architecture, table, fullSpectrum },
    accuracy: features.find(({ set }) => set === `${test.name}_test`)!.accuracy,
    notes: [
      ...sizes,
      ...(isNormalized
        ? []
        : [
            `${source} is normalised by mean ${mean?.join(' ')}, std ${std?.join(' ')}, not as in the protocol`,
          ]),
      ...scored.notes,
    ],
  };
}

function concatenated(parts: readonly Scores[]): Float64Array {
  return Float64Array.from(parts.flatMap((scores) => Array.from(scores)));
}
