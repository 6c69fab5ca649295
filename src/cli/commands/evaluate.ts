import {
  evaluateRun,
  methodNames,
  misclassifiedPanels,
  panelsText,
  panelWords,
  RunFolder,
  setPanels,
  summaryTable,
} from '../../index.ts';
import { command } from '../command.ts';
import { withKind } from '../named-set.ts';
import { atLeastOne, bytesOf, compat, device, given, memory, runOptions, runPath, seed } from '../options.ts';
import { bold, noteLines } from '../terminal-text.ts';

export const evaluateCommand = command({
  name: 'evaluate',
  summary: "Measures how well a run's detectors tell OOD images from InD images.",
  goesOn: true,
  examples: [
    ['evaluate --run runs/resnet20-cifar10', 'against every OOD set that has features'],
    ['evaluate --run runs/resnet20-cifar10 --methods all', 'beside every published method'],
    [
      'evaluate --model resnet20 --ind cifar10 --ood svhn tiny --bootstrap 1000',
      'two sets, with 95 % intervals',
    ],
  ],
  positionals: {},
  options: {
    ...runOptions,
    ood: {
      type: 'string',
      array: true,
      describe:
        'names of the OOD sets; all that have features by default. near:NAME, far:NAME, shifted:NAME say how far one is',
    },
    methods: {
      type: 'string',
      array: true,
      describe: `published methods to compare, fitted on the training features: all, or of ${methodNames.join(', ')}`,
    },
    bank: {
      type: 'number',
      describe: 'training images that methods by neighbours keep, drawn at random; all by default',
      check: atLeastOne,
    },
    bootstrap: { type: 'number', describe: 'adds 95 % intervals from so many resamples', check: atLeastOne },
    'max-ood': {
      type: 'number',
      default: 10_000,
      describe: 'larger OOD sets are reduced to so many images, chosen at random',
      check: atLeastOne,
    },
    seed: { type: 'number', default: 0, describe: 'seed of that choice and of the resamples', check: seed },
    memory,
    device,
    compat,
  },
  async run(options, onProgress, onLeftOut) {
    const path = runPath(options);
    const { ind, bootstrap, methods, bank, maxOod, seed, device, compat } = options;
    const named = options.ood?.map(withKind);
    const ood = named?.map(({ name }) => name);
    const kinds = Object.fromEntries((named ?? []).flatMap(({ name, kind }) => (kind ? [[name, kind]] : [])));
    const resampling = bootstrap === undefined ? undefined : { resamples: bootstrap, seed };
    const { evaluation, files, warnings } = await RunFolder.use(path, (run) =>
      evaluateRun(run, {
        ...given({ ind, ood, methods, bank, bootstrap: resampling, compat }),
        kinds,
        maxOod,
        seed,
        device,
        memory: bytesOf(options.memory),
        onProgress,
        onLeftOut,
      }),
    );
    const shown = [
      ...(methods ? [[panelWords.sets, setPanels(evaluation.methods)] as const] : []),
      [panelWords.misclassified, misclassifiedPanels(evaluation.methods)] as const,
    ];
    const isAnyTuned = evaluation.methods.methods.some(({ isTuned }) => isTuned);
    return {
      result: { run: path, files, warnings, ...evaluation },
      text: [
        summaryTable(evaluation),
        ...shown.flatMap(([words, panels]) =>
          panels.length > 0 ? [`\n${words}\n${panelsText(panels, bold)}`] : [],
        ),
        ...(isAnyTuned ? [panelWords.tuned] : []),
        ...noteLines(warnings),
        `Wrote in ${path}: ${files.join(', ')}.`,
      ].join('\n'),
      next: `Next: open ${path}/report.html in a browser;\n      the CSV of each set has every layer, ${path}/results/summary.json full precision;\n      npx la-ood compare sets two runs' tables side by side;\n      npx la-ood guard --run ${path} makes one file of it that decides.`,
    };
  },
});
