import { batches } from '../../data/batches.ts';
import type { Geometry, ImageSet } from '../../data/image-set.ts';
import { DataError } from '../common/errors.ts';
import type { OnProgress } from '../common/progress.ts';

/** Decoded images are kept in memory up to this many bytes; larger sets are decoded anew in every epoch. */
const LARGEST_KEPT = 2 ** 30;

/** Images with the class of each, for training in any order. */
export class LabeledImages {
  readonly name: string;
  readonly size: Geometry;
  readonly labels: Int32Array;
  readonly #set: ImageSet;
  /** Bytes of an image. */
  readonly #stride: number;
  #kept: Uint8Array | undefined;

  private constructor(set: ImageSet, size: Geometry, labels: Int32Array) {
    this.name = set.name;
    this.size = size;
    this.labels = labels;
    this.#set = set;
    this.#stride = 3 * size.height * size.width;
  }

  /**
   * @param classes how many there are
   * @throws DataError where an image has no class or an unknown one, or cannot be decoded
   */
  static async open(
    set: ImageSet,
    size: Geometry,
    classes: number,
    onProgress?: OnProgress,
  ): Promise<LabeledImages> {
    const labels = Int32Array.from({ length: set.length }, (_, index) => {
      const label = set.label(index);
      if (label !== undefined && label < classes) return label;
      throw new DataError(
        `${set.name}: ${set.imageName(index)}`,
        label === undefined ? 'has no class' : `has class ${label}, and there are ${classes}`,
        'training takes sets with a folder, or a label, for each class',
      );
    });
    const images = new LabeledImages(set, size, labels);
    if (set.length * images.#stride <= LARGEST_KEPT) await images.#keep(onProgress);
    return images;
  }

  get length(): number {
    return this.labels.length;
  }

  /** The pixels of these images, one after the other: N × H × W × 3 bytes that belong to the caller. */
  async take(indices: Uint32Array): Promise<Uint8Array> {
    const pixels = new Uint8Array(indices.length * this.#stride);
    const put = (image: Uint8Array, place: number) => pixels.set(image, place * this.#stride);
    const kept = this.#kept;
    if (kept)
      indices.forEach((index, i) => {
        put(kept.subarray(index * this.#stride, (index + 1) * this.#stride), i);
      });
    else
      await Promise.all(
        Array.from(indices, async (index, i) => put(await this.#set.read(index, 1, this.size), i)),
      );
    return pixels;
  }

  async #keep(onProgress?: OnProgress): Promise<void> {
    const { length: total, name } = this.#set;
    const kept = new Uint8Array(total * this.#stride);
    for await (const { start, count, pixels } of batches(this.#set, { batch: 64, size: this.size })) {
      kept.set(pixels, start * this.#stride);
      onProgress?.({ task: `reading ${name}`, done: start + count, total, unit: 'images' });
    }
    this.#kept = kept;
  }
}
