import { demoDescriptions, type GuardReport, runDemo, summaryTable } from '../../index.ts';
import { command } from '../command.ts';
import { device } from '../options.ts';
import { columns, duration } from '../terminal-text.ts';

/** What the guard finds of each set, by its decision and by each question. */
function foundTable({ sets }: GuardReport): string {
  return columns(
    ['OOD set', 'shows', 'by the guard', 'content', 'conditions'],
    sets.map(({ name, found, byQuestion }) => [
      name,
      demoDescriptions[name as keyof typeof demoDescriptions],
      percent(found),
      percent(byQuestion.content?.found ?? 0),
      percent(byQuestion.conditions?.found ?? 0),
    ]),
  );
}

/** The set that is found least. */
function hardest({ sets }: GuardReport): string {
  const { name, found } = sets.reduce((least, set) => (set.found < least.found ? set : least));
  return `Nothing finds everything: of ${name}, ${percent(1 - found)} are called InD.`;
}

const percent = (share: number) => `${(100 * share).toFixed(0)} %`;

export const demoCommand = command({
  name: 'demo',
  summary: 'Runs the whole pipeline on built-in images and a built-in classifier, in about a minute.',
  goesOn: true,
  examples: [['demo', 'features, detectors and results in runs/demo']],
  positionals: {},
  options: {
    run: { type: 'string', default: 'runs/demo', describe: 'the run folder' },
    device,
  },
  async run({ run, device }, onProgress) {
    const { features, fit, evaluation, guard } = await runDemo(run, { device, onProgress });
    const accuracy = features.find(({ set }) => set === 'demo_test')!.accuracy!;
    return {
      result: {
        run,
        accuracy,
        layers: fit.detectors.length,
        ...evaluation.evaluation,
        files: evaluation.files,
        guard,
      },
      text: [
        `The classifier is right on ${(100 * accuracy).toFixed(1)} % of the InD test images, drawings of ten shapes. Its guard asks two questions: is the content something that it was not taught, and were the conditions other than those of its training images? At ${percent(guard.calibration.rate)} false alarms, called OOD are:`,
        '',
        foundTable(guard),
        '',
        hardest(guard),
        '',
        summaryTable(evaluation.evaluation),
        `${fit.detectors.length} detectors were fitted on ${fit.samples} images in ${duration(fit.seconds)}.`,
        `Wrote ${run}: the classifier, features, detectors, tables in ${run}/results, report.html, and ${guard.file}, which classifies and decides.`,
      ].join('\n'),
      next: `Next: open ${run}/report.html in a browser;\n      npx la-ood score ${run}/${guard.file} demo:noise tells images from those it knows;\n      npx la-ood inspect ${run} shows how each file came to be;\n      npx la-ood import CHECKPOINT runs/NAME/backbone.onnx starts a run of your own.`,
    };
  },
});
