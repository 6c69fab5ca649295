import { mkdtempSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { openFeatures } from '../../converters/hdf5/open-features.ts';
import { writeFeatures } from '../../converters/hdf5/write-features.ts';
import { findPreprocessing } from '../../converters/huggingface/find-preprocessing.ts';
import { readCheckpoint } from '../../converters/pytorch/read-checkpoint.ts';
import { writeCheckpoint } from '../../converters/pytorch/write-checkpoint.ts';
import { writeSafetensors } from '../../converters/safetensors/write-safetensors.ts';
import { readJoblib } from '../../converters/sklearn/read-joblib.ts';
import { decodeImage, imageSize } from '../../data/decode.ts';
import { openImageSet } from '../../data/open.ts';
import { DataError } from '../../src/common/errors.ts';
import { writeHdf5 } from '../../src/common/hdf5.ts';
import type { StateDict } from '../../src/common/tensor.ts';
import { checkModel } from '../../src/graph/check.ts';
import { tapCandidates } from '../../src/graph/classifier/candidates.ts';
import { describeClassifier, toBackbone } from '../../src/graph/classifier/classifier.ts';
import { decodeModel } from '../../src/graph/read.ts';
import { tensorFromProto } from '../../src/graph/tensor-proto.ts';
import { encodeModel } from '../../src/graph/write.ts';
import { readManifest } from '../../src/pipeline/run-folder.ts';
import { idx, lmdb, mat, npy, parquet, png, tar, zip } from '../data/files.ts';
import { convolutionalNet, transformer } from '../graph/classifier/networks.ts';

// Where fixtures of tests write too; the processes that `main` starts inherit it.
process.env.LA_OOD_TEST_FOLDER ??= mkdtempSync(join(tmpdir(), 'la-ood-fuzz-'));
const { legacyCheckpoint, soundCheckpoint, stateDictPickle } = await import(
  '../converters/pytorch/fixtures.ts'
);
const { svmFile, scalerFile } = await import('../converters/sklearn/fixtures.ts');

/** A reader of foreign bytes: valid files, and what reads one. */
export interface Reader {
  /** What the file is called, where the name matters. */
  readonly name?: string;
  readonly seeds: () => Promise<readonly Uint8Array[]>;
  /** @param path of a file with these bytes, in a folder of its own */
  readonly read: (path: string, bytes: Uint8Array) => Promise<unknown>;
  /** Whether it reads the bytes alone, so that no file has to be written. */
  readonly inMemory?: true;
  readonly isJson?: true;
}

const samples = Uint8Array.from({ length: 3 * 24 * 20 }, (_, i) => (i * i) >> 3);
const picture = () => sharp(samples, { raw: { width: 24, height: 20, channels: 3 } });

/** Image files of a kind. */
const image = (...seeds: (() => Promise<Uint8Array>)[]): Reader => ({
  seeds: () => Promise.all(seeds.map((seed) => seed())),
  inMemory: true,
  async read(_, bytes) {
    await imageSize(bytes, 'image').catch(ignoreRefusal);
    await decodeImage(bytes, 'image', { orient: true });
  },
});

/** Sets of images in one file. */
const set = (name: string, ...seeds: (() => Promise<Uint8Array> | Uint8Array)[]): Reader => ({
  name,
  seeds: () => Promise.all(seeds.map((seed) => seed())),
  async read(path) {
    const images = await openImageSet(path);
    const count = Math.min(3, images.length);
    for (let i = 0; i < count; i++) images.label(i);
    await images.storedSize?.(0).catch(ignoreRefusal);
    await images.fingerprint();
    await images.read(0, count, { height: 2, width: 2 });
  },
});

const members = async () =>
  Promise.all(
    ['set/a/1.png', 'set/a/2', 'set/b/3.png'].map(async (name, i) => ({
      name,
      bytes: await png(i, 2, 3, 3),
    })),
  );
const pixels = Uint8Array.from({ length: 3 * 5 * 4 * 3 }, (_, i) => (31 * i) & 255);
const shape = [3, 5, 4, 3];

const list = set(
  'list.csv',
  () => Buffer.from('path,label\n"a.png",cat\nb.png,dog\n'),
  () => Buffer.from('a.png 1\nb.png 0\n'),
);

const weights: StateDict = new Map([
  ['conv.weight', { dtype: 'float32', shape: [2, 3, 1, 1], data: new Float32Array(6) }],
  ['bn.num_batches_tracked', { dtype: 'int64', shape: [], data: BigInt64Array.of(3n) }],
]);

/** Every reader of foreign bytes, by its name on the command line. */
export const readers: Readonly<Record<string, Reader>> = {
  checkpoint: {
    name: 'weights.pth',
    seeds: async () => {
      const path = join(await scratch(), 'written.pth');
      await writeCheckpoint(path, weights);
      return [
        await readFile(path),
        await soundCheckpoint(),
        await soundCheckpoint(true),
        legacyCheckpoint(stateDictPickle({ weight: {}, bias: {} })),
      ];
    },
    read: (path) => readCheckpoint(path),
  },
  safetensors: {
    name: 'model.safetensors',
    seeds: async () => {
      const path = join(await scratch(), 'written.safetensors');
      await writeSafetensors(path, weights);
      return [await readFile(path)];
    },
    read: (path) => readCheckpoint(path),
  },
  joblib: {
    name: '0.joblib',
    seeds: async () => [
      svmFile(),
      svmFile({}, 'pickle'),
      svmFile({}, 'buffer'),
      scalerFile(),
      deflateSync(scalerFile()),
    ],
    read: (path) => readJoblib(path),
  },
  onnx: {
    seeds: async () => [
      encodeModel(convolutionalNet({ ending: ['Softmax'] })),
      encodeModel(convolutionalNet({ layout: 'NHWC', blocks: 2, opset: 17 })),
      encodeModel(transformer()),
    ],
    inMemory: true,
    async read(_, bytes) {
      const model = decodeModel(bytes, 'model.onnx');
      checkModel(model, 'model.onnx');
      for (const tensor of model.graph.initializer) tensorFromProto(tensor, 'model.onnx');
      const classifier = describeClassifier(model, 'model.onnx');
      tapCandidates(model, classifier);
      encodeModel(toBackbone(model, 'model.onnx'));
    },
  },
  jpeg: image(
    () => picture().jpeg().toBuffer(),
    () => picture().jpeg({ progressive: true, chromaSubsampling: '4:4:4' }).toBuffer(),
    () => picture().jpeg({ quality: 30, optimiseCoding: false }).withMetadata({ orientation: 6 }).toBuffer(),
    () => picture().greyscale().jpeg().toBuffer(),
    () => picture().toColourspace('cmyk').jpeg().toBuffer(),
  ),
  gif: image(
    () => picture().gif().toBuffer(),
    () => picture().gif({ colors: 4, progressive: true }).toBuffer(),
  ),
  png: image(
    () => picture().png().withMetadata({ orientation: 3 }).toBuffer(),
    () => picture().png({ palette: true, colors: 7 }).toBuffer(),
    () => picture().toColourspace('rgb16').png().toBuffer(),
  ),
  webp: image(
    () => picture().webp().toBuffer(),
    () => picture().webp({ lossless: true }).withMetadata({ orientation: 5 }).toBuffer(),
  ),
  bmp: image(
    async () => bitmap(24, samples),
    async () => bitmap(8, samples.subarray(0, 24 * 20), 0, 256),
    async () => bitmap(8, runs, 1, 256),
    async () => bitmap(4, runs, 2, 16),
  ),
  tiff: image(
    () => picture().tiff({ compression: 'none' }).toBuffer(),
    () => picture().tiff({ compression: 'lzw', predictor: 'horizontal' }).toBuffer(),
    () => picture().tiff({ compression: 'deflate', tile: true, tileWidth: 16, tileHeight: 16 }).toBuffer(),
    () =>
      picture().threshold().toColourspace('b-w').tiff({ compression: 'packbits', bitdepth: 1 }).toBuffer(),
    () => picture().tiff({ compression: 'jpeg' }).toBuffer(),
  ),
  avif: image(() => picture().avif({ effort: 0 }).toBuffer()),
  npy: set('a.npy', () => npy(shape, pixels)),
  idx: set(
    'a.idx',
    () => idx(shape, pixels),
    () => gzipSync(idx(shape, pixels)),
  ),
  matlab: set(
    'a.mat',
    () => mat({ X: { shape: [5, 4, 3, 3], bytes: pixels }, y: { shape: [3], bytes: new Uint8Array(3) } }),
    () => mat({ X: { shape: [5, 4, 3, 3], bytes: pixels } }, false),
  ),
  lmdb: set('data.mdb', async () =>
    lmdb((await members()).map(({ name, bytes }) => ({ key: name, value: bytes }))),
  ),
  tar: set(
    'a.tar',
    async () => tar(await members()),
    async () => gzipSync(tar(await members())),
  ),
  zip: set(
    'a.zip',
    async () => zip(await members()),
    async () => zip(await members(), false),
  ),
  parquet: set('a.parquet', () => parquet),
  list: {
    ...list,
    async read(path, bytes) {
      // The images that it names.
      for (const name of ['a.png', 'b.png'])
        await writeFile(join(path, '..', name), await png(1, 2, 3), { flag: 'wx' }).catch(() => {});
      await list.read(path, bytes);
    },
  },
  hdf5: set('a.hdf5', async () => {
    const path = join(await scratch(), 'images.hdf5');
    await writeHdf5(DataError, path, (file, hdf5) => {
      const data = { name: 'data', data: pixels, shape, chunks: [1, 5, 4, 3], compression: 4 };
      hdf5(() => file.create_dataset(data));
    });
    return readFile(path);
  }),
  features: {
    name: 'f.hdf5',
    seeds: async () => {
      const path = join(await scratch(), 'f.hdf5');
      const taps = ['a', 'logits'];
      await writeFeatures(path, { widths: [4, 3], count: 5, taps }, (append) =>
        append([new Float32Array(20), new Float32Array(15)]),
      );
      return [await readFile(path)];
    },
    async read(path) {
      const features = await openFeatures(path);
      try {
        for (const layer of features.widths.keys()) features.readLayer(layer);
      } finally {
        features.close();
      }
    },
  },
  configuration: {
    name: 'preprocessor_config.json',
    isJson: true,
    seeds: async () => [
      Buffer.from(
        JSON.stringify({
          ...{
            image_processor_type: 'ViTImageProcessor',
            do_resize: true,
            size: { height: 224, width: 224 },
          },
          ...{ resample: 2, do_normalize: true, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] },
          ...{ do_rescale: true, rescale_factor: 0.00392156862745098, do_center_crop: true, crop_size: 224 },
        }),
      ),
    ],
    read: (path) => findPreprocessing(join(path, '..', 'model.onnx')),
  },
  manifest: {
    name: 'manifest.json',
    isJson: true,
    seeds: async () => [
      Buffer.from(
        JSON.stringify({
          ...{ format: 1, program: 'la-ood 0' },
          steps: {
            fit: {
              ...{ key: 'a', settings: { nu: 1 }, inputs: { a: 'b' }, outputs: { c: 'd' }, results: {} },
              ...{ seconds: 1, finished: 'now', versions: {} },
            },
          },
        }),
      ),
    ],
    read: (path) => readManifest(join(path, '..')),
  },
};

/** 20 rows of 8 runs of three pixels. */
const runs = Uint8Array.from([
  ...Array.from({ length: 20 }, (_, y) => [
    ...Array.from({ length: 8 }, (_, x) => [3, x + y]).flat(),
    0,
    0,
  ]).flat(),
  0,
  1,
]);

/** A BMP of 24 × 20 pixels. */
function bitmap(bits: number, data: Uint8Array, compression = 0, colors = 0): Buffer {
  const head = Buffer.alloc(54 + 4 * colors);
  head.write('BM');
  head.writeUInt32LE(head.length, 10);
  head.writeUInt32LE(40, 14);
  head.writeInt32LE(24, 18);
  head.writeInt32LE(20, 22);
  head.writeUInt16LE(1, 26);
  head.writeUInt16LE(bits, 28);
  head.writeUInt32LE(compression, 30);
  head.writeUInt32LE(colors, 46);
  for (let i = 54; i < head.length; i++) head[i] = (i * 7) & 255;
  return Buffer.concat([head, data]);
}

async function scratch(): Promise<string> {
  return mkdtemp(join(process.env.LA_OOD_TEST_FOLDER!, 'seeds-'));
}

/** The size of an image may be refused where its pixels are not, and the other way round. */
function ignoreRefusal(error: Error): void {
  if (!('remedy' in error)) throw error;
}

/** Gives a reader's `read` what it asks for. */
export async function readBytes({ read, inMemory }: Reader, path: string, bytes: Uint8Array): Promise<void> {
  if (!inMemory) {
    // A new file: HDF5 takes one that lies at the same place on the disk for the one that it has read before.
    await rm(path, { force: true });
    await writeFile(path, bytes);
  }
  await read(path, bytes);
}
