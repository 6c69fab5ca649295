import { extractFeatures, RunFolder, UsageError } from '../../index.ts';
import { classifierOptions, classifierPositional, classifierRun } from '../classifier-options.ts';
import { command } from '../command.ts';
import { featureTable } from '../feature-table.ts';
import { namedSet, oodSet } from '../named-set.ts';
import {
  bytesOf,
  compat,
  device,
  given,
  imageOptions,
  memory,
  runOptions,
  seed,
  setForms,
} from '../options.ts';
import { noteLines } from '../terminal-text.ts';

export const featuresCommand = command({
  name: 'features',
  summary: "Computes the pooled values of every tap of a run's classifier over sets of images.",
  goesOn: true,
  examples: [
    [
      'features --run runs/resnet20-cifar10 --ind cifar10 --train cifar/train --test cifar/test --ood svhn=svhn/test',
      'sets from folders',
    ],
    [
      'features --model resnet20 --ind cifar10 --ood near:cifar100=cifar-100-python.tar.gz:test far:pure_color',
      'two more OOD sets, a near and a far one',
    ],
    [
      'features --model resnet20 --ind cifar10 --ood shifted:gaussian_blur-3:cifar/test permuted:cifar/test',
      'the test images blurred, and with their pixels in random order',
    ],
    [
      'features mobilenet.onnx --test photos/test --ood textures --mean .485 .456 .406 --std .229 .224 .225',
      'any ONNX classifier, in runs/mobilenet',
    ],
  ],
  positionals: { classifier: classifierPositional },
  options: {
    ...runOptions,
    train: {
      type: 'string',
      describe: 'InD images to fit detectors on, some of them corrupted too: [NAME=]SET',
    },
    test: { type: 'string', describe: 'InD images to test on: [NAME=]SET' },
    ood: {
      type: 'string',
      array: true,
      describe: `OOD images: [near:|far:|shifted:][NAME=]SET … near: other classes of the same kind of images, far: images of another kind, shifted: InD classes under other conditions; tables keep them apart. A set is ${setForms}`,
    },
    deviations: {
      type: 'string',
      array: true,
      describe: "taps whose standard deviation over positions is stored beside the mean; 'all' of them",
    },
    corrupted: {
      type: 'number',
      describe:
        'training images that are changed in each of several ways, for what a guard says of conditions; 200 where not given, 0 for none',
      check: (count: number) =>
        Number.isInteger(count) && count >= 0 ? undefined : 'must be a whole number',
    },
    device,
    seed: { type: 'number', describe: 'seed of generated sets', default: 0, check: seed },
    compat,
    memory,
    ...imageOptions,
    ...classifierOptions,
  },
  async run(options, onProgress, onLeftOut) {
    const { ind, train, test, ood = [], corrupted, deviations, device, batch, seed, compat } = options;
    const { exifOrientation, skipDamaged } = options;
    const { path, adopt } = classifierRun('features', options);
    if (!train && !test && ood.length === 0)
      throw new UsageError('la-ood features', 'no set was given', 'name one with --train, --test or --ood');
    const sets = given({
      train: train === undefined ? train : await namedSet('--train', train, ind),
      test: test === undefined ? test : await namedSet('--test', test, ind),
      ood: await Promise.all(ood.map((set) => oodSet('--ood', set))),
    });
    const { notes, reports } = await RunFolder.use(path, async (run) => {
      const notes = await adopt(run, onProgress);
      const reports = await extractFeatures(run, {
        ...sets,
        ...given({ batch, compat, corrupted, skipDamaged, orient: exifOrientation }),
        ...given({ deviations: deviations?.includes('all') ? ('all' as const) : deviations }),
        device,
        memory: bytesOf(options.memory),
        seed,
        onProgress,
        onLeftOut,
      });
      return { notes, reports };
    });
    return {
      result: { run: path, notes, sets: reports },
      text: [
        ...noteLines(notes),
        featureTable(reports),
        `Wrote in ${path}: ${reports.map(({ set }) => `features/${set}.hdf5`).join(', ')}.`,
      ].join('\n'),
      next: train
        ? `Next: npx la-ood fit --run ${path}`
        : `Next: npx la-ood evaluate --run ${path}, once la-ood fit has fitted the detectors`,
    };
  },
});
