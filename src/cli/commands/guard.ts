import {
  aggregations,
  detectorKinds,
  type EarlyExitReport,
  type GuardReport,
  guardRun,
  questions,
  RunFolder,
} from '../../index.ts';
import { command } from '../command.ts';
import { bytesOf, device, given, memory, properShare, runOptions, runPath, seed } from '../options.ts';
import { columns, duration, plural } from '../text.ts';

export const guardCommand = command({
  name: 'guard',
  summary:
    'Writes guarded.onnx: one file that classifies, scores and decides at a false-alarm rate you choose.',
  examples: [
    ['guard --run runs/resnet20-cifar10', 'calls 5 % of InD images OOD'],
    ['guard --model vgg16 --ind cifar10 --false-alarms .01', 'calls 1 %'],
    [
      'guard --run runs/resnet20-cifar10 --watch content',
      'whether images show what was taught, and nothing else',
    ],
    ['guard --run runs/resnet20-cifar10 --aggregation max', "the paper's score, of la-ood fit"],
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
    watch: {
      choices: [...questions, 'both'],
      describe:
        'the questions that it answers: content (is this what the classifier was taught?), conditions (was it taken and processed like the training images?); both where not given',
    },
    detector: {
      array: true,
      choices: detectorKinds,
      describe:
        "detectors of layers in place of the two questions, one kind or several; ocsvm is the paper's, of la-ood fit",
    },
    aggregation: {
      choices: aggregations,
      describe:
        "how detectors of layers become one score: what they and the logits' energy say together, or the paper's maximum",
    },
    'early-exit': {
      type: 'boolean',
      default: false,
      describe:
        'detectors of layers, and guarded-early-exit.onnx too: images leave the network as soon as they are seen to be OOD',
    },
    seed: { type: 'number', default: 0, describe: 'seed of the split of the held-out images', check: seed },
    memory,
    device,
  },
  async run(options, onProgress) {
    const path = runPath(options);
    const { ind, detector: detectors, falseAlarms: rate, confidence, aggregation } = options;
    const { earlyExit, seed, device } = options;
    const watch = questions.filter((question) => [question, 'both'].includes(options.watch ?? ''));
    const report = await RunFolder.use(path, (run) =>
      guardRun(run, {
        ...given({ ind, detectors, aggregation, watch: options.watch && watch }),
        ...{ rate, confidence, earlyExit, seed, device, memory: bytesOf(options.memory), onProgress },
      }),
    );
    const { calibration, file, seconds } = report;
    const { threshold, count, upperBound } = calibration;
    const early = report.kind === 'layers' ? report.earlyExit : undefined;
    const found = foundTable(report);
    return {
      result: { run: path, ...report },
      text: [
        ...describe(report),
        `Calibrated on ${plural(count, 'InD image')} that nothing was fitted on.`,
        `Scores above ${threshold.toPrecision(5)} are OOD: at most ${percent(rate)} false alarms on average, with ${percent(confidence)} confidence below ${percent(upperBound)}.`,
        ...(found ? ['', found] : []),
        ...(early ? describeEarlyExit(early) : []),
        '',
        ...(report.kind === 'questions' ? [describeRuntimes(report.runtimes)] : []),
        `Wrote ${[file, ...(early ? [early.file] : [])].map((name) => `${path}/${name}`).join(' and ')}, read ${early ? 'them' : 'it'} back, and compared ${early ? 'them with their' : 'it with its'} pieces (${duration(seconds)}).`,
      ].join('\n'),
      next: `Next: la-ood score ${path}/${file} IMAGES…`,
    };
  },
});

function describe(report: GuardReport): string[] {
  if (report.kind === 'layers') {
    const { layers, detectors, aggregation } = report;
    return [
      `${plural(layers.length, 'detector')} watch the network (${detectors.join(', ')}; by ${aggregation}).`,
    ];
  }
  const { questions, components, labels, notes } = report;
  return [
    `Answers ${questions.map((question) => `the question of ${question}`).join(' and ')}, by ${components.join(', ')}; classes by ${labels}.`,
    ...notes.map((note) => `Note: ${note}.`),
  ];
}

function describeRuntimes({
  images,
  pValue,
  flips,
}: {
  images: number;
  pValue: number;
  flips: number;
}): string {
  const same = flips === 0 ? 'no decision differs' : `${plural(flips, 'decision')} next to the rate differ`;
  return `At no and at full optimisation, one by one and batched, p-values of ${plural(images, 'held-out image')} differ by ${pValue.toFixed(4)} at most, and ${same}.`;
}

/** How the run's OOD sets fare; by each question too, where there are two. */
function foundTable(report: GuardReport): string | undefined {
  const cells = ({ auroc, found }: { auroc: number; found: number }) => [
    (100 * auroc).toFixed(2),
    percent(found),
  ];
  if (report.sets.length === 0) return undefined;
  if (report.kind === 'layers' || report.questions.length === 1)
    return columns(
      ['OOD set', 'AUROC', 'called OOD'],
      report.sets.map((set) => [set.name, ...cells(set)]),
    );
  return columns(
    ['OOD set', 'AUROC', 'called OOD', ...report.questions.flatMap((question) => [question, 'found'])],
    report.sets.map((set) => [
      set.name,
      ...cells(set),
      ...report.questions.flatMap((question) => cells(set.byQuestion[question]!)),
    ]),
  );
}

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
