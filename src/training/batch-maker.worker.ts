import { parentPort, workerData } from 'node:worker_threads';
import { RandomState } from '../common/random.ts';
import { onMessage } from '../common/workers.ts';

/** The thread behind `BatchMaker`. */

export interface BatchSetup {
  /** By channel of the network: what becomes of each byte. */
  readonly tables: readonly Float32Array[];
  /** By channel of the network: which of red, green and blue it is. */
  readonly channels: readonly number[];
}

export interface BatchTask {
  /** N × height × width × 3. */
  readonly pixels: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly crop: number;
  readonly flip: boolean;
  /** Absent where nothing is left to chance. */
  readonly seed?: number;
}

const { tables, channels } = workerData as BatchSetup;

onMessage((task: BatchTask) => {
  const images = make(task);
  parentPort!.postMessage(images, [images.buffer as ArrayBuffer]);
});

function make({ pixels, height, width, crop, flip, seed }: BatchTask): Float32Array {
  const images = new Float32Array(pixels.length);
  const random = seed === undefined ? undefined : new RandomState(seed);
  const stride = 3 * height * width;
  for (let start = 0; start < pixels.length; start += stride) {
    // Where the crop begins; the image itself begins at `crop`.
    const top = random ? random.integer(2 * crop) - crop : 0;
    const left = random ? random.integer(2 * crop) - crop : 0;
    const mirrored = random !== undefined && flip && random.random() < 0.5;
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const [fromY, fromX] = [y + top, (mirrored ? width - 1 - x : x) + left];
        const inside = fromY >= 0 && fromY < height && fromX >= 0 && fromX < width;
        const from = start + 3 * (fromY * width + fromX);
        const to = start + y * width + x;
        for (let c = 0; c < 3; c++)
          images[to + c * height * width] = tables[c][inside ? pixels[from + channels[c]] : 0];
      }
  }
  return images;
}
