import { z } from 'zod';
import type { Framing, Geometry, ImageSize } from '../../data/image-set.ts';
import type { FilterName } from '../../data/resampling/filters.ts';
import { DataError } from '../../src/common/errors.ts';
import { nearestName } from '../../src/common/suggest.ts';
import type { Preprocessing } from '../../src/graph/preprocessing.ts';
import { BY_HAND, parsed, side } from './json-file.ts';
import { type ProcessorClass, processorClass, processorOfModel } from './processor-classes.ts';

const threeOf = (each: z.ZodType<number>) =>
  z.union([z.array(each).length(3), each.transform((value) => [value, value, value])]).nullish();

const sizeSchema = z
  .union([
    side,
    z.tuple([side, side]),
    z.strictObject({ height: side, width: side }),
    z.strictObject({ shortest_edge: side }),
  ])
  .nullish();

/** The keys that are followed. In transformers null is "not set": the class's own value is taken. */
const schema = z.looseObject({
  image_processor_type: z.string().nullish(),
  feature_extractor_type: z.string().nullish(),
  do_resize: z.boolean().nullish(),
  size: sizeSchema,
  default_to_square: z.boolean().nullish(),
  use_square_size: z.boolean().nullish(),
  resample: z.int().min(0).max(5).nullish(),
  do_center_crop: z.boolean().nullish(),
  crop_size: sizeSchema,
  crop_pct: z.number().positive().nullish(),
  do_rescale: z.boolean().nullish(),
  rescale_factor: z.number().positive().nullish(),
  rescale_offset: z.boolean().nullish(),
  do_normalize: z.boolean().nullish(),
  image_mean: threeOf(z.number()),
  image_std: threeOf(z.number().positive()),
  include_top: z.boolean().nullish(),
  do_flip_channel_order: z.boolean().nullish(),
  resize_short: side.nullish(),
  size_divisor: side.nullish(),
  do_pad: z.boolean().nullish(),
});
type Config = z.infer<typeof schema>;

/** Keys that change nothing of the pixels: RGB is always made, and labels are those of segmentation. */
const harmless = new Set(
  (
    'processor_class _processor_class feature_extractor_class use_fast do_convert_rgb do_reduce_labels reduce_labels ' +
    'return_tensors data_format input_data_format device disable_grouping pad_size model_input_names ' +
    '_valid_processor_keys transformers_version name_or_path'
  ).split(' '),
);

/** Pillow's numbers of filters. */
const filters: readonly FilterName[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'];

/**
 * What an image processor of transformers does to an image, class by class as `image_processing_pil_*.py` there has it.
 *
 * @param json `preprocessor_config.json`
 * @param modelType `model_type` of `config.json`, by which transformers finds the class where the other does not say it
 * @throws DataError where its class or a key is not followed here
 */
export function transformersPreprocessing(
  json: unknown,
  modelType: unknown,
  path: string,
): Preprocessing & { geometry?: Geometry } {
  const config = parsed(schema, json, path);
  const name = config.image_processor_type ?? config.feature_extractor_type ?? processorOfModel(modelType);
  if (!name)
    throw new DataError(path, 'does not say which image processor it is of (image_processor_type)', BY_HAND);
  const own = processorClass(name);
  if (!own)
    throw new DataError(path, `is of the image processor ${name}, which is not followed here`, BY_HAND);
  refuseOthers(config, own, path);

  const filter = filters[config.resample ?? own.resample];
  const geometry = geometryOf(config, own, path);
  const rescale = config.do_rescale ?? true;
  return {
    ...normalizationOf(config, own),
    scale: rescale ? (config.rescale_factor ?? 1 / 255) : 1,
    ...(geometry && { geometry: { ...geometry, filter } }),
  };
}

function refuseOthers(config: Config, { keys }: ProcessorClass, path: string): void {
  const known = [...Object.keys(schema.shape), ...harmless];
  for (const [key, value] of Object.entries(config)) {
    if (value === null || value === undefined) continue;
    const ofClass = keys?.includes(key);
    if (!known.includes(key) || (ownKeys.has(key) && !ofClass && value !== false)) {
      const near = known.includes(key) ? undefined : nearestName(key, known);
      throw new DataError(
        path,
        `has the key ${key}, which is not followed here`,
        near ? `did you mean ${near}?` : BY_HAND,
      );
    }
  }
}

/** Keys that only some classes have. */
const ownKeys = new Set([
  ...['crop_pct', 'rescale_offset', 'include_top', 'do_flip_channel_order', 'resize_short', 'size_divisor'],
  ...['use_square_size', 'do_pad'],
]);

function normalizationOf(config: Config, own: ProcessorClass): Preprocessing {
  const normalizes = own.normalizes && (config.do_normalize ?? true);
  const mean = config.image_mean ?? own.mean;
  const std = config.image_std ?? own.std;
  const offset = config.rescale_offset ? 1 : 0;
  // EfficientNet's processor divides by the deviation again.
  const again = own.kind === 'efficientnet' && (config.include_top ?? true);
  const bgr = own.kind === 'pplcnet' || (own.kind === 'mobilevit' && (config.do_flip_channel_order ?? true));
  const center = mean.map((value) => (normalizes ? value : 0) + offset);
  const spread = std.map((value) => (normalizes ? value : 1) * (again ? value : 1));
  if (!bgr) return { mean: center, std: spread };
  // There channels are reversed after they are normalised; here they are normalised in the network's order.
  return { mean: center.toReversed(), std: spread.toReversed(), channelOrder: 'BGR' };
}

type Size = ImageSize | { readonly shortest: number };

function geometryOf(config: Config, own: ProcessorClass, path: string): Geometry | undefined {
  const crops = config.do_center_crop ?? own.crops;
  if (config.do_resize === false) {
    if (!crops) return undefined;
    throw new DataError(path, 'cuts images without resizing them, which is not followed here', BY_HAND);
  }
  const size = config.use_square_size
    ? sizeOf(own.size, true)
    : config.size
      ? sizeOf(config.size, config.default_to_square ?? own.square)
      : sizeOf(own.size, own.square);
  if (own.kind === 'convnext' && !('shortest' in size))
    throw new DataError(path, 'size has no shortest_edge, and transformers refuses that', BY_HAND);
  const { to, crop } = resizing(size, config, own);
  const cropped = crops ? sizeOf(config.crop_size ?? own.crop ?? size, true) : undefined;
  if (cropped && 'shortest' in cropped)
    throw new DataError(path, 'crop_size has no height and width, and transformers refuses that', BY_HAND);
  if (crop && cropped && (crop.height !== cropped.height || crop.width !== cropped.width))
    throw new DataError(path, 'cuts the middle out twice, which is not followed here', BY_HAND);
  const result = crop ?? cropped;
  if ('shortest' in to) {
    if (!result)
      throw new DataError(
        path,
        `resizes the shorter side to ${to.shortest} and cuts nothing out, so sizes vary`,
        BY_HAND,
      );
    const square = { height: to.shortest, width: to.shortest };
    const rounding = own.kind === 'pplcnet' ? 'round' : 'truncate';
    return { ...result, framing: { fit: 'cover', to: square, rounding, place: 'middle-floor' } };
  }
  if (!result || (result.height === to.height && result.width === to.width)) return to;
  const framing: Framing = { fit: 'stretch', to, rounding: 'truncate', place: 'middle-floor' };
  return { ...result, framing };
}

/** What a class resizes to, and what it cuts out of that by itself. */
function resizing(size: Size, config: Config, own: ProcessorClass): { to: Size; crop?: ImageSize } {
  const shortest = 'shortest' in size ? size.shortest : size.height === size.width ? size.height : undefined;
  switch (own.kind) {
    case 'convnext': {
      const whole = shortest ?? 0;
      const all = { height: whole, width: whole };
      if (whole >= 384) return { to: all };
      return { to: { shortest: Math.trunc(whole / (config.crop_pct ?? 224 / 256)) }, crop: all };
    }
    case 'levit':
      return 'shortest' in size
        ? { to: { shortest: Math.trunc((256 / 224) * size.shortest) } }
        : { to: size };
    case 'poolformer': {
      const part = config.crop_pct ?? 0.9;
      if (shortest !== undefined) return { to: { shortest: Math.trunc(shortest / part) } };
      const { height, width } = size as ImageSize;
      return { to: { height: Math.trunc(height / part), width: Math.trunc(width / part) } };
    }
    case 'pplcnet':
      return { to: { shortest: config.resize_short ?? 256 } };
    default:
      return { to: size };
  }
}

function sizeOf(size: NonNullable<z.infer<typeof sizeSchema>> | Size, square: boolean | undefined): Size {
  if (typeof size === 'number') return square ? { height: size, width: size } : { shortest: size };
  if (Array.isArray(size)) return { height: size[0], width: size[1] };
  return 'shortest_edge' in size ? { shortest: size.shortest_edge } : size;
}
