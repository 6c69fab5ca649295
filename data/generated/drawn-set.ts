import { createHash } from 'node:crypto';
import type { RandomState } from '../../src/common/random.ts';
import { imageRandom } from '../image-random.ts';
import type { ImageSet, ImageSize } from '../image-set.ts';

/** How a generated set is drawn. */
export interface DrawnOptions {
  readonly name?: string;
  /** Another seed gives other images of the same kind; 0 if not given. */
  readonly seed?: number;
  /** Number of images, 10,000 if not given; the first ones are the same whatever their number. */
  readonly count?: number;
}

/** A kind of generated image. */
export interface Drawing {
  readonly name: string;
  /** Sets these images apart from those of the other kinds (see `imageRandom`): generated sets have 16 … 31. */
  readonly stream: number;
  /** Draws an image in the size that it is wanted in. @returns `height × width × 3` bytes */
  draw(random: RandomState, size: ImageSize): Uint8Array;
}

/** A set whose images are drawn when they are read, without classes, the same on every machine. */
export function drawnSet(drawing: Drawing, options: DrawnOptions): ImageSet {
  const { name = drawing.name, seed = 0, count: length = 10_000 } = options;
  const draw = (index: number, size: ImageSize) =>
    drawing.draw(imageRandom(seed, drawing.stream, index), size);
  return {
    name,
    length,
    label: () => undefined,
    imageName: String,
    async fingerprint() {
      const hash = createHash('sha256').update(`${drawing.name} seed ${seed} count ${length}`);
      // The code that draws is part of what the images are: a change of it shows in the first.
      return hash.update(draw(0, { height: 32, width: 32 })).digest('hex');
    },
    async read(start, count, { height, width }) {
      const stride = 3 * height * width;
      const pixels = new Uint8Array(count * stride);
      for (let i = 0; i < count; i++) pixels.set(draw(start + i, { height, width }), i * stride);
      return pixels;
    },
  };
}
