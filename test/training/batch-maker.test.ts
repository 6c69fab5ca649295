import { expect } from 'chai';
import { openImageSet } from '../../data/open.ts';
import { BatchMaker, type TrainingBatch } from '../../src/training/batch-maker.ts';
import { LabeledImages } from '../../src/training/labeled-images.ts';

const SIDE = 32;
const STRIDE = SIDE * SIDE * 3;
const CROP = 4;
const identity = { mean: [0, 0, 0], std: [1, 1, 1], scale: 1 };

describe('batches for training', () => {
  let set: LabeledImages;
  let pixels: Uint8Array;
  const makers: BatchMaker[] = [];
  const maker = (preprocessing: ConstructorParameters<typeof BatchMaker>[0] = identity) => {
    makers.push(new BatchMaker(preprocessing));
    return makers.at(-1)!;
  };

  before(async () => {
    const images = await openImageSet('demo:train:50');
    set = await LabeledImages.open(images, { height: SIDE, width: SIDE }, 10);
    pixels = await images.read(0, 50, { height: SIDE, width: SIDE });
  });
  afterEach(() => Promise.all(makers.splice(0).map((made) => made.close())));

  it('come in the order asked for, each image with its label', async () => {
    const order = Uint32Array.from({ length: 50 }, (_, i) => (i * 7) % 50);
    const made = await collect(maker().batches(set, order, 16));
    expect(made.map(({ shape }) => shape[0])).deep.equals([16, 16, 16, 2]);
    const labels = made.flatMap((batch) => [...batch.labels]);
    expect(labels).deep.equals([...order].map((index) => index % 10));
    made.forEach(({ images, shape }, b) => {
      for (let i = 0; i < shape[0]; i++)
        expect(pixelsOf(images.subarray(i * STRIDE, (i + 1) * STRIDE))).deep.equals(
          Float32Array.from(imageAt(order[16 * b + i])),
        );
    });
  });

  it('are crops out of the padded image, every second mirrored, and the same by the same seed', async () => {
    const order = Uint32Array.from({ length: 50 }, (_, i) => i);
    const augmentation = { crop: CROP, flip: true, seed: (step: number) => step + 5 };
    const once = await collect(maker().batches(set, order, 50, augmentation));
    const again = await collect(maker().batches(set, order, 50, augmentation));
    expect(once[0].images).deep.equals(again[0].images);
    const places = new Set<string>();
    let mirrored = 0;
    for (let i = 0; i < 50; i++) {
      const image = pixelsOf(once[0].images.subarray(i * STRIDE, (i + 1) * STRIDE));
      const found = findCrop(image, imageAt(i));
      expect(found, `image ${i}`).not.equals(undefined);
      places.add(`${found!.top} ${found!.left}`);
      if (found!.flip) mirrored++;
    }
    expect(places.size).above(25);
    expect(mirrored).within(12, 38);
  });

  it('are normalised as the network wants it, in its order of channels', async () => {
    const [mean, std] = [
      [0.4, 0.5, 0.6],
      [0.2, 0.25, 0.3],
    ];
    const [batch] = await collect(
      maker({ mean, std, channelOrder: 'BGR' }).batches(set, Uint32Array.of(3), 1),
    );
    const image = imageAt(3);
    const made = pixelsOf(batch.images);
    for (let at = 0; at < STRIDE; at += 3)
      for (let c = 0; c < 3; c++)
        expect(made[at + c]).closeTo((image[at + 2 - c] / 255 - mean[c]) / std[c], 1e-6);
  });

  it('of images without classes are refused', async () => {
    const noise = await openImageSet('demo:noise:5');
    const error = await LabeledImages.open(noise, { height: 8, width: 8 }, 10).catch((e: Error) => e);
    expect((error as Error).message).equals(
      'noise: 0: has no class; training takes sets with a folder, or a label, for each class',
    );
  });

  function imageAt(index: number): Uint8Array {
    return pixels.subarray(index * STRIDE, (index + 1) * STRIDE);
  }
});

/** 3 × H × W to H × W × 3. */
function pixelsOf(planes: Float32Array): Float32Array {
  return planes.map((_, at) => planes[(at % 3) * SIDE * SIDE + Math.floor(at / 3)]);
}

async function collect(batches: AsyncIterable<TrainingBatch>): Promise<TrainingBatch[]> {
  const all: TrainingBatch[] = [];
  for await (const batch of batches) all.push(batch);
  return all;
}

/** Where in the padded original a crop lies. */
function findCrop(crop: Float32Array, original: Uint8Array) {
  for (const flip of [false, true])
    for (let top = -CROP; top <= CROP; top++)
      for (let left = -CROP; left <= CROP; left++) {
        const isHere = crop.every((value, at) => {
          const [c, x, y] = [at % 3, Math.floor(at / 3) % SIDE, Math.floor(at / 3 / SIDE)];
          const [fromY, fromX] = [y + top, (flip ? SIDE - 1 - x : x) + left];
          const inside = fromY >= 0 && fromY < SIDE && fromX >= 0 && fromX < SIDE;
          return value === (inside ? original[3 * (fromY * SIDE + fromX) + c] : 0);
        });
        if (isHere) return { top, left, flip };
      }
  return undefined;
}
