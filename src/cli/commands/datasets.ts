import { join } from 'node:path';
import { type DatasetReport, RunFolder, UsageError, writeDatasets } from '../../index.ts';
import { command } from '../command.ts';
import { namedSet } from '../named-set.ts';
import { atLeastOne, compat, given, imageOptions, seed, setForms } from '../options.ts';
import { columns, duration, plural } from '../terminal-text.ts';

const { batch: _, ...readOptions } = imageOptions;

export const datasetsCommand = command({
  name: 'datasets',
  summary: "Writes sets of images as the original's dataset files: HDF5, N×H×W×3, all images of one size.",
  goesOn: true,
  examples: [
    [
      'datasets --train cifar10=cifar-10-python.tar.gz:train --test cifar10=cifar-10-python.tar.gz:test',
      'datasets/cifar10_train.hdf5 and datasets/cifar10.hdf5',
    ],
    [
      'datasets --ood svhn=test_32x32.mat tiny=tiny-imagenet-200.zip:test dtd=dtd-r1.0.1.tar.gz pure_color',
      'OOD sets, each cut to 10,000 images',
    ],
    ['datasets --compat original --ood svhn=test_32x32.mat', 'in float64, as the original'],
  ],
  positionals: {},
  options: {
    train: { type: 'string', describe: 'InD images to fit on, all of them: [NAME=]SET' },
    test: { type: 'string', describe: 'InD images to test on, all of them: [NAME=]SET' },
    ood: { type: 'string', array: true, describe: `OOD images: [NAME=]SET … A set is ${setForms}` },
    output: { type: 'string', default: 'datasets', describe: 'folder to write into' },
    size: { type: 'number', default: 32, describe: 'height and width of the images', check: side },
    limit: {
      type: 'number',
      default: 10_000,
      describe: 'images that are kept of a larger OOD set, chosen at random by the seed',
      check: atLeastOne,
    },
    seed: { type: 'number', describe: 'seed of the choice, and of generated sets', default: 0, check: seed },
    compat,
    ...readOptions,
  },
  async run({ train, test, ood = [], output, size: side, ...options }, onProgress, onLeftOut) {
    if (!train && !test && ood.length === 0)
      throw new UsageError('la-ood datasets', 'no set was given', 'name one with --train, --test or --ood');
    const { limit, seed, compat, exifOrientation: orient, skipDamaged } = options;
    const sets = given({
      train: train === undefined ? train : await namedSet('--train', train),
      test: test === undefined ? test : await namedSet('--test', test),
      ood: await Promise.all(ood.map((set) => namedSet('--ood', set))),
    });
    const settings = { side, limit, seed, ...given({ compat, orient, skipDamaged }), onProgress, onLeftOut };
    const reports = await RunFolder.use(output, (folder) => writeDatasets(folder, { ...sets, ...settings }));
    const file = (set: string) => join(output, `${set}.hdf5`);
    return {
      result: { folder: output, sets: reports.map((report) => ({ ...report, file: file(report.set) })) },
      text: `${table(reports)}\n${notes(reports)}Wrote in ${output}: ${reports.map(({ set }) => `${set}.hdf5`).join(', ')}.`,
      next: `Next: npx la-ood features --model NAME --ind NAME ${[
        ...(sets.train ? ['--train', file(`${sets.train.name}_train`)] : []),
        ...(sets.test ? ['--test', file(sets.test.name)] : []),
        ...(ood.length > 0 ? ['--ood', ...sets.ood!.map(({ name }) => file(name))] : []),
      ].join(' ')}`,
    };
  },
});

/** 4,096 pixels are far beyond what a classifier takes. */
function side(value: number): string | undefined {
  return Number.isInteger(value) && value >= 1 && value <= 4096
    ? undefined
    : 'must be a whole number from 1 to 4096';
}

function table(reports: readonly DatasetReport[]): string {
  return columns(
    ['set', 'images', 'of', 'time', ''],
    reports.map(({ set, images, of, seconds, done }) => [
      set,
      images,
      of,
      duration(seconds),
      done === 'before' ? 'was there' : '',
    ]),
  );
}

function notes(reports: readonly DatasetReport[]): string {
  return reports
    .filter(({ skipped }) => skipped && skipped.length > 0)
    .map(
      ({ set, skipped }) =>
        `Skipped ${plural(skipped!.length, 'image')} of ${set}, which cannot be decoded.\n`,
    )
    .join('');
}
