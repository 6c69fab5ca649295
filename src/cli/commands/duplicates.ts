import { type DuplicateReport, findDuplicates, printable } from '../../index.ts';
import { command } from '../command.ts';
import { columns, thousands } from '../terminal-text.ts';

/** Pairs that are printed of each set. */
const PRINTED = 10;

export const duplicatesCommand = command({
  name: 'duplicates',
  summary:
    'Finds images that are in two sets, the same or nearly so: OOD or test images that were trained on.',
  examples: [
    [
      'duplicates cifar10/train cifar10/test tiny-imagenet-200.zip:test',
      'InD first, then what is compared with it',
    ],
    ['duplicates datasets/cifar10_train.hdf5 datasets/svhn.hdf5 --json', 'every pair'],
  ],
  positionals: {
    ind: { describe: 'the set that the others are compared with: any set of images' },
    others: { describe: 'sets of images', array: true },
  },
  options: {},
  async run({ ind, others }, onProgress, onLeftOut) {
    const report = await findDuplicates(ind, others, { onProgress, onLeftOut });
    return { result: report, text: describe(report), next: advice(report) };
  },
});

function describe({ set, images, others }: DuplicateReport): string {
  const table = columns(
    ['set', 'images', 'exact', 'near'],
    others.map(({ set, images, exact, near }) => [set, images, exact, near]),
  );
  const pairs = others.flatMap(({ set, duplicates }) =>
    duplicates.length === 0
      ? []
      : [
          '',
          ...duplicates
            .slice(0, PRINTED)
            .map(
              ({ image, of, exact }) =>
                `${set}: ${printable(image)} is ${exact ? '' : 'nearly '}${printable(of)}`,
            ),
          ...(duplicates.length > PRINTED
            ? [`${set}: and ${thousands(duplicates.length - PRINTED)} more, which --json lists`]
            : []),
        ],
  );
  return [`Compared with the ${thousands(images)} images of ${set}:`, '', table, ...pairs].join('\n');
}

function advice({ set, others }: DuplicateReport): string {
  const found = others.some(({ duplicates }) => duplicates.length > 0);
  return found
    ? 'Next: look at the pairs, and take those out that are one image, or do not call that set OOD'
    : `Next: nothing; no image of ${set} is in these sets`;
}
