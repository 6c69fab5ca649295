import {
  architectureNames,
  RunFolder,
  schedules,
  type TrainReport,
  trainBackbone,
  UsageError,
} from '../../index.ts';
import { classifierName, givenNormalization, normalizationOptions } from '../classifier-options.ts';
import { command } from '../command.ts';
import { given, imageOptions, runOptions, runPath } from '../options.ts';
import { columns, duration, plural } from '../terminal-text.ts';
import { givenOfTraining, schedule, trainingOptions } from '../training-options.ts';

const { batch: _batch, ...readingOptions } = imageOptions;

export const trainCommand = command({
  name: 'train',
  summary: 'Trains a backbone, from scratch or from the weights of one that there is.',
  goesOn: true,
  examples: [
    [
      'train --model vgg16 --ind cifar10 --train cifar10/train --test cifar10/test',
      "from scratch, by the original's recipe",
    ],
    [
      'train --from densenet100.onnx --run runs/tuned --train photos/train --test photos/test --epochs 3 --lr .01',
      'fine-tuning',
    ],
    [
      'train --run runs/drawn --arch resnet20 --train demo:train:16000 --test demo:test --epochs 20 --schedule cosine --weight-decay 5e-4 --crop 2',
      'a backbone for the demo',
    ],
  ],
  positionals: {},
  options: {
    ...runOptions,
    train: { type: 'string', demandOption: true, describe: 'images to learn from, with classes: SET' },
    test: { type: 'string', demandOption: true, describe: 'images to test on after each epoch: SET' },
    from: { type: 'string', describe: 'a backbone whose weights to begin with; nothing is drawn then' },
    arch: { type: 'string', describe: `architecture, by default --model: ${architectureNames.join(', ')}` },
    ...trainingOptions,
    schedule,
    ...normalizationOptions,
    ...readingOptions,
  },
  async run(options, onProgress, onLeftOut) {
    const { train, test, from, model, exifOrientation: orient, skipDamaged } = options;
    const arch = from === undefined ? (options.arch ?? model) : options.arch;
    if (from === undefined && arch === undefined)
      throw new UsageError(
        '--arch',
        'is missing',
        'name what to train: --arch, --model, or --from a backbone',
      );
    if (from !== undefined && options.arch !== undefined)
      throw new UsageError('--arch', 'is that of --from', 'leave it out');
    const normalization = givenNormalization(options.mean, options.std);
    if (from !== undefined && normalization)
      throw new UsageError('--mean', 'is that of --from', 'leave it out');
    const { recipe, ...training } = givenOfTraining(options);
    const { schedule } = options;
    const path = runPath(options, from === undefined ? undefined : `${classifierName(from)}-tuned`);
    const report = await RunFolder.use(path, (run) =>
      trainBackbone(run, {
        ...{ train, test, ...training, onProgress, onLeftOut },
        ...given({ arch, from, normalization, orient, skipDamaged }),
        recipe: { ...recipe, ...(schedule && { schedule: schedules[schedule] }) },
      }),
    );
    return {
      result: { run: path, ...report },
      text: describe(path, report),
      next: [
        `Next: npx la-ood features --run ${path} --ind NAME --train ${train} --test ${test} --ood FOLDER pure_color`,
        `      npx la-ood export ${path}/backbone.onnx weights.pth   the same weights for PyTorch`,
      ].join('\n'),
    };
  },
});

/** The epochs, or the last ten of them, and which one was kept. */
function describe(path: string, { epochs, best, engine, files, seconds, done }: TrainReport): string {
  const percent = (share: number) => (100 * share).toFixed(2);
  const rows = epochs
    .slice(-10)
    .map((e) => [
      ...[e.epoch, e.rate.toPrecision(3), e.trainLoss.toFixed(4), percent(e.trainAccuracy)],
      ...[e.testLoss.toFixed(4), percent(e.testAccuracy)],
    ]);
  const took = done === 'now' ? `in ${duration(seconds)}` : 'before';
  return [
    columns(['epoch', 'rate', 'train loss', 'accuracy %', 'test loss', 'accuracy %'], rows),
    '',
    `Trained ${plural(epochs.length, 'epoch')} on ${engine} ${took}; kept epoch ${best.epoch}: ${percent(best.testAccuracy)} % of the test images.`,
    `Wrote in ${path}: ${files.join(', ')}.`,
  ].join('\n');
}
