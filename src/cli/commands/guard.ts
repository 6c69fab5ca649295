import {
  aggregations,
  type Calibration,
  type EarlyExitReport,
  type GuardReport,
  guardRun,
  type HalfReport,
  type LostAuroc,
  methodNames,
  questions,
  type RecalibrateOptions,
  RunFolder,
  recalibrateGuard,
  UsageError,
} from '../../index.ts';
import { command, type Report } from '../command.ts';
import {
  bytesOf,
  device,
  given,
  imageOptions,
  memory,
  properShare,
  runOptions,
  runPath,
} from '../options.ts';
import { columns, duration, noteLines, plural } from '../terminal-text.ts';

export const guardCommand = command({
  name: 'guard',
  summary:
    'Writes guarded.onnx: one file that classifies, scores and decides at a false-alarm rate you choose.',
  goesOn: true,
  examples: [
    ['guard --run runs/resnet20-cifar10', 'calls 5 % of InD images OOD'],
    ['guard --model vgg16 --ind cifar10 --false-alarms .01', 'calls 1 %'],
    [
      'guard --run runs/resnet20-cifar10 --watch content',
      'whether images show what was taught, and nothing else',
    ],
    ['guard --run runs/resnet20-cifar10 --detector layer-svms', "the paper's score, of la-ood fit"],
    ['guard guarded.onnx --calibrate december/ --output december.onnx', 'for a new month, in a minute'],
  ],
  positionals: {
    guarded: { describe: 'with --calibrate: the guarded.onnx that is calibrated anew', demandOption: false },
  },
  options: {
    ...runOptions,
    'false-alarms': {
      type: 'number',
      describe:
        "share of InD images that may be called OOD; .05 where not given, with --calibrate the guard's own",
      check: properShare,
    },
    confidence: {
      type: 'number',
      describe: 'of the bounds that are stated for that share; .95 where not given',
      check: properShare,
    },
    calibrate: {
      type: 'string',
      describe:
        'InD images of another camera or month: centres, scales and ranks of a guard become theirs, nothing is fitted, and no run folder is needed',
    },
    output: { type: 'string', describe: 'with --calibrate: the file that is written' },
    watch: {
      choices: [...questions, 'both'],
      describe:
        'the questions that it answers: content (is this what the classifier was taught?), conditions (was it taken and processed like the training images?); both where not given',
    },
    detector: {
      choices: methodNames,
      describe: "a published method in place of the two questions; layer-svms is the paper's, of la-ood fit",
    },
    aggregation: {
      choices: aggregations,
      describe: "how detectors of layers become one score: their mean, or the paper's maximum",
    },
    'early-exit': {
      type: 'boolean',
      default: false,
      describe:
        'detectors of layers, and guarded-early-exit.onnx too: images leave the network as soon as they are seen to be OOD',
    },
    half: {
      type: 'boolean',
      default: false,
      describe:
        'guarded-half.onnx too: weights in half floats, half as large, calibrated by itself; what that costs in AUROC is printed',
    },
    beside: {
      type: 'string',
      describe:
        'another run folder that has a guard, of the classifier before it was quantised, say: what this one loses to it in AUROC is printed',
    },
    memory,
    ...imageOptions,
    device,
  },
  async run(options, onProgress, onLeftOut) {
    const { guarded, calibrate, output } = options;
    if (guarded !== undefined || calibrate !== undefined || output !== undefined) {
      if (guarded === undefined || calibrate === undefined || output === undefined)
        throw new UsageError(
          '--calibrate',
          'takes a guard, images and a file to write',
          'la-ood guard guarded.onnx --calibrate SET --output NEW.onnx',
        );
      return recalibrated(guarded, calibrate, output, {
        ...given({ rate: options.falseAlarms, confidence: options.confidence, batch: options.batch }),
        ...given({ orient: options.exifOrientation, skipDamaged: options.skipDamaged }),
        ...{ device: options.device, memory: bytesOf(options.memory), onProgress, onLeftOut },
      });
    }
    const path = runPath(options);
    const { ind, detector, falseAlarms: rate, confidence, aggregation } = options;
    const { earlyExit, half, beside, device } = options;
    const watch = questions.filter((question) => [question, 'both'].includes(options.watch ?? ''));
    const report = await RunFolder.use(path, (run) =>
      guardRun(run, {
        ...given({ ind, detector, aggregation, beside, watch: options.watch && watch, rate, confidence }),
        ...{ earlyExit, half, device, memory: bytesOf(options.memory), onProgress, onLeftOut },
      }),
    );
    const { calibration, file, seconds, earlyExit: early } = report;
    const found = foundTable(report);
    return {
      result: { run: path, ...report },
      text: [
        ...describe(report),
        `Calibrated on ${plural(calibration.count, 'InD image')} of the test set.`,
        promise(calibration),
        ...(found ? ['', found] : []),
        ...(early ? describeEarlyExit(early) : []),
        '',
        describeRuntimes(report.runtimes),
        `Wrote ${[file, ...(early ? [early.file] : [])].map((name) => `${path}/${name}`).join(' and ')}, read ${early ? 'them' : 'it'} back, and compared ${early ? 'them with their' : 'it with its'} pieces (${duration(seconds)}).`,
        ...(report.half ? describeHalf(report.half, path) : []),
        ...(report.beside ? ['', `Beside ${beside}:`, lostTable(report.beside)] : []),
      ].join('\n'),
      next: `Next: npx la-ood score ${path}/${file} IMAGES…`,
    };
  },
});

async function recalibrated(
  guarded: string,
  images: string,
  output: string,
  options: RecalibrateOptions,
): Promise<Report> {
  const report = await recalibrateGuard(guarded, images, output, options);
  const { calibration, thresholdBefore, notes, runtimes } = report;
  return {
    result: report,
    text: [
      ...noteLines(notes),
      `Calibrated on ${plural(calibration.count, 'InD image')} of ${images}; the threshold was ${thresholdBefore.toPrecision(5)}.`,
      promise(calibration),
      describeRuntimes(runtimes),
      `Wrote ${output}.`,
    ].join('\n'),
    next: `Next: npx la-ood score ${output} IMAGES…`,
  };
}

/** What so many calibration images can promise. */
function promise({ threshold, rate, count, confidence, interval }: Calibration): string {
  return `Scores above ${threshold.toPrecision(5)} are OOD: at most ${percent(rate)} false alarms on average; of guards calibrated on ${plural(count, 'image')}, ${percent(confidence)} raise ${percent(interval.low)} to ${percent(interval.high)}.`;
}

function describe(report: GuardReport): string[] {
  return [scoring(report), ...noteLines(report.notes)];
}

function scoring(report: GuardReport): string {
  switch (report.kind) {
    case 'questions': {
      const asked = report.questions.map((question) => `the question of ${question}`).join(' and ');
      return `Answers ${asked}, by ${report.components.join(', ')}; classes by ${report.labels}.`;
    }
    case 'layers':
      return `${plural(report.layers.length, 'detector')} of layers score (${report.detector}, by their ${report.aggregation}).`;
    case 'method':
      return `Scores by ${report.detector}; classes by ${report.labels}.`;
  }
}

function describeRuntimes({ images, pValue, flips }: GuardReport['runtimes']): string {
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
  if (report.kind !== 'questions' || report.questions.length === 1)
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

/** AUROC now and before, in %, and the points between. */
function lostTable(sets: readonly LostAuroc[]): string {
  const points = (share: number) => (100 * share).toFixed(2);
  return columns(
    ['OOD set', 'AUROC before', 'AUROC', 'lost'],
    sets.map(({ name, auroc, aurocBefore }) => [
      name,
      ...[aurocBefore, auroc, aurocBefore - auroc].map(points),
    ]),
  );
}

function describeHalf(
  { file, bytes, bytesBefore, calibration, runtimes, sets }: HalfReport,
  path: string,
): string[] {
  const size = (of: number) => (of / 1e6).toFixed(2);
  return [
    '',
    `With weights in half floats, ${size(bytes)} MB in place of ${size(bytesBefore)}, calibrated by itself:`,
    promise(calibration),
    sets.length > 0
      ? lostTable(sets)
      : 'What that costs in AUROC is told by OOD sets, and the run has none: npx la-ood features --ood adds some.',
    describeRuntimes(runtimes),
    `Wrote ${path}/${file}.`,
  ];
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
