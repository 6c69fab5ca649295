import { runDemo, summaryTable } from '../../index.ts';
import { command } from '../command.ts';
import { device } from '../options.ts';
import { duration } from '../text.ts';

export const demoCommand = command({
  name: 'demo',
  summary: 'Runs the whole pipeline on built-in images and a built-in classifier, in about a minute.',
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
        summaryTable(evaluation.evaluation),
        `The classifier is right on ${(100 * accuracy).toFixed(1)} % of the InD test images.`,
        `${fit.detectors.length} detectors were fitted on ${fit.samples} images in ${duration(fit.seconds)}.`,
        `Wrote ${run}: the classifier, features, detectors, tables in ${run}/results, report.html, and ${guard.file}, which classifies and decides.`,
      ].join('\n'),
      next: `Next: open ${run}/report.html in a browser;\n      la-ood score ${run}/${guard.file} demo:noise tells images from those it knows;\n      la-ood inspect ${run} shows how each file came to be;\n      la-ood import CHECKPOINT runs/NAME/backbone.onnx starts a run of your own.`,
    };
  },
});
