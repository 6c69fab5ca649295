import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openFeatures } from '../../../converters/hdf5/open-features.ts';
import { modelFile } from '../../../converters/huggingface/model-file.ts';
import { readCheckpoint } from '../../../converters/pytorch/read-checkpoint.ts';
import { checkUsable } from '../../../converters/pytorch/usable.ts';
import { generatedNames } from '../../../data/generated/generated-set.ts';
import { isImageFile } from '../../../data/open-file.ts';
import { type Advice, CheckpointError, DataError, RunError, UsageError } from '../../common/errors.ts';
import { sha256Files } from '../../common/files.ts';
import type { OnProgress } from '../../common/progress.ts';
import { findNetwork } from '../classifier/find-network.ts';
import { countParameters } from '../classifier/import-checkpoint.ts';
import type { NormalizeOptions } from '../classifier/normalize-classifier.ts';
import { type FeatureLayer, featureLayers } from '../features/feature-files.ts';
import { readManifest, type StepRecord } from '../run-folder.ts';
import { type FileFacts, factsOf, fileKind } from './file-kind.ts';
import { type ImagesInspection, type InspectImagesOptions, inspectImages } from './inspect-images.ts';
import { type DetectorsInspection, inspectModel, type ModelInspection } from './inspect-model.ts';
import { withinFile } from './within-file.ts';

export type { ImagesInspection, InspectImagesOptions } from './inspect-images.ts';
export type { DetectorsInspection, ModelInspection } from './inspect-model.ts';

/** A PyTorch checkpoint. */
export interface CheckpointInspection extends FileFacts {
  readonly kind: 'checkpoint';
  readonly format: 'zip' | 'legacy' | 'safetensors';
  /** The keys that lead to the weights, and what all their keys began with. */
  readonly wrapper?: string;
  readonly prefix?: string;
  /** Numbers and texts beside the weights: `epoch`. Large integers are texts. */
  readonly extras: Readonly<Record<string, string | number | boolean>>;
  readonly notes: readonly string[];
  /** Every place that holds weights, as `--wrapper` names it. */
  readonly sets: readonly string[];
  readonly architecture?: { readonly name: string; readonly classes: number };
  /** What would be taken from the network's family. */
  readonly assumptions: readonly string[];
  /** Why it could not be imported as it is. */
  readonly problems: readonly Advice[];
  readonly parameters: number;
  readonly tensors: readonly {
    readonly key: string;
    readonly dtype: string;
    readonly shape: readonly number[];
  }[];
}

/** An HDF5 file of pooled features. */
export interface FeaturesInspection extends FileFacts {
  readonly kind: 'features';
  readonly images: number;
  readonly layers: readonly FeatureLayer[];
  readonly attributes: Readonly<Record<string, string | number>>;
}

/** A run folder. */
export interface RunInspection {
  readonly kind: 'run';
  readonly path: string;
  /** The program that made it. */
  readonly program: string;
  readonly steps: readonly InspectedStep[];
}

export interface InspectedStep extends StepRecord {
  readonly name: string;
  readonly files: readonly InspectedOutput[];
}

/** A file that a step wrote, and whether it still is as that step left it. */
export interface InspectedOutput {
  readonly file: string;
  readonly sha256: string;
  readonly state: 'intact' | 'changed' | 'missing';
}

export type Inspection =
  | CheckpointInspection
  | ModelInspection
  | DetectorsInspection
  | FeaturesInspection
  | ImagesInspection
  | RunInspection;

/** What is said of images is for sets of images alone. */
export interface InspectOptions extends InspectImagesOptions, NormalizeOptions {
  readonly onProgress?: OnProgress;
}

/**
 * Says what is in a checkpoint, an ONNX model, a file of detectors or of features, a run folder, or a set of images
 * (whatever `openImageSet` takes), by its content and not by its name. Nothing in it is executed, but for an ONNX
 * graph where the shapes in it cannot be inferred, and nothing but a contact sheet is written.
 *
 * @throws the error of the reader of that format, where it is damaged; DataError where it is of no known format;
 *   UsageError where a contact sheet is wanted of something else than images
 *
 * @example
 * ```ts
 * import { inspectFile } from 'la-ood/checkpoints';
 *
 * console.log(await inspectFile('resnet50-0676ba61.pth'));
 * ```
 */
export async function inspectFile(path: string, options: InspectOptions = {}): Promise<Inspection> {
  const model = (await hasManifest(path)) ? path : await modelFile(path);
  if (model !== path) return inspectFile(model, options);
  if (await holdsImages(path)) return inspectImages(path, options);
  const kind = await fileKind(path);
  if (options.sheet !== undefined)
    throw new UsageError(path, 'is no set of images, of which there could be a sheet');
  switch (kind) {
    case 'folder':
      return inspectRun(path, options.onProgress);
    case 'onnx':
      return inspectModel(path, await factsOf(path), options);
    case 'hdf5':
      return inspectFeatures(path);
    case 'checkpoint':
      return inspectCheckpoint(path);
    default:
      throw new DataError(path, `is a ${kind.toUpperCase()} file`, 'any editor shows what is in it');
  }
}

async function holdsImages(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return path.includes(':') || generatedNames.includes(path);
  return found.isDirectory() ? !(await hasManifest(path)) : isImageFile(path);
}

async function hasManifest(folder: string): Promise<boolean> {
  return stat(join(folder, 'manifest.json')).then(
    () => true,
    () => false,
  );
}

async function inspectCheckpoint(path: string): Promise<CheckpointInspection> {
  const checkpoint = await readCheckpoint(path, { allowUnusable: true });
  const { stateDict, format, wrapper, prefix, extras, sets, notes } = checkpoint;
  const problems: Advice[] = [];
  const attempt = async <T>(work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof CheckpointError) && !(error instanceof DataError)) throw error;
      problems.push(withinFile(error, path));
      return undefined;
    }
  };
  const network = await attempt(() => findNetwork(path, checkpoint));
  await attempt(() => checkUsable(stateDict, path));
  return {
    kind: 'checkpoint',
    ...(await factsOf(path)),
    ...{ format, wrapper, prefix, sets },
    extras: Object.fromEntries(
      [...extras].map(([key, value]) => [key, typeof value === 'bigint' ? String(value) : value]),
    ),
    notes: [...notes, ...(network?.notes ?? [])],
    architecture: network && { name: network.id, classes: network.reading.classes },
    assumptions: network?.reading.assumptions ?? [],
    problems,
    parameters: countParameters(network?.weights ?? stateDict),
    tensors: Array.from(stateDict, ([key, { dtype, shape }]) => ({ key, dtype, shape })),
  };
}

async function inspectFeatures(path: string): Promise<FeaturesInspection> {
  const features = await openFeatures(path);
  try {
    const { count, attributes } = features;
    const layers = featureLayers(features);
    return { kind: 'features', ...(await factsOf(path)), images: count, layers, attributes };
  } finally {
    features.close();
  }
}

async function inspectRun(path: string, onProgress?: OnProgress): Promise<RunInspection> {
  const manifest = await readManifest(path);
  if (Object.keys(manifest.steps).length === 0)
    throw new RunError(
      path,
      'is a folder in which no step of la-ood was finished',
      'name a run folder or a file',
    );
  const written = Object.values(manifest.steps).flatMap(({ outputs }) => Object.keys(outputs));
  const hashes = await sha256Files(
    written.map((file) => join(path, file)),
    onProgress,
  );
  const found = new Map(written.map((file, f) => [file, hashes[f]]));
  const steps = Object.entries(manifest.steps).map(([name, step]): InspectedStep => {
    const files = Object.entries(step.outputs).map(([file, sha256]): InspectedOutput => {
      const now = found.get(file);
      return { file, sha256, state: now === undefined ? 'missing' : now === sha256 ? 'intact' : 'changed' };
    });
    return { name, ...step, files };
  });
  return { kind: 'run', path, program: manifest.program, steps };
}
