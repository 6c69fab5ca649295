import {
  defaultFitOptions,
  type FitDetectorsReport,
  fitDetectors,
  importDetectors,
  type LayerDetector,
  RunFolder,
} from '../../index.ts';
import { command } from '../command.ts';
import {
  atLeastOne,
  compat,
  given,
  positive,
  properShare,
  runOptions,
  runPath,
  seed,
  share,
} from '../options.ts';
import { columns, duration, plural } from '../text.ts';

const defaults = defaultFitOptions;

export const fitCommand = command({
  name: 'fit',
  summary: 'Fits a detector on each layer of the InD training features of a run.',
  examples: [
    ['fit --run runs/resnet20-cifar10', "every layer, with the original's settings"],
    ['fit --model vgg16 --ind cifar10 --layers 0 4 12', 'three layers'],
    ['fit --run runs/demo --gammas .01 .1 1 --nu .01', 'other candidates'],
    [
      'fit --model vgg16 --ind cifar10 --from saved_models/vgg16/cifar10_best',
      "the original's own detectors",
    ],
  ],
  positionals: {},
  options: {
    ...runOptions,
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
      type: 'number',
      default: 4,
      describe: 'GiB that fitting may take; fewer layers are fitted side by side',
      check: positive,
    },
    from: {
      type: 'string',
      describe: "fit nothing: import the original's detectors, <layer>.joblib in this folder",
    },
    compat,
  },
  async run(options, onProgress) {
    const path = runPath(options);
    const { ind, layers, workers, compat, from } = options;
    if (from !== undefined) {
      const detectors = await RunFolder.use(path, (run) =>
        importDetectors(run, { folder: from, ...given({ ind, layers }) }),
      );
      return {
        result: { run: path, imported: from, layers: detectors.map(facts) },
        text: `${plural(detectors.length, 'detector')} of ${from}, read without executing anything.\nWrote ${path}/detectors.onnx.`,
        next: `Next: la-ood evaluate --run ${path}`,
      };
    }
    const memory = options.memory * 2 ** 30;
    const finishAll = options.finishAll || undefined;
    const { nu, gammas, threshold, valSize, errorRate, seed, tolerance } = options;
    const settings = { nu, gammas, threshold, validationShare: valSize, errorRate, seed, tolerance };
    const report = await RunFolder.use(path, (run) =>
      fitDetectors(run, {
        ...settings,
        memory,
        ...given({ ind, layers, workers, compat, finishAll }),
        onProgress,
      }),
    );
    const { detectors, samples, seconds, done } = report;
    return {
      result: {
        run: path,
        samples,
        seconds,
        done,
        layers: detectors.map(facts),
      },
      text: describe(path, report),
      next: `Next: la-ood evaluate --run ${path}`,
    };
  },
});

function facts({ tap, width, nu, gamma, alpha, fit }: LayerDetector) {
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
