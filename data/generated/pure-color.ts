import { sha256 } from '../../src/common/files.ts';
import { RandomState } from '../../src/common/random.ts';
import type { ImageSet } from '../image-set.ts';

/** How `pure_color` is drawn. */
export interface PureColorOptions {
  readonly name?: string;
  /** Seed of the colours, 0 if not given. */
  readonly seed?: number;
  /** Number of images, 10,000 if not given. */
  readonly count?: number;
  /** `original` draws floor(255 u), u uniform in [0, 1), as the original does: 255 never comes. */
  readonly compat?: 'original';
}

/**
 * The original's synthetic OOD set: images that are one colour all over, each channel uniform over 0 … 255. By
 * default these are the colours of NumPy's `RandomState(seed).randint(0, 256, (count, 3))`.
 */
export function pureColor(options: PureColorOptions = {}): ImageSet {
  const { name = 'pure_color', seed = 0, count = 10_000, compat } = options;
  const random = new RandomState(seed);
  const draw = compat ? () => Math.floor(255 * random.random()) : () => random.integer(255);
  const colors = Uint8Array.from({ length: 3 * count }, draw);
  return {
    name,
    length: count,
    label: () => undefined,
    imageName: String,
    fingerprint: async () => sha256(colors),
    async read(start, count, { height, width }) {
      const area = height * width;
      const pixels = new Uint8Array(3 * count * area);
      for (let i = 0; i < count * area; i++) {
        const color = 3 * (start + Math.floor(i / area));
        for (let channel = 0; channel < 3; channel++) pixels[3 * i + channel] = colors[color + channel];
      }
      return pixels;
    },
  };
}
