import type { File } from 'h5wasm/node';
import { DataError } from '../../src/common/errors.ts';
import { type Hdf5Call, writeHdf5 } from '../../src/common/hdf5.ts';
import type { OnProgress } from '../../src/common/progress.ts';
import { batches } from '../batches.ts';
import type { Geometry, ImageSet } from '../image-set.ts';

/** Images are written in chunks of about this many samples, and as many are held in memory. */
const chunkSamples = 1 << 20;
/** No more than this, so that the threads which decode have a share each. */
const CHUNK_IMAGES = 256;

export interface Hdf5ImageOptions {
  readonly size: Geometry;
  /** Element type: `uint8` where nothing is said; `float64` is the original's, eight times the size. */
  readonly precision?: 'uint8' | 'float64';
  readonly onProgress?: OnProgress;
}

/**
 * Writes a set of images in the original's layout: the HDF5 dataset `data`, N × H × W × 3, 0 … 255. Where the set has
 * classes there are two datasets more: `labels`, N int32 (−1 where an image has none), and `classes`, their names.
 * The file appears at `path` when all images are written; its bytes depend on its content alone.
 *
 * @throws DataError where an image cannot be decoded, or the file cannot be written
 *
 * @example
 * ```ts
 * import { openImageSet, writeHdf5Images } from 'la-ood/guard';
 *
 * await writeHdf5Images('photos.hdf5', await openImageSet('photos/'), { size: { height: 32, width: 32 } });
 * ```
 */
export async function writeHdf5Images(
  path: string,
  images: ImageSet,
  { size, precision = 'uint8', onProgress }: Hdf5ImageOptions,
): Promise<void> {
  const { name, length: total } = images;
  const shape = [size.height, size.width, 3];
  const stride = 3 * size.height * size.width;
  const batch = Math.min(total, CHUNK_IMAGES, Math.max(1, Math.floor(chunkSamples / stride)));
  const Values = precision === 'uint8' ? Uint8Array : Float64Array;
  const ranges = (start: number, end: number) => [[start, end], ...shape.map((length) => [0, length])];
  await writeHdf5(DataError, path, async (file, hdf5) => {
    writeLabels(file, hdf5, images);
    const data = hdf5(() => {
      // Made empty and then enlarged: h5wasm would otherwise want all of it in memory.
      const empty = file.create_dataset({
        name: 'data',
        data: new Values(0),
        shape: [0, ...shape],
        maxshape: [total, ...shape],
        chunks: [batch, ...shape],
        dtype: precision === 'uint8' ? '<B' : '<d',
      });
      empty.resize([total, ...shape]);
      return empty;
    });
    for await (const { start, count, pixels } of batches(images, { batch, size })) {
      const values = precision === 'uint8' ? pixels : Float64Array.from(pixels);
      hdf5(() => data.write_slice(ranges(start, start + count) as [number, number][], values));
      onProgress?.({ task: `writing ${name}`, done: start + count, total, unit: 'images' });
    }
  });
}

function writeLabels(file: File, hdf5: Hdf5Call, { length, classes, label }: ImageSet): void {
  const labels = Int32Array.from({ length }, (_, i) => label(i) ?? -1);
  if (labels.every((label) => label < 0)) return;
  hdf5(() => file.create_dataset({ name: 'labels', data: labels, shape: [length], dtype: '<i' }));
  if (classes) hdf5(() => file.create_dataset({ name: 'classes', data: [...classes] }));
}
