import { basename } from 'node:path';
import {
  type FoundPreprocessing,
  findPreprocessing,
} from '../../../converters/huggingface/find-preprocessing.ts';
import { modelFile } from '../../../converters/huggingface/model-file.ts';
import type { Geometry } from '../../../data/image-set.ts';
import { type BackboneMetadata, backboneMetadata, encodeBackboneMetadata } from '../../../models/metadata.ts';
import { advice, GraphError, option } from '../../common/errors.ts';
import { isSameFile, sha256File } from '../../common/files.ts';
import { type OnProgress, stepwise } from '../../common/progress.ts';
import { chooseTaps, defaultTaps } from '../../graph/classifier/choose-taps.ts';
import { type Classifier, LOGITS } from '../../graph/classifier/classifier.ts';
import type { Preprocessing } from '../../graph/preprocessing.ts';
import { readModel } from '../../graph/read.ts';
import { setMetadata } from '../../graph/rewrite.ts';
import { writeModel } from '../../graph/write.ts';
import { preprocessingOf, resizingOf } from '../features/feature-graph.ts';
import { type ClassNames, findClassNames } from './find-class-names.ts';
import { type NormalizeOptions, normalizeClassifier } from './normalize-classifier.ts';
import { type ResizingOptions, saysResizing, withResizing } from './resizing.ts';
import { verifyBackbone } from './verify-backbone.ts';

/** What a classifier's file does not say, or says otherwise; what is absent is found. */
export interface ImportClassifierOptions extends NormalizeOptions, ResizingOptions {
  /** Names of values or nodes, patterns, or `all`; at most 30 over the depth where absent. */
  readonly taps?: readonly string[];
  /** A file of the names of the classes (see `findClassNames`). */
  readonly classes?: string;
  readonly preprocessing?: Preprocessing;
  readonly onProgress?: OnProgress;
}

const steps = [
  'reading it',
  'looking for its logits, and for values to watch',
  'writing it, and running it beside the original',
];

export interface ImportedClassifier {
  readonly classifier: Classifier;
  /** The logits are the last. */
  readonly taps: readonly string[];
  readonly detectorTaps: readonly string[];
  /** Absent where the classifier takes bytes. */
  readonly preprocessing?: Preprocessing;
  /** The images that it takes, and how others are brought to their size. */
  readonly geometry: Geometry;
  /** The file that says so, where one was found; `as given`, or `its metadata`. */
  readonly origin: string;
  /** The names of the classes, where something says them. */
  readonly classNames?: ClassNames;
  /** What a person would not expect of it, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * Makes a backbone of an ONNX classifier, whoever exported it: finds its logits, its taps and its preprocessing, writes
 * them into its metadata, and runs what it wrote beside the original before it gets its name.
 *
 * Preprocessing is what is given; else what the model's metadata say; else what `findPreprocessing` finds beside it.
 *
 * @param path the model, or a folder that has it (see `modelFile`)
 * @throws GraphError where it is no classifier, nothing says its preprocessing, or the backbone does not do what the
 * original does; DataError where the file that says its preprocessing cannot be followed
 *
 * @example
 * ```ts
 * import { importClassifier } from 'la-ood/guard';
 *
 * await importClassifier('mobilenet.onnx', 'runs/mobilenet/backbone.onnx', {
 *   preprocessing: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
 * });
 * ```
 */
export async function importClassifier(
  path: string,
  target: string,
  options: ImportClassifierOptions = {},
): Promise<ImportedClassifier> {
  const source = await modelFile(path);
  if (await isSameFile(source, target))
    throw new GraphError(source, 'would be written over by its own import', 'name another output');
  const next = stepwise(`import ${basename(source)}`, steps, options.onProgress);
  next();
  const original = await readModel(source);
  const own = backboneMetadata(original, source);
  const isSaid = options.preprocessing !== undefined || own.mean !== undefined;
  const found = isSaid ? undefined : await findPreprocessing(source);
  const size = options.size ?? found?.geometry;
  next();
  const normalized = await normalizeClassifier(original, source, { ...options, size });
  const { model, classifier, candidates } = normalized;
  const { preprocessing, origin } = choosePreprocessing(source, classifier, options, own, found);
  const geometry = chooseGeometry(source, classifier, options, own, found);
  const chosen = options.taps && chooseTaps(candidates, options.taps, source);
  const detectorTaps = chosen ?? own.detectorTaps ?? defaultTaps(candidates);
  const taps = [...new Set([...(chosen ?? own.taps ?? detectorTaps), LOGITS])];

  const { height: _, width: __, ...resizing } = geometry;
  const { classes: classCount } = classifier;
  const named = await findClassNames(source, original, classCount, options.classes);
  const said = {
    ...{ classCount, classNames: named?.names, taps, detectorTaps, ...preprocessing, ...resizing },
    ...(normalized.original.isMultiLabel && { isMultiLabel: true }),
  };
  const backbone = setMetadata(model, {
    ...encodeBackboneMetadata(said),
    'la_ood.source': basename(source),
    'la_ood.source_sha256': await sha256File(source),
    'la_ood.preprocessing': origin,
  });
  const notes = [...normalized.notes];
  next();
  await writeModel(target, backbone, {
    check: async (written) => {
      const compared = { original, classifier: normalized.original, preprocessing };
      notes.push(...(await verifyBackbone(await readModel(written), source, compared)));
    },
  });
  next();
  return {
    ...{ classifier, taps, detectorTaps, preprocessing, geometry, origin, notes },
    ...(named && { classNames: named }),
  };
}

function choosePreprocessing(
  where: string,
  { dtype }: Classifier,
  { preprocessing: given }: ImportClassifierOptions,
  own: Partial<BackboneMetadata>,
  found: FoundPreprocessing | undefined,
): { preprocessing?: Preprocessing; origin: string } {
  const origin = found?.source ? basename(found.source) : 'as given';
  if (dtype === 'uint8') {
    if (given)
      throw new GraphError(
        where,
        'takes bytes, which it normalises itself',
        advice`leave out ${option('mean')}, ${option('std')} and ${option('scale')}`,
      );
    return { origin };
  }
  if (given) return { preprocessing: given, origin };
  const said = preprocessingOf(own);
  if (said) return { preprocessing: said, origin: 'its metadata' };
  if (!found)
    throw new GraphError(
      where,
      'nothing says how its images are normalised, neither its metadata nor a preprocessor_config.json beside it',
      advice`give ${option('mean')} and ${option('std')} as in its training (of 0 to 1), or ${option('scale')} alone; with ${option('resize')} and ${option('filter')} where images are larger`,
    );
  const { mean, std, scale, channelOrder } = found;
  return { preprocessing: { mean, std, scale, channelOrder }, origin };
}

function chooseGeometry(
  where: string,
  classifier: Classifier,
  options: ImportClassifierOptions,
  own: Partial<BackboneMetadata>,
  found: FoundPreprocessing | undefined,
): Geometry {
  const { height, width } = classifier as Geometry;
  const { size } = options;
  const wrong = (wanted: { height: number; width: number }) =>
    wanted.height !== height || wanted.width !== width;
  if (size && wrong(size))
    throw new GraphError(where, `takes images of ${height}×${width}, and not ${size.height}×${size.width}`);
  const geometry = found?.geometry;
  const isGiven = saysResizing(options);
  const chosen = isGiven || !geometry ? { height, width, ...resizingOf(own) } : geometry;
  if (!isGiven && geometry && wrong(geometry))
    throw new GraphError(
      where,
      `takes images of ${height}×${width}, and ${found.source} is for ${geometry.height}×${geometry.width}`,
      advice`say how images are resized: ${option('filter')}, and ${option('resize')} where the middle is cut out`,
    );
  return withResizing(where, chosen, options);
}
