import {
  defaultFitOptions,
  extractFeatures,
  type FitDetectorsReport,
  fitDetectors,
  importDetectors,
  type LayerSvm,
  RunFolder,
  UsageError,
} from '../../index.ts';
import { classifierOptions, classifierPositional, classifierRun } from '../classifier-options.ts';
import { command } from '../command.ts';
import { featureTable } from '../feature-table.ts';
import { namedSet } from '../named-set.ts';
import {
  atLeastOne,
  bytesOf,
  compat,
  device,
  given,
  imageOptions,
  positive,
  properShare,
  runOptions,
  seed,
  share,
  memory as sharedMemory,
} from '../options.ts';
import { columns, duration, noteLines, plural } from '../terminal-text.ts';

const defaults = defaultFitOptions;

export const fitCommand = command({
  name: 'fit',
  summary:
    'Fits a detector on each layer of a classifier: of an ONNX file, or of the features that a run has.',
  goesOn: true,
  examples: [
    [
      'fit mobilenet.onnx --train photos/train --mean .485 .456 .406 --std .229 .224 .225',
      'any ONNX classifier: everything in one go, in runs/mobilenet',
    ],
    ['fit --run runs/resnet20-cifar10', "every layer, with the original's settings"],
    ['fit --model vgg16 --ind cifar10 --layers 0 4 12', 'three layers'],
    ['fit --run runs/demo --gammas .01 .1 1 --nu .01', 'other candidates'],
    [
      'fit --model vgg16 --ind cifar10 --from saved_models/vgg16/cifar10_best',
      "the original's own detectors",
    ],
  ],
  positionals: { classifier: classifierPositional },
  options: {
    ...runOptions,
    train: {
      type: 'string',
      describe: 'InD images to fit on, where the run has no features of them: [NAME=]SET',
    },
    test: { type: 'string', describe: 'InD images to test on, whose features are computed too: [NAME=]SET' },
    ...imageOptions,
    device,
    ...classifierOptions,
    layers: {
      type: 'string',
      array: true,
      describe: 'layers by tap or number from 0; all that get one by default',
    },
    nu: { type: 'number', default: defaults.nu, describe: 'nu of the one-class SVM', check: share },
    gammas: {
      type: 'number',
      array: true,
      default: defaults.gammas,
      describe: 'candidates for gamma of the RBF kernel',
      check: positive,
    },
    threshold: {
      type: 'number',
      default: defaults.threshold,
      describe: 'edge threshold of self-adaptive shifting',
      check: share,
    },
    'val-size': {
      alias: 'val_size',
      type: 'number',
      default: defaults.validationShare,
      describe: 'share of the images that gamma is chosen on',
      check: properShare,
    },
    'error-rate': {
      alias: 'error_rate',
      type: 'number',
      default: defaults.errorRate,
      describe: 'weight of the pseudo outliers in the error',
      check: share,
    },
    seed: { type: 'number', default: defaults.seed, describe: 'seed of the split', check: seed },
    tolerance: {
      type: 'number',
      default: defaults.tolerance,
      describe: 'stopping tolerance of the SVM',
      check: positive,
    },
    kernel: {
      type: 'string',
      default: 'rbf',
      describe: 'kernel of the SVM, as in the original: rbf',
      check: (kernel: string) =>
        kernel === 'rbf' ? undefined : 'is not offered: the detectors that are written compute an RBF kernel',
    },
    'finish-all': {
      type: 'boolean',
      default: false,
      describe: 'finish candidates for gamma that are proven not to win; the detectors are the same',
    },
    workers: { type: 'number', describe: 'threads; one a core by default', check: atLeastOne },
    memory: {
      ...sharedMemory,
      describe: `${sharedMemory.describe}, and fewer layers are fitted side by side`,
    },
    from: {
      type: 'string',
      describe: "fit nothing: import the original's detectors, <layer>.joblib in this folder",
    },
    compat,
  },
  async run(options, onProgress, onLeftOut) {
    const { path, adopt } = classifierRun('fit', options);
    const { ind, layers, workers, compat, from, classifier } = options;
    const sets = await setsOf(options);
    if (classifier !== undefined && !sets.train && from === undefined)
      throw new UsageError('la-ood fit', 'no images were given to fit on', 'name them with --train');
    if (from !== undefined) {
      const detectors = await RunFolder.use(path, (run) =>
        importDetectors(run, { folder: from, ...given({ ind, layers }) }),
      );
      return {
        result: { run: path, imported: from, layers: detectors.map(facts) },
        text: `${plural(detectors.length, 'detector')} of ${from}, read without executing anything.\nWrote ${path}/detectors.onnx.`,
        next: `Next: npx la-ood evaluate --run ${path}`,
      };
    }
    const memory = bytesOf(options.memory);
    const finishAll = options.finishAll || undefined;
    const { nu, gammas, threshold, valSize, errorRate, seed, tolerance } = options;
    const settings = { nu, gammas, threshold, validationShare: valSize, errorRate, seed, tolerance };
    const { batch, device, exifOrientation: orient, skipDamaged } = options;
    const { notes, features, report } = await RunFolder.use(path, async (run) => {
      const notes = await adopt(run, onProgress);
      const reading = {
        ...given({ batch, compat, orient, skipDamaged }),
        ...{ device, memory, onProgress, onLeftOut },
      };
      const features = sets.train || sets.test ? await extractFeatures(run, { ...sets, ...reading }) : [];
      const report = await fitDetectors(run, {
        ...settings,
        memory,
        ...given({ ind: sets.train?.name ?? ind, layers, workers, compat, finishAll }),
        onProgress,
        onLeftOut,
      });
      return { notes, features, report };
    });
    const { detectors, samples, seconds, done } = report;
    return {
      result: {
        run: path,
        notes,
        ...(features.length > 0 && { sets: features }),
        samples,
        seconds,
        done,
        layers: detectors.map(facts),
      },
      text: [
        ...noteLines(notes),
        ...(features.length > 0 ? [featureTable(features), ''] : []),
        describe(path, report),
      ].join('\n'),
      next: nextStep(path, classifier),
    };
  },
});

/** The sets to compute features of; the test set has the name of the training set, for they are parts of one. */
async function setsOf({ train, test, ind }: { train?: string; test?: string; ind?: string }) {
  const fitted = train === undefined ? undefined : await namedSet('--train', train, ind);
  const tested = test === undefined ? undefined : await namedSet('--test', test, ind ?? fitted?.name);
  return given({ train: fitted, test: tested });
}

function nextStep(path: string, classifier: string | undefined): string {
  if (classifier === undefined) return `Next: npx la-ood evaluate --run ${path}`;
  return [
    `Next: npx la-ood features --run ${path} --ood FOLDER pure_color   what it is to be told from`,
    `      npx la-ood evaluate --run ${path}                           how well it is; needs --test images too`,
    `      npx la-ood guard --run ${path}                              one file that decides; needs --test images too`,
  ].join('\n');
}

function facts({ tap, width, nu, gamma, alpha, fit }: LayerSvm) {
  return { tap, width, nu, gamma, error: fit?.error, supportVectors: alpha.length };
}

/** How many layers chose which gamma. */
function describe(path: string, { detectors, samples, seconds, done }: FitDetectorsReport): string {
  const gammas = [...new Set(detectors.map(({ gamma }) => gamma))].sort((a, b) => a - b);
  const rows = gammas.map((gamma) => {
    const chosen = detectors.filter((detector) => detector.gamma === gamma);
    const counts = chosen.map(({ alpha }) => alpha.length);
    const error = chosen.reduce((sum, { fit }) => sum + fit.error, 0) / chosen.length;
    return [gamma, chosen.length, `${Math.min(...counts)} to ${Math.max(...counts)}`, error.toFixed(4)];
  });
  return [
    columns(['gamma', 'layers', 'support vectors', 'mean error'], rows),
    `${plural(detectors.length, 'detector')} on ${plural(samples, 'image')}, ${done === 'now' ? duration(seconds) : 'fitted before'}.`,
    `Wrote ${path}/detectors.onnx, best_hyperparam.csv and fitting_process.csv beside it.`,
  ].join('\n');
}
