import { aggregations, detectorKinds, type EarlyExitReport, guardRun, RunFolder } from '../../index.ts';
import { command } from '../command.ts';
import { device, given, properShare, runOptions, runPath, seed } from '../options.ts';
import { columns, duration, plural } from '../text.ts';

export const guardCommand = command({
  name: 'guard',
  summary:
    'Writes guarded.onnx: one file that classifies, scores and decides at a false-alarm rate you choose.',
  examples: [
    ['guard --run runs/resnet20-cifar10', 'calls 5 % of InD images OOD'],
    ['guard --model vgg16 --ind cifar10 --false-alarms .01', 'calls 1 %'],
    ['guard --run runs/resnet20-cifar10 --detector gaussian', 'needs no la-ood fit'],
    ['guard --run runs/resnet20-cifar10 --aggregation max', "the paper's score"],
  ],
  positionals: {},
  options: {
    ...runOptions,
    'false-alarms': {
      type: 'number',
      default: 0.05,
      describe: 'share of InD images that may be called OOD',
      check: properShare,
    },
    confidence: {
      type: 'number',
      default: 0.95,
      describe: 'of the upper bound that is stated for that share',
      check: properShare,
    },
    detector: {
      array: true,
      choices: detectorKinds,
      describe:
        "what watches the layers, one kind or several; gaussian, ocsvm (the paper's, of la-ood fit) and probe (of corrupted training images) where not given",
    },
    aggregation: {
      choices: aggregations,
      default: 'evidence',
      describe:
        "how layers become one score: what they and the logits' energy say together, or the paper's maximum, of ocsvm where no detector is given",
    },
    'early-exit': {
      type: 'boolean',
      default: false,
      describe:
        'write guarded-early-exit.onnx too: images leave the network as soon as they are seen to be OOD',
    },
    seed: { type: 'number', default: 0, describe: 'seed of the split of the held-out images', check: seed },
    device,
  },
  async run(options, onProgress) {
    const path = runPath(options);
    const { ind, detector: detectors, falseAlarms: rate, confidence, aggregation } = options;
    const { earlyExit, seed, device } = options;
    const report = await RunFolder.use(path, (run) =>
      guardRun(run, {
        ...given({ ind, detectors }),
        ...{ rate, confidence, aggregation, earlyExit, seed, device, onProgress },
      }),
    );
    const { calibration, sets, layers, file, earlyExit: early, seconds } = report;
    const { threshold, count, upperBound } = calibration;
    const found = sets.map(({ name, auroc, found }) => [name, (100 * auroc).toFixed(2), percent(found)]);
    return {
      result: { run: path, ...report },
      text: [
        `${plural(layers.length, 'detector')} watch the network (${report.detectors.join(', ')}; by ${aggregation}); calibrated on ${plural(count, 'InD image')} that nothing was fitted on.`,
        `Scores above ${threshold.toPrecision(5)} are OOD: at most ${percent(rate)} false alarms on average, with ${percent(confidence)} confidence below ${percent(upperBound)}.`,
        ...(found.length ? ['', columns(['OOD set', 'AUROC', 'called OOD'], found)] : []),
        ...(early ? describeEarlyExit(early) : []),
        '',
        `Wrote ${[file, ...(early ? [early.file] : [])].map((name) => `${path}/${name}`).join(' and ')}, read ${early ? 'them' : 'it'} back, and compared ${early ? 'them with their' : 'it with its'} pieces (${duration(seconds)}).`,
      ].join('\n'),
      next: `Next: la-ood score ${path}/${file} IMAGES…`,
    };
  },
});

const percent = (share: number) => `${(100 * share).toFixed(2)} %`;

function describeEarlyExit({ shares, computed, sets }: EarlyExitReport): string[] {
  const rows = sets.map(({ name, auroc, found, computed }) => [
    name,
    (100 * auroc).toFixed(2),
    percent(found),
    percent(computed),
  ]);
  return [
    '',
    `With early exit after ${shares.slice(0, -1).map(percent).join(', ')} of the network's multiplications, InD images take ${percent(computed)} of them:`,
    ...(rows.length ? ['', columns(['OOD set', 'AUROC', 'called OOD', 'computed'], rows)] : []),
  ];
}
