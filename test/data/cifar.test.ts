import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { openImageSet } from '../../data/open.ts';
import { DataError } from '../../src/common/errors.ts';
import { temporaryFolder } from './images.ts';
import { rejection } from './rejection.ts';

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
