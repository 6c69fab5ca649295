import { sha256 } from '../src/common/files.ts';
import { type ByteSource, sha256Of } from './files/byte-source.ts';
import type { ImageSet, ImageSize } from './image-set.ts';
import { interleave } from './planes/interleave.ts';
import { isOfSize, resizeEach } from './resample.ts';

/** Stored bytes that are read at a time; more images than that are read in steps. */
const stepBytes = 1 << 24;

const empty = new Uint8Array();

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
  /** At least the samples of `count` images from `start` on, which may be put into `spare`. */
  read(start: number, count: number, spare?: Uint8Array): Promise<Uint8Array>;
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
  /** For the stored bytes of the next images: new memory costs more than reading does. */
  let spare = empty;
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
      const outSize = 3 * size.height * size.width;
      const pixels = new Uint8Array(count * outSize);
      for (let done = 0; done < count; ) {
        const [images, place] = locate(start + done);
        const step = Math.max(1, Math.floor(stepBytes / images.stride));
        const some = Math.min(count - done, images.count - place, step);
        const buffer = spare.length >= some * images.stride ? spare : new Uint8Array(some * images.stride);
        // Nobody else may take it meanwhile.
        spare = empty;
        const samples = await images.read(place, some, buffer);
        const out = pixels.subarray(done * outSize, (done + some) * outSize);
        if (isOfSize(images, size)) toRgb(samples, images, out);
        else {
          const rgb = new Uint8Array(3 * some * images.height * images.width);
          toRgb(samples, images, rgb);
          out.set(resizeEach(rgb, some, images, size));
        }
        if (buffer.length <= stepBytes) spare = buffer;
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
    read: (start, some, spare) => source.read(offset + start * stride, (some - 1) * stride + sample, spare),
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
export function grayRows({ width }: ImageSize): PixelLayout {
  return { row: width, column: 1, color: 0 };
}

/** Fills `rgb` with the pixels of as many images as fit in. */
function toRgb(samples: Uint8Array, { height, width, stride, layout }: RawImages, rgb: Uint8Array): void {
  const { row, column, color } = layout;
  const size = 3 * height * width;
  if (stride === size && column === 3 && color === 1) {
    rgb.set(samples.subarray(0, rgb.length));
    return;
  }
  const arePlanes = column === 1 && row === width;
  for (let to = 0, from = 0; to < rgb.length; to += size, from += stride)
    if (arePlanes) interleave(samples.subarray(from), color, rgb.subarray(to, to + size));
    else pick(samples.subarray(from), { height, width, layout }, rgb.subarray(to, to + size));
}

/** The pixels of one image, whatever its layout. */
function pick(
  samples: Uint8Array,
  { height, width, layout: { row, column, color } }: Pick<RawImages, 'height' | 'width' | 'layout'>,
  rgb: Uint8Array,
): void {
  for (let y = 0, to = 0; y < height; y++)
    for (let x = 0, from = y * row; x < width; x++, from += column, to += 3) {
      rgb[to] = samples[from];
      rgb[to + 1] = samples[from + color];
      rgb[to + 2] = samples[from + 2 * color];
    }
}
