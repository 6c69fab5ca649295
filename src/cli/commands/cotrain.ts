import { type CoTrainReport, coTrainRun, RunFolder } from '../../index.ts';
import { command } from '../command.ts';
import {
  atLeastOne,
  bytesOf,
  compat,
  device,
  given,
  memory,
  positive,
  runOptions,
  runPath,
} from '../options.ts';
import { columns } from '../terminal-text.ts';
import { givenOfTraining, trainingOptions } from '../training-options.ts';

export const cotrainCommand = command({
  name: 'cotrain',
  summary: 'Trains a backbone together with its detectors, refits them, and compares with what was before.',
  goesOn: true,
  examples: [
    ['cotrain --run runs/vgg16-cifar10', 'as the original: five epochs, kept after 1, 2, 3 and 5'],
    ['cotrain --model densenet100 --ind cifar10 --lambda .01 --epochs 2', 'more weight for the detectors'],
  ],
  positionals: {},
  options: {
    ...runOptions,
    lambda: {
      alias: ['lambda_value', 'lambda-value'],
      type: 'number',
      default: 0.001,
      describe: "weight of the detectors' part of the loss",
      check: positive,
    },
    ...trainingOptions,
    device,
    workers: { type: 'number', describe: 'threads of refitting; one a core by default', check: atLeastOne },
    memory,
    compat,
  },
  async run(options, onProgress, onLeftOut) {
    const path = runPath(options);
    const { ind, lambda, device, workers, compat } = options;
    const report = await RunFolder.use(path, (run) =>
      coTrainRun(run, {
        ...{ lambda, device, memory: bytesOf(options.memory), onProgress, onLeftOut },
        ...givenOfTraining(options),
        ...given({ ind, workers, compat }),
      }),
    );
    const last = report.rows.at(-1)!;
    return {
      result: { run: path, ...report },
      text: describe(path, report),
      next: `Next: npx la-ood guard --run ${path}/cotrain/epoch-${last.epoch}`,
    };
  },
});

/** One table: a row for each number of epochs, a column for each OOD set. */
function describe(path: string, { rows, table, engine }: CoTrainReport): string {
  const percent = (share: number) => (100 * share).toFixed(2);
  const sets = rows[0].evaluation.sets.map(({ ood }) => ood);
  const lines = rows.map(({ epoch, accuracy, evaluation }) => [
    epoch === 0 ? 'before' : `epoch ${epoch}`,
    accuracy === undefined ? '' : percent(accuracy),
    ...sets.map((ood) => percent(evaluation.sets.find((set) => set.ood === ood)!.laOod.metrics.auroc)),
  ]);
  return [
    'AUROC of LA-OOD in %, by OOD set; detectors refitted on each:',
    columns(['', 'accuracy %', ...sets], lines),
    '',
    `Trained on ${engine}.`,
    `Wrote in ${path}: ${table}, cotrain/curves.svg, and a run folder for each row, cotrain/epoch-…, with its report.html.`,
  ].join('\n');
}
