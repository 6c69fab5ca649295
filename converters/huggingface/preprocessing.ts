import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import type { Geometry } from '../../data/image-set.ts';
import type { FilterName } from '../../data/resampling/filters.ts';
import { DataError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import type { Preprocessing } from '../../src/graph/preprocessing.ts';

/** How images become a network's input, as a file beside the network says it. */
export interface FoundPreprocessing extends Preprocessing {
  /** The file that says it. */
  readonly source: string;
  /** Absent where the file leaves the size of images open. */
  readonly geometry?: Geometry;
}

/** Larger files are no configurations. */
const LARGEST = 1e6;

const byHand = 'say it yourself: --mean, --std, --scale, --resize, --filter';

/**
 * Looks for how images are to be prepared, beside a model: in `preprocessor_config.json` of Hugging Face's
 * transformers, or the `pretrained_cfg` of timm's `config.json`. Models exported by Optimum lie in a folder `onnx`
 * within the one that has these files.
 *
 * @throws DataError where a file is damaged, or asks for what cannot be done here
 */
export async function findPreprocessing(model: string): Promise<FoundPreprocessing | undefined> {
  const beside = dirname(model);
  const folders = basename(beside) === 'onnx' ? [beside, dirname(beside)] : [beside];
  for (const folder of folders) {
    const processor = join(folder, 'preprocessor_config.json');
    const config = await readJson(processor);
    if (config !== undefined) return transformersPreprocessing(config, processor);
    const timm = join(folder, 'config.json');
    const found = timmConfig.safeParse(await readJson(timm));
    if (found.success) return timmPreprocessing(found.data.pretrained_cfg, timm);
  }
  return undefined;
}

/** The contents of a JSON file; undefined where there is none.
 *
 * @throws DataError where it is damaged
 */
export async function readJson(path: string): Promise<unknown> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  if (found.size > LARGEST) throw new DataError(path, `has ${found.size} bytes, which no configuration has`);
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new DataError(path, `is no JSON: ${(error as Error).message}`, byHand);
  }
}

const side = z.int().positive().max(65_536);
const channels = z.array(z.number()).length(3);
const deviations = z.array(z.number().positive()).length(3);

const sizeSchema = z.union([
  side,
  z.object({ height: side, width: side }),
  z.object({ shortest_edge: side }),
]);

/** transformers, `image_processing_*.py`: the keys that its processors of classifiers share. */
const processorSchema = z.object({
  image_processor_type: z.string().optional(),
  feature_extractor_type: z.string().optional(),
  do_resize: z.boolean().default(true),
  size: sizeSchema.optional(),
  crop_pct: z.number().positive().max(1).nullish(),
  resample: z.int().default(2),
  do_center_crop: z.boolean().default(false),
  crop_size: sizeSchema.optional(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z
    .number()
    .positive()
    .default(1 / 255),
  do_normalize: z.boolean().default(true),
  image_mean: channels.optional(),
  image_std: deviations.optional(),
});

/** Pillow's numbers of filters. */
const pillowFilters: Readonly<Record<number, FilterName>> = {
  1: 'lanczos',
  2: 'bilinear',
  3: 'bicubic',
  4: 'box',
};

/** Processors that stretch to a square where `size` is one number; the others resize the shorter side. */
const squaring = /^(ViT|DeiT|Beit|BEiT|Swin|MobileViT|Segformer|PoolFormer)/;

function transformersPreprocessing(json: unknown, path: string): FoundPreprocessing {
  const config = parsed(processorSchema, json, path);
  const { do_normalize, image_mean, image_std, do_rescale, rescale_factor, resample } = config;
  if (do_normalize && (!image_mean || !image_std))
    throw new DataError(path, 'normalises, and does not say with which image_mean and image_std', byHand);
  const filter = pillowFilters[resample];
  if (config.do_resize && !filter)
    throw new DataError(path, `resample ${resample} is a filter that is not offered here`, byHand);
  return {
    source: path,
    mean: do_normalize ? image_mean! : [0, 0, 0],
    std: do_normalize ? image_std! : [1, 1, 1],
    scale: do_rescale ? rescale_factor : 1,
    ...(config.do_resize &&
      config.size !== undefined && { geometry: processorGeometry(config, filter, path) }),
  };
}

function processorGeometry(
  config: z.infer<typeof processorSchema>,
  filter: FilterName,
  path: string,
): Geometry {
  const name = config.image_processor_type ?? config.feature_extractor_type ?? '';
  const size = config.size!;
  const number = typeof size === 'number' ? size : 'shortest_edge' in size ? size.shortest_edge : undefined;
  const crop = config.do_center_crop ? square(config.crop_size ?? size) : undefined;
  if (number !== undefined && !crop && (name.startsWith('ConvNext') || config.crop_pct)) {
    // ConvNeXt's processor, which ResNets have too: below 384 it cuts the middle out of an image that is larger by `crop_pct`; from there on it stretches.
    if (number >= 384) return { height: number, width: number, filter };
    const shorterSide = Math.trunc(number / (config.crop_pct ?? 224 / 256));
    return { height: number, width: number, filter, shorterSide };
  }
  if (number === undefined || (typeof size === 'number' && squaring.test(name))) {
    const stretched = square(size);
    if (crop && (crop.height !== stretched.height || crop.width !== stretched.width))
      throw new DataError(
        path,
        'stretches images and cuts the middle out, which is not offered here',
        byHand,
      );
    return { ...stretched, filter };
  }
  if (!crop)
    throw new DataError(
      path,
      `resizes the shorter side to ${number} and cuts nothing out, so sizes vary`,
      byHand,
    );
  return { ...crop, filter, shorterSide: number };
}

function square(size: z.infer<typeof sizeSchema>): { height: number; width: number } {
  if (typeof size === 'number') return { height: size, width: size };
  if ('shortest_edge' in size) return { height: size.shortest_edge, width: size.shortest_edge };
  return { height: size.height, width: size.width };
}

/** timm, `data/config.py` and `data/transforms_factory.py`: the keys of evaluation. */
const timmConfig = z.object({ pretrained_cfg: z.record(z.string(), z.unknown()) });

const pretrainedSchema = z.object({
  input_size: z.tuple([z.literal(3), side, side]).default([3, 224, 224]),
  mean: channels.default([0.485, 0.456, 0.406]),
  std: deviations.default([0.229, 0.224, 0.225]),
  interpolation: z.enum(['bilinear', 'bicubic', 'lanczos', 'box']).default('bilinear'),
  crop_pct: z.number().positive().max(1).default(0.875),
  crop_mode: z.enum(['center', 'squash']).default('center'),
});

function timmPreprocessing(json: unknown, path: string): FoundPreprocessing {
  const { input_size, mean, std, interpolation, crop_pct, crop_mode } = parsed(pretrainedSchema, json, path);
  const [, height, width] = input_size;
  if (crop_mode === 'squash' && crop_pct !== 1)
    throw new DataError(path, 'stretches images and cuts the middle out, which is not offered here', byHand);
  if (crop_mode === 'center' && height !== width)
    throw new DataError(
      path,
      `resizes to ${height}×${width} by both sides, which is not offered here`,
      byHand,
    );
  const shorterSide = crop_mode === 'center' ? { shorterSide: Math.floor(height / crop_pct) } : {};
  return { source: path, mean, std, geometry: { height, width, filter: interpolation, ...shorterSide } };
}

function parsed<T>(schema: z.ZodType<T>, json: unknown, path: string): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [{ path: place, message }] = result.error.issues;
  throw new DataError(path, printable(`${place.join('.') || 'contents'}: ${message}`), byHand);
}
