import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import h5wasm from 'h5wasm/node';
import { openFeatures } from '../../../converters/hdf5/open-features.ts';
import { type FeatureLayout, writeFeatures } from '../../../converters/hdf5/write-features.ts';
import { FeatureError } from '../../../src/common/errors.ts';

describe('feature files', () => {
  let folder: string;
  let path: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-features-'));
    path = join(folder, 'cifar10_test.hdf5');
  });
  after(() => rm(folder, { recursive: true }));

  /** Feature c of row r of layer l, different everywhere. */
  const feature = (l: number, r: number, c: number) => Math.fround(l + r / 1000 + c / 7);
  const rowsOf = (layer: number, width: number, start: number, count: number) =>
    Float32Array.from({ length: count * width }, (_, i) =>
      feature(layer, start + Math.floor(i / width), i % width),
    );

  async function write(layout: FeatureLayout, batch: number): Promise<void> {
    await writeFeatures(path, layout, (append) => {
      for (let start = 0; start < layout.count; start += batch) {
        const count = Math.min(batch, layout.count - start);
        append(layout.widths.map((width, layer) => rowsOf(layer, width, start, count)));
      }
    });
  }

  it('come back as they were written, whatever the batches', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: 1, max: 100 }),
        fc.constantFrom('float32' as const, 'float64' as const),
        async (widths, count, batch, precision) => {
          await write({ widths, count, precision }, batch);
          const features = await openFeatures(path);
          expect(features.widths).to.deep.equal(widths);
          expect(features.count).to.equal(count);
          widths.forEach((width, layer) => {
            expect(features.readLayer(layer, { finite: true })).to.deep.equal(rowsOf(layer, width, 0, count));
          });
          const start = Math.floor(count / 2);
          expect(features.readLayerRows(0, start, count - start)).to.deep.equal(
            rowsOf(0, widths[0], start, count - start),
          );
          features.close();
        },
      ),
      { numRuns: 25 },
    );
  });

  it('are written and read over several chunks', async () => {
    const layout = { widths: [2000, 600], count: 2500 };
    await write(layout, 128);
    const features = await openFeatures(path);
    // Chai compares millions of numbers slowly.
    const isSame = (one: Float32Array, other: Float32Array) =>
      one.length === other.length && one.every((value, i) => value === other[i]);
    expect(isSame(features.readLayer(1) as Float32Array, rowsOf(1, 600, 0, 2500))).to.equal(true);
    expect(isSame(features.readLayerRows(0, 990, 1300) as Float32Array, rowsOf(0, 2000, 990, 1300))).to.equal(
      true,
    );
    features.close();
  });

  it('carry tap names and where they come from', async () => {
    const attributes = {
      dataset: 'cifar10_test',
      'backbone sha256': 'ab'.repeat(32),
      program: 'la-ood 0.1.0',
      ü: 'ß',
    };
    await write({ widths: [2, 3], count: 4, taps: ['conv1', 'blöck'], attributes }, 4);
    const features = await openFeatures(path);
    expect(features.taps).to.deep.equal(['conv1', 'blöck']);
    expect(features.attributes).to.deep.include(attributes);
    features.close();
  });

  it('have the same bytes whenever they are written', async () => {
    await write({ widths: [5, 6], count: 50, taps: ['a', 'b'] }, 20);
    const first = await readFile(path);
    await new Promise((done) => setTimeout(done, 1100)); // HDF5 stores whole seconds
    await write({ widths: [5, 6], count: 50, taps: ['a', 'b'] }, 7);
    expect((await readFile(path)).equals(first)).to.equal(true);
  });

  it('appear whole or not at all', async () => {
    const target = join(folder, 'unfinished.hdf5');
    const layout = { widths: [2], count: 3 };
    await rejects(
      writeFeatures(target, layout, (append) => append([new Float32Array(4)])),
      /only 2 rows of the 3/,
    );
    await rejects(
      writeFeatures(target, layout, (append) => append([new Float32Array(8)])),
      /more than the 3 rows/,
    );
    await rejects(
      writeFeatures(target, layout, (append) => append([new Float32Array(3)])),
      /rows of 3 values do not fit layers of width 2/,
    );
    await rejects(
      writeFeatures(target, { widths: [], count: 3 }, () => {}),
      /no features to write/,
    );
    expect(await readdir(folder)).to.not.include('unfinished.hdf5');
    expect((await readdir(folder)).filter((name) => name.endsWith('.part'))).to.deep.equal([]);
  });

  it('are refused with one clear line where they are damaged', async () => {
    await write({ widths: [2, 3], count: 100 }, 100);
    const features = await openFeatures(path);
    expect(() => features.readLayer(2)).to.throw(FeatureError, 'has no layer 2, only 0 to 1');
    features.close();

    await truncate(path, 2500);
    await rejects(openFeatures(path), /cannot be opened \(File has been truncated\); make it again/);
    await write({ widths: [2, 3], count: 100 }, 100); // and the failure is not remembered
    (await openFeatures(path)).close();

    await rejects(openFeatures(join(folder, 'nowhere.hdf5')), /there is no such file/);
    await rejects(openFeatures(folder), /cannot be read \(EISDIR\)/);
    await writeFile(path, '');
    await rejects(openFeatures(path), /is empty/);
    await writeFile(path, 'PK\x03\x04 a torch archive');
    await rejects(openFeatures(path), /is not an HDF5 file/);
  });

  it('are refused where damaged bytes keep the library busy, or make it fail, and others are read on', async () => {
    await write({ widths: [2, 3], count: 100 }, 100);
    const sound = await openFeatures(path);
    const hostile = join(folder, 'hostile.hdf5');
    await writeFeatures(hostile, { widths: [4, 3], count: 5, taps: ['a', 'logits'] }, (append) =>
      append([new Float32Array(20), new Float32Array(15)]),
    );
    const bytes = await readFile(hostile);
    const heap = bytes.indexOf('GCOL');
    // An object of the heap that takes no room: the library looks for the next one for ever.
    const shifted = [
      bytes.subarray(0, heap + 16),
      Buffer.from('000010000000000000', 'hex'),
      bytes.subarray(heap + 16),
    ];
    await writeFile(hostile, Buffer.concat(shifted));
    await rejects(
      openFeatures(hostile),
      /is damaged \(keeps the HDF5 library busy for more than 3 s\); make it again/,
    );
    expect(sound.readLayer(1)).to.deep.equal(rowsOf(1, 3, 0, 100));
    // Another version of it.
    bytes[heap + 4] = 0x81;
    await writeFile(hostile, bytes);
    await rejects(openFeatures(hostile), /is damaged/);
    // The name of an attribute, which is no UTF-8.
    bytes[heap + 4] = 1;
    bytes[bytes.indexOf('taps\0')] = 0xfe;
    await writeFile(hostile, bytes);
    await rejects(openFeatures(hostile), /is damaged \(.*name not defined.*\); make it again/);
    expect(sound.readLayer(0)).to.deep.equal(rowsOf(0, 2, 0, 100));
    sound.close();
  });

  it('are refused where they claim more than their bytes can hold', async () => {
    await h5wasm.ready;
    const made = new h5wasm.File(resolve(path), 'w');
    const layer = { name: '0', data: new Float32Array(0), shape: [0, 1000], maxshape: [1e9, 1000] };
    made.create_dataset({ ...layer, chunks: [10, 1000] }).resize([1e9, 1000]);
    made.close();
    await rejects(openFeatures(path), /is damaged \(claims 4000000000000 bytes of 0 in a file of \d+\)/);
  });

  it('are refused where their layers do not fit together', async () => {
    const file = async (contents: Record<string, { shape: number[]; dtype?: string }>, taps?: string) => {
      await h5wasm.ready;
      const made = new h5wasm.File(resolve(path), 'w');
      for (const [name, { shape, dtype }] of Object.entries(contents)) {
        const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
        made.create_dataset({ name, data: dtype ? Array.from(data) : data, shape, dtype });
      }
      if (taps) made.create_attribute('taps', taps);
      made.close();
    };
    await file({ data: { shape: [2, 32, 32, 3] } });
    await rejects(openFeatures(path), /holds no layers named 0, 1, …, but "data"/);
    await file({ 0: { shape: [2, 3] }, 2: { shape: [2, 3] } });
    await rejects(openFeatures(path), /layer 1 is missing among 2 layers/);
    await file({ 0: { shape: [2, 3] }, 1: { shape: [4, 3] } });
    await rejects(openFeatures(path), /layer 0 has 2 rows, layer 1 has 4/);
    await file({ 0: { shape: [2, 3, 8, 8] } });
    await rejects(openFeatures(path), /layer 0 has shape \[2,3,8,8\], not N x C; pool/);
    await file({ 0: { shape: [2, 3], dtype: '<i' } });
    await rejects(openFeatures(path), /layer 0 holds values of type "<i"/);
    await file({ 0: { shape: [2, 3] } }, '["a","b"]');
    await rejects(openFeatures(path), /"taps" is not a JSON list of 1 names/);
    await file({ 0: { shape: [2, 3] }, labels: { shape: [2] } });
    const features = await openFeatures(path);
    expect(features.layers).to.equal(1);
    features.close();
  });

  it('name the first feature that is not finite, where that is asked for', async () => {
    const values = rowsOf(0, 3, 0, 9);
    values[16] = Number.NaN;
    await writeFeatures(path, { widths: [3], count: 9, taps: ['conv1'] }, (append) => append([values]));
    const features = await openFeatures(path);
    expect(features.readLayer(0)[16]).to.be.NaN;
    expect(() => features.readLayerRows(0, 2, 5, { finite: true })).to.throw(
      FeatureError,
      'layer 0 (conv1), row 5: a feature is NaN',
    );
    features.close();
  });
});

async function rejects(promise: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(FeatureError);
  expect((error as Error).message)
    .to.match(message)
    .and.not.include('\n');
}
