import { z } from 'zod';
import type { Color, Framing, Geometry } from '../../data/image-set.ts';
import { roundHalfEven } from '../../src/common/rounding.ts';
import type { Preprocessing } from '../../src/graph/preprocessing.ts';
import { parsed, side } from './json-file.ts';

const hubConfig = z.looseObject({ pretrained_cfg: z.record(z.string(), z.unknown()) });
/** Of before timm 0.9: what is now `pretrained_cfg` lay beside the architecture. */
const oldHubConfig = z.looseObject({ architecture: z.string(), model_type: z.undefined().optional() });

/** What timm's `config.json` says of its weights (`models/_hub.py`); undefined where it is another's. */
export function pretrainedConfig(json: unknown): Record<string, unknown> | undefined {
  const config = hubConfig.safeParse(json);
  if (config.success) return config.data.pretrained_cfg;
  const old = oldHubConfig.safeParse(json);
  return old.success ? old.data : undefined;
}

/** Python's `or`: nothing, 0, '' and an empty list are not set. */
function orElse<T>(schema: z.ZodType<T>, fallback: T): z.ZodType<T> {
  const isUnset = (value: unknown) => !value || (Array.isArray(value) && value.length === 0);
  return z.preprocess((value) => (isUnset(value) ? fallback : value), schema);
}

const channels = z.array(z.number()).length(3);

/** The keys that `resolve_data_config` reads (`data/config.py`), with its defaults; timm ignores all others. */
const schema = z.object({
  input_size: z.preprocess((size) => size ?? [3, 224, 224], z.tuple([z.literal(3), side, side])),
  mean: orElse(channels, [0.485, 0.456, 0.406]),
  std: orElse(z.array(z.number().positive()).length(3), [0.229, 0.224, 0.225]),
  interpolation: orElse(z.enum(['nearest', 'bilinear', 'bicubic', 'box', 'hamming', 'lanczos']), 'bicubic'),
  crop_pct: orElse(z.number().positive(), 0.875),
  crop_mode: orElse(z.string(), 'center'),
});

/**
 * What `transforms_imagenet_eval` of timm (`data/transforms_factory.py`) does to an image.
 *
 * @throws DataError where a key holds what timm does not take
 */
export function timmPreprocessing(json: unknown, path: string): Preprocessing & { geometry: Geometry } {
  const { input_size, mean, std, interpolation, crop_pct, crop_mode } = parsed(schema, json, path);
  const [, height, width] = input_size;
  const scaled = { height: Math.floor(height / crop_pct), width: Math.floor(width / crop_pct) };
  const isSquare = scaled.height === scaled.width;
  const framings: Readonly<Record<string, Framing>> = {
    squash: { fit: 'stretch', to: scaled, rounding: 'truncate', place: 'middle' },
    border: {
      ...{ fit: 'contain', to: scaled, rounding: 'round', place: 'middle' },
      border: mean.map((value) => Math.min(255, Math.max(0, roundHalfEven(255 * value)))) as unknown as Color,
    },
    center: { fit: 'cover', to: scaled, rounding: isSquare ? 'truncate' : 'round', place: 'middle' },
  };
  // Whatever else is said is taken for the middle.
  const framing = framings[crop_mode] ?? framings.center;
  const isStretched = framing.fit === 'stretch' && scaled.height === height && scaled.width === width;
  const geometry = { height, width, filter: interpolation };
  if (isStretched) return { mean, std, geometry };
  const isUsual = framing === framings.center && isSquare;
  return {
    mean,
    std,
    geometry: { ...geometry, ...(isUsual ? { shorterSide: scaled.height } : { framing }) },
  };
}
