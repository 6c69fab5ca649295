import { extractFeatures, type FeatureReport, printable, RunFolder, UsageError } from '../../index.ts';
import { command } from '../command.ts';
import { namedSet } from '../named-set.ts';
import { atLeastOne, compat, device, given, runOptions, runPath, seed, setForms } from '../options.ts';
import { columns, duration } from '../text.ts';

export const featuresCommand = command({
  name: 'features',
  summary: "Computes the pooled values of every tap of a run's classifier over sets of images.",
  examples: [
    [
      'features --run runs/resnet20-cifar10 --ind cifar10 --train cifar/train --test cifar/test --ood svhn=svhn/test',
      'sets from folders',
    ],
    ['features --model resnet20 --ind cifar10 --ood pure_color ../tiny', 'two more OOD sets'],
    [
      'features --model resnet20 --ind cifar10 --ood gaussian_blur-3:cifar/test permuted:cifar/test',
      'the test images blurred, and with their pixels in random order',
    ],
  ],
  positionals: {},
  options: {
    ...runOptions,
    train: { type: 'string', describe: 'InD images to fit detectors on: [NAME=]SET' },
    test: { type: 'string', describe: 'InD images to test on: [NAME=]SET' },
    ood: {
      type: 'string',
      array: true,
      describe: `OOD images: [NAME=]SET … A set is ${setForms}`,
    },
    device,
    batch: {
      type: 'number',
      describe: 'images a run; the fastest number where not given',
      check: atLeastOne,
    },
    seed: { type: 'number', describe: 'seed of generated sets', default: 0, check: seed },
    compat,
    'exif-orientation': {
      type: 'boolean',
      describe: 'turn image files as their EXIF orientation says; the original does not',
    },
    'skip-damaged': {
      type: 'boolean',
      describe: 'leave out images that cannot be decoded, and say how many they are',
    },
  },
  async run(options, onProgress) {
    const { ind, train, test, ood = [], device, batch, seed, compat, exifOrientation, skipDamaged } = options;
    const path = runPath(options);
    if (!train && !test && ood.length === 0)
      throw new UsageError('la-ood features', 'no set was given', 'name one with --train, --test or --ood');
    const sets = given({
      train: train === undefined ? train : await namedSet('--train', train, ind),
      test: test === undefined ? test : await namedSet('--test', test, ind),
      ood: await Promise.all(ood.map((set) => namedSet('--ood', set))),
    });
    const reports = await RunFolder.use(path, (run) =>
      extractFeatures(run, {
        ...sets,
        ...given({ batch, compat, skipDamaged, orient: exifOrientation }),
        device,
        seed,
        onProgress,
      }),
    );
    return {
      result: { run: path, sets: reports },
      text: `${table(reports)}\n${left(reports)}Wrote in ${path}: ${reports.map(({ set }) => `features/${set}.hdf5`).join(', ')}.`,
      next: train
        ? `Next: la-ood fit --run ${path}`
        : `Next: la-ood evaluate --run ${path}, once la-ood fit has fitted the detectors`,
    };
  },
});

/** What was left out of the sets, a line each. */
function left(reports: readonly FeatureReport[]): string {
  return reports
    .filter(({ skipped }) => skipped?.length)
    .map(({ set, images, skipped = [] }) => {
      const some = skipped.slice(0, 5).map((name) => printable(name));
      const names = `${some.join(', ')}${skipped.length > some.length ? ', …' : ''}`;
      return `Skipped ${skipped.length} of ${images + skipped.length} images of ${set}, which cannot be decoded: ${names}.\n`;
    })
    .join('');
}

function table(reports: readonly FeatureReport[]): string {
  return columns(
    ['set', 'images', 'accuracy', 'device', 'time'],
    reports.map(({ set, images, accuracy, device, seconds, done }) => [
      set,
      images,
      accuracy === undefined ? '' : `${(100 * accuracy).toFixed(2)} %`,
      device ?? '',
      done === 'now' ? duration(seconds) : 'done before',
    ]),
  );
}
