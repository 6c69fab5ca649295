import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { openImageSet } from '../../../data/open.ts';
import { DataError } from '../../../src/common/errors.ts';
import { PickleAssembler } from '../../../src/common/pickle/assembler.ts';
import { opcodes } from '../../../src/common/pickle/opcodes.ts';
import { temporaryFolder } from '../images.ts';
import { rejection } from '../rejection.ts';

const size = { height: 32, width: 32 };

/** Record `index` of a batch: its labels, then planes of which every byte says where it belongs. */
function record(index: number, labels: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(labels.length + 3072);
  bytes.set(labels);
  for (let i = 0; i < 3072; i++) bytes[labels.length + i] = pixel(index, Math.floor(i / 1024), i % 1024);
  return bytes;
}

const pixel = (index: number, channel: number, place: number) => (50 * index + 31 * channel + place) & 255;

const expectedImage = (index: number) =>
  Uint8Array.from({ length: 3072 }, (_, i) => pixel(index, i % 3, Math.floor(i / 3)));

/** A batch as Python 2 pickled it: bytes are str, of one byte a character. */
function python2Batch(labelKey: string, labels: readonly number[], images: Uint8Array): Uint8Array {
  const pickle = new PickleAssembler().protocol(2).emit('EMPTY_DICT', 'MARK');
  pickle.emit(str(labelKey), 'EMPTY_LIST', 'MARK');
  for (const label of labels) pickle.int(label);
  pickle.emit('APPENDS', str('data')).global('numpy.core.multiarray', '_reconstruct').emit('MARK');
  pickle.global('numpy', 'ndarray').ints([0]).emit(str('b'), 'TUPLE', 'REDUCE', 'MARK').int(1);
  pickle.ints([labels.length, 3072]).global('numpy', 'dtype').emit('MARK', str('u1')).int(0).int(1);
  pickle.emit('TUPLE', 'REDUCE', 'MARK').int(3).emit(str('|'), 'NONE', 'NONE', 'NONE').int(0).int(0).int(0);
  pickle.emit('TUPLE', 'BUILD', 'NEWFALSE', str(images), 'TUPLE', 'BUILD');
  return pickle.emit('SETITEMS', 'STOP').bytes();
}

/** A BINSTRING instruction. */
function str(content: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(content);
  const head = Buffer.alloc(5);
  head.writeUInt8(opcodes.BINSTRING, 0);
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

describe('CIFAR Python batches', () => {
  const folder = temporaryFolder();
  const images = (first: number, count: number) =>
    Buffer.concat(Array.from({ length: count }, (_, i) => record(first + i, [])));

  before(async () => {
    for (const name of ['cifar-10', 'cifar-100']) await mkdir(folder.at(name));
    for (let batch = 1; batch <= 5; batch++)
      await writeFile(
        folder.at(`cifar-10/data_batch_${batch}`),
        python2Batch('labels', [batch, 0], images(2 * batch, 2)),
      );
    for (const part of ['train', 'test'])
      await writeFile(folder.at('cifar-100', part), python2Batch('fine_labels', [42, 99, 7], images(0, 3)));
  });

  it('are one set over the five files of CIFAR-10', async () => {
    const set = await openImageSet(`${folder.at('cifar-10')}:train`);
    expect(set.length).to.equal(10);
    expect([0, 1, 8].map(set.label)).to.deep.equal([1, 0, 5]);
    expect(set.imageName(9)).to.equal('data_batch_5/1');
    const pixels = await set.read(1, 3, size);
    for (let i = 0; i < 3; i++)
      expect(pixels.subarray(3072 * i, 3072 * (i + 1))).to.deep.equal(expectedImage(i + 3));
  });

  it('have the fine label in CIFAR-100', async () => {
    const set = await openImageSet(`${folder.at('cifar-100')}:test`);
    expect([0, 1, 2].map(set.label)).to.deep.equal([42, 99, 7]);
    expect(await set.read(2, 1, size)).to.deep.equal(expectedImage(2));
  });

  it('that are damaged or hostile are named, and nothing is executed', async () => {
    const file = folder.at('cifar-100/train');
    const messages: [Uint8Array, RegExp][] = [
      [
        python2Batch('fine_labels', [1, 2], images(0, 2)).subarray(0, 5000),
        /train at byte \d+: is cut short/,
      ],
      [python2Batch('labels', [1], images(0, 1)), /train: is no CIFAR batch: it has no list of fine_labels/],
      [python2Batch('fine_labels', [1, 2], images(0, 1)), /holds an array of 6144 elements in 3072 bytes/],
      [
        new PickleAssembler().protocol(2).global('os', 'system').emit('STOP').bytes(),
        /names os\.system, which is not on the list of harmless names and was not executed/,
      ],
    ];
    for (const [bytes, message] of messages) {
      await writeFile(file, bytes);
      const error = await rejection(openImageSet(`${folder.at('cifar-100')}:train`), DataError);
      expect(error.message).to.match(message);
    }
  });
});

describe('CIFAR binary batches', () => {
  const folder = temporaryFolder();

  before(async () => {
    await mkdir(folder.at('cifar-10'));
    for (let batch = 1; batch <= 5; batch++)
      await writeFile(
        folder.at(`cifar-10/data_batch_${batch}.bin`),
        Buffer.concat([0, 1, 2].map((i) => record(3 * (batch - 1) + i, [(batch + i) % 10]))),
      );
    await writeFile(folder.at('cifar-10/test_batch.bin'), record(7, [9]));
    await writeFile(folder.at('cifar-10/batches.meta.txt'), 'airplane\nautomobile\nbird\n\n');
    await mkdir(folder.at('cifar-100'));
    for (const part of ['train', 'test'])
      await writeFile(
        folder.at(`cifar-100/${part}.bin`),
        Buffer.concat([record(0, [3, 42]), record(1, [4, 99])]),
      );
  });

  it('are one set over the five files of CIFAR-10', async () => {
    const set = await openImageSet(`${folder.at('cifar-10')}:train`);
    expect(set.length).to.equal(15);
    expect(set.name).to.equal('cifar-10_train');
    expect(set.classes).to.deep.equal(['airplane', 'automobile', 'bird']);
    expect([0, 3, 14].map(set.label)).to.deep.equal([1, 2, 7]);
    expect(set.imageName(4)).to.equal('data_batch_2.bin/1');
    const pixels = await set.read(1, 7, size);
    for (let i = 0; i < 7; i++)
      expect(pixels.subarray(3072 * i, 3072 * (i + 1))).to.deep.equal(expectedImage(i + 1));
  });

  it('have the fine label in CIFAR-100', async () => {
    const set = await openImageSet(`${folder.at('cifar-100')}:test`, { name: 'hundred' });
    expect([0, 1].map(set.label)).to.deep.equal([42, 99]);
    expect(await set.read(1, 1, size)).to.deep.equal(expectedImage(1));
    expect(set.name).to.equal('hundred');
  });

  it('are read at the same time as well as one after the other', async () => {
    const set = await openImageSet(`${folder.at('cifar-10')}:train`);
    const starts = [0, 4, 8, 1, 11];
    for (const round of [1, 2]) {
      const read = await Promise.all(starts.map((start) => set.read(start, 3, size)));
      starts.forEach((start, i) => {
        const expected = [0, 1, 2].map((k) => expectedImage(start + k));
        expect(Buffer.concat(expected).equals(read[i]), `round ${round}, from ${start}`).to.equal(true);
      });
    }
  });

  it('are resized like any other image', async () => {
    const set = await openImageSet(`${folder.at('cifar-10')}:test`);
    expect(await set.read(0, 1, { height: 64, width: 48 })).to.have.length(64 * 48 * 3);
  });

  it('ask for the part', async () => {
    const { message } = await rejection(openImageSet(folder.at('cifar-10')), DataError);
    expect(message).to.match(/holds CIFAR batches to train and to test on; say .*:train or :test$/);
  });

  it('that are cut short or missing are named', async () => {
    await truncate(folder.at('cifar-10/data_batch_4.bin'), 2 * 3073 + 1000);
    const open = () => openImageSet(`${folder.at('cifar-10')}:train`);
    expect((await rejection(open(), DataError)).message).to.match(
      /data_batch_4\.bin: is cut short: 7146 bytes are not a whole number of 3073-byte records; download it again$/,
    );
    await rm(folder.at('cifar-10/data_batch_4.bin'));
    expect((await rejection(open(), DataError)).message).to.match(
      /cifar-10: lacks the CIFAR batch data_batch_4\.bin/,
    );
  });
});
