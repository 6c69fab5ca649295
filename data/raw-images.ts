import { sha256 } from '../src/common/files.ts';
import { type ByteSource, sha256Of } from './files/byte-source.ts';
import type { ImageSet, ImageSize } from './image-set.ts';
import { resizeEach } from './resample.ts';

/** Stored bytes that are read at a time; more images than that are read in steps. */
const stepBytes = 1 << 24;

/** How the samples of an image lie in memory: bytes from one row, column and colour to the next. */
export interface PixelLayout {
  readonly row: number;
  readonly column: number;
  /** 0 for grey images, whose sample is every colour. */
  readonly color: number;
}

/** Uint8 images of one size in a row, each `stride` bytes after the one before. */
export interface RawImages extends ImageSize {
  readonly count: number;
  readonly stride: number;
  readonly layout: PixelLayout;
  /** The class of each image. */
  readonly labels?: ArrayLike<number>;
  /** At least the samples of `count` images from `start` on. */
  read(start: number, count: number): Promise<Uint8Array>;
  /** Changes when the samples do. */
  fingerprint(): Promise<string>;
  imageName(index: number): string;
}

/** A set of uint8 images that lie in one array, or in several one after the other. */
export function rawImageSet(
  name: string,
  arrays: readonly RawImages[],
  classes?: readonly string[],
): ImageSet {
  /** The array that image `index` is in, and its place there. */
  const locate = (index: number): [RawImages, number] => {
    let i = 0;
    while (index >= arrays[i].count) index -= arrays[i++].count;
    return [arrays[i], index];
  };
  return {
    name,
    length: arrays.reduce((sum, { count }) => sum + count, 0),
    classes,
    label(index) {
      const [{ labels }, place] = locate(index);
      return labels?.[place];
    },
    imageName(index) {
      const [images, place] = locate(index);
      return images.imageName(place);
    },
    async storedSize(index) {
      const [{ height, width }] = locate(index);
      return { height, width };
    },
    async fingerprint() {
      const parts = await Promise.all(arrays.map((images) => images.fingerprint()));
      return sha256(Buffer.from(parts.join('\n')));
    },
    async read(start, count, size) {
      const pixels = new Uint8Array(3 * count * size.height * size.width);
      for (let done = 0; done < count; ) {
        const [images, place] = locate(start + done);
        const step = Math.max(1, Math.floor(stepBytes / images.stride));
        const some = Math.min(count - done, images.count - place, step);
        const rgb = toRgb(await images.read(place, some), some, images);
        pixels.set(resizeEach(rgb, some, images, size), 3 * done * size.height * size.width);
        done += some;
      }
      return pixels;
    },
  };
}

/** Images that lie in a source from `offset` on; they are read when they are asked for. */
export function imagesIn(
  source: ByteSource,
  offset: number,
  images: Pick<RawImages, 'count' | 'stride' | 'layout' | 'height' | 'width' | 'labels'> & { name?: string },
): RawImages {
  const { count, stride, layout, height, width } = images;
  const sample = (height - 1) * layout.row + (width - 1) * layout.column + 2 * layout.color + 1;
  return {
    ...images,
    read: (start, some) => source.read(offset + start * stride, (some - 1) * stride + sample),
    fingerprint: () => sha256Of(source),
    imageName: (index) => (images.name ? `${images.name}/${index}` : String(index)),
    count,
  };
}

/** Samples of an image that lie as they are wanted, `height × width × 3`. */
export function interleaved({ width }: ImageSize): PixelLayout {
  return { row: 3 * width, column: 3, color: 1 };
}

/** Samples of a grey image, row by row. */
export function greyRows({ width }: ImageSize): PixelLayout {
  return { row: width, column: 1, color: 0 };
}

function toRgb(samples: Uint8Array, count: number, images: RawImages): Uint8Array {
  const { height, width, stride, layout } = images;
  const { row, column, color } = layout;
  const size = 3 * height * width;
  if (stride === size && column === 3 && color === 1) return samples.subarray(0, count * size);
  if (column === 1 && row === width && (height * width) % 4 === 0)
    return interleavePlanes(samples, count, images);
  const rgb = new Uint8Array(count * size);
  for (let i = 0, to = 0; i < count; i++)
    for (let y = 0; y < height; y++)
      for (let x = 0, from = i * stride + y * row; x < width; x++, from += column, to += 3) {
        rgb[to] = samples[from];
        rgb[to + 1] = samples[from + color];
        rgb[to + 2] = samples[from + 2 * color];
      }
  return rgb;
}

/** Colours that lie one after the other, as in CIFAR: four pixels at a time, which is nearly as fast as copying them. */
function interleavePlanes(
  samples: Uint8Array,
  count: number,
  { height, width, stride, layout: { color } }: RawImages,
): Uint8Array {
  const area = height * width;
  // Four RGB pixels are three words, in the byte order of every machine that Node runs on.
  const words = new Uint32Array((3 * count * area) / 4);
  for (let i = 0, to = 0; i < count; i++)
    for (let red = i * stride; red < i * stride + area; red += 4, to += 3) {
      const green = red + color;
      const blue = green + color;
      words[to] = samples[red] | (samples[green] << 8) | (samples[blue] << 16) | (samples[red + 1] << 24);
      words[to + 1] =
        samples[green + 1] | (samples[blue + 1] << 8) | (samples[red + 2] << 16) | (samples[green + 2] << 24);
      words[to + 2] =
        samples[blue + 2] | (samples[red + 3] << 8) | (samples[green + 3] << 16) | (samples[blue + 3] << 24);
    }
  return new Uint8Array(words.buffer);
}
