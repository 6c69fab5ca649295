import { join } from 'node:path';
import { benchmarkOpenOod, methodNames, openOodNames, openOodText } from '../../index.ts';
import { givenNormalization, normalizationOptions } from '../classifier-options.ts';
import { command } from '../command.ts';
import { atLeastOne, bytesOf, device, given, memory } from '../options.ts';

export const benchmarkCommand = command({
  name: 'benchmark',
  summary: 'Runs the protocol of OpenOOD v1.5 over checkpoints, and puts its published figures beside.',
  goesOn: true,
  examples: [
    [
      'benchmark openood --ind cifar10 --data OpenOOD/data --model s0/best.ckpt s1/best.ckpt s2/best.ckpt',
      'every method, mean and deviation over three checkpoints',
    ],
    [
      'benchmark openood --ind cifar100 --data OpenOOD/data --model resnet18.onnx --methods msp energy knn',
      'three methods, one classifier',
    ],
    [
      'benchmark openood --ind cifar10 --data OpenOOD/data --model best.ckpt --full-spectrum',
      'and with corrupted test images as InD',
    ],
  ],
  positionals: {
    protocol: { describe: 'whose protocol', choices: ['openood'] },
  },
  options: {
    ind: { describe: 'the InD set', choices: openOodNames, demandOption: true },
    data: {
      type: 'string',
      demandOption: true,
      describe:
        "OpenOOD's data folder: benchmark_imglist, images_classic, images_largescale; sets that are missing are named",
    },
    model: {
      type: 'string',
      array: true,
      demandOption: true,
      describe: 'checkpoints or ONNX classifiers, one for each training run of a network',
    },
    methods: {
      type: 'string',
      array: true,
      default: ['all'],
      describe: `all, or of ${methodNames.join(', ')}`,
    },
    bank: {
      type: 'number',
      describe: 'training images that methods by neighbours keep, drawn at random; all by default',
      check: atLeastOne,
    },
    'full-spectrum': {
      type: 'boolean',
      describe: 'also with the shifted sets among the InD images',
    },
    run: {
      type: 'string',
      describe: 'where results go, and a run folder for each checkpoint; runs/openood-<ind> by default',
    },
    ...normalizationOptions,
    memory,
    device,
    batch: {
      type: 'number',
      describe: 'images a run; the fastest number where not given',
      check: atLeastOne,
    },
  },
  async run(options, onProgress, onLeftOut) {
    const { ind, data, model, methods, bank, fullSpectrum, mean, std, device, batch } = options;
    const folder = options.run ?? join('runs', `openood-${ind}`);
    const normalization = givenNormalization(mean, std);
    const report = await benchmarkOpenOod({
      ...{ ind, data, checkpoints: model, folder, methods, device, onProgress, onLeftOut },
      memory: bytesOf(options.memory),
      ...given({ bank, fullSpectrum, normalization, batch }),
    });
    return {
      result: { run: folder, ...report },
      text: `${openOodText(report)}\n\nWrote in ${folder}: ${report.files.join(', ')}.`,
      next: `Next: npx la-ood evaluate --run ${folder}/${report.checkpoints[0].run} compares methods on this run's features, once la-ood fit has fitted its detectors`,
    };
  },
});
