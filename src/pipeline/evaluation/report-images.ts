import { openFeatures } from '../../../converters/hdf5/open-features.ts';
import type { Geometry } from '../../../data/image-set.ts';
import { DataError, LaOodError, RunError } from '../../common/errors.ts';
import type { Gallery, GalleryImage } from '../../evaluation/report/report-content.ts';
import { maximumOverLayers, type ScoredSet } from '../../evaluation/scored-set.ts';
import { featureLayers } from '../features/feature-files.ts';
import { openRecorded, recordedSet } from '../features/recorded-set.ts';
import type { RunFolder } from '../run-folder.ts';

/** Images of each end of the scores. */
const SHOWN = 8;

/** Pictures of larger images are made this high and wide. */
const LARGEST = 96;

/**
 * The images of a set that LA-OOD scores lowest and highest, as the classifier sees them. Where the set cannot be opened
 * any more, or is not what it was, they come without pictures, and the gallery says why.
 *
 * @param file the features of the set
 * @param size what the classifier takes; absent where the run has no classifier
 * @param classes the classifier's, where they are known
 */
export async function galleryOf(
  run: RunFolder,
  file: string,
  scores: ScoredSet,
  size: Geometry | undefined,
  classes?: readonly string[],
): Promise<Gallery> {
  const { name: set, count } = scores;
  const maximum = maximumOverLayers(scores).scores;
  const order = Array.from(maximum.keys()).sort((a, b) => maximum[a] - maximum[b] || a - b);
  const lowest = order.slice(0, SHOWN);
  const highest = order.slice(Math.max(SHOWN, order.length - SHOWN)).reverse();
  const shown = [...lowest, ...highest];
  const predictions = await predictionsOf(file, shown, scores, classes);
  const pictures = await picturesOf(run, file, shown, count, size).catch((error) => {
    if (error instanceof LaOodError) return error;
    throw error;
  });
  const describe = (index: number): GalleryImage => ({
    index,
    profile: Float32Array.from(scores.layers, (layer) => layer[index]),
    ...predictions.get(index),
    ...(pictures instanceof LaOodError ? {} : pictures.get(index)),
  });
  return {
    ...{ set, count, lowest: lowest.map(describe), highest: highest.map(describe) },
    ...(pictures instanceof LaOodError && { missing: `${pictures.where}: ${pictures.problem}` }),
  };
}

/** @throws DataError where the set cannot be opened, or is not what it was */
async function picturesOf(
  run: RunFolder,
  file: string,
  indices: readonly number[],
  count: number,
  size: Geometry | undefined,
): Promise<Map<number, Pick<GalleryImage, 'name' | 'picture' | 'actual'>>> {
  const recorded = recordedSet(run, file);
  if (!size) throw new RunError(run.file('backbone.onnx'), 'is missing, and says how large images are');
  const images = await openRecorded(recorded);
  if (images.length !== count || (await images.fingerprint()) !== recorded.fingerprint)
    throw new DataError(recorded.source, 'is not what it was when its features were computed');
  const pictures = indices.map(async (index) => {
    const pixels = await images.read(index, 1, size);
    const { width, height } = size;
    const label = images.label(index);
    const { default: sharp } = await import('sharp');
    const picture = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .resize({ width: LARGEST, height: LARGEST, fit: 'inside', withoutEnlargement: true })
      .webp({ quality: 90, smartSubsample: true })
      .toBuffer();
    const words = {
      name: images.imageName(index),
      actual: label === undefined ? undefined : images.classes?.[label],
    };
    return [index, { ...words, picture: `data:image/webp;base64,${picture.toString('base64')}` }] as const;
  });
  return new Map(await Promise.all(pictures));
}

/** What the classifier takes images for, where the features have its logits. */
async function predictionsOf(
  file: string,
  indices: readonly number[],
  { baselines }: ScoredSet,
  classes?: readonly string[],
): Promise<Map<number, Pick<GalleryImage, 'predicted' | 'confidence'>>> {
  const features = await openFeatures(file);
  try {
    const layer = featureLayers(features).find(({ tap }) => tap === features.attributes.logits);
    if (!layer) return new Map();
    return new Map(
      indices.map((index) => {
        const logits = features.readLayerRows(layer.index, index, 1);
        const label = logits.indexOf(Math.max(...logits));
        return [
          index,
          {
            predicted: classes?.[label] ?? `class ${label}`,
            ...(baselines?.MSP && { confidence: 1 - baselines.MSP[index] }),
          },
        ];
      }),
    );
  } finally {
    features.close();
  }
}
