import { copyFile } from 'node:fs/promises';
import { type DemoSetName, demoSetNames } from '../../data/demo/demo-set.ts';
import { writeAtomically } from '../common/files.ts';
import { packageRoot } from '../common/package-root.ts';
import type { OnProgress } from '../common/progress.ts';
import type { SetKind } from '../evaluation/method-table.ts';
import type { DeviceName } from '../runtime/device.ts';
import { type FitDetectorsReport, fitDetectors } from './detectors/fit-detectors.ts';
import { type EvaluateRunReport, evaluateRun } from './evaluation/evaluate-run.ts';
import { extractFeatures, type FeatureReport } from './features/extract-features.ts';
import { type GuardReport, guardRun } from './guard/guard-run.ts';
import { RunFolder } from './run-folder.ts';

export interface DemoOptions {
  readonly device?: DeviceName;
  readonly onProgress?: OnProgress;
}

export interface DemoReport {
  readonly features: readonly FeatureReport[];
  readonly fit: FitDetectorsReport;
  readonly evaluation: EvaluateRunReport;
  readonly guard: GuardReport;
}

type OodName = Exclude<DemoSetName, 'train' | 'test'>;

/** Other shapes are near; the known shapes fade or are filled with patterns; what shows no shape is far. */
const kinds: Readonly<Record<OodName, SetKind>> = {
  ...{ shapes: 'near', faded: 'shifted', patterned: 'shifted' },
  ...{ noise: 'far', textures: 'far', blank: 'far' },
};

/** What the OOD sets show. */
export const demoDescriptions: Readonly<Record<OodName, string>> = {
  shapes: 'shapes that it was not taught',
  patterned: 'shapes that it knows, filled with patterns',
  faded: 'shapes that it knows, faded',
  blank: 'colours without a shape',
  textures: 'textures without a shape',
  noise: 'noise',
};

/** Published methods to compare the guard with: of the logits, of the head input, and of all layers. */
const methods = ['msp', 'energy', 'knn', 'mahalanobis++', 'vim', 'layer-gaussians'];

/** The backbone that the project trained on its own drawings; how: `data/demo/train_backbone.py`. */
const BACKBONE = new URL('data/demo/backbone.onnx', packageRoot);

/**
 * The whole pipeline on what is built in: a small ResNet and the drawings it was trained on as InD, six kinds of other
 * drawings as OOD. Needs no network, no Python, and about a minute.
 *
 * @param path the run folder
 *
 * @example
 * ```ts
 * import { runDemo } from 'la-ood/guard';
 *
 * await runDemo('runs/demo'); // leaves a guarded.onnx there
 * ```
 */
export async function runDemo(path: string, options: DemoOptions = {}): Promise<DemoReport> {
  return RunFolder.use(path, async (run) => {
    await writeAtomically(run.file('backbone.onnx'), (part) => copyFile(BACKBONE, part));
    const isOod = (name: DemoSetName): name is OodName => name in kinds;
    const ood = demoSetNames().filter(isOod);
    const features = await extractFeatures(run, {
      ...options,
      train: { name: 'demo', source: 'demo:train' },
      test: { name: 'demo', source: 'demo:test' },
      ood: ood.map((name) => ({ name, source: `demo:${name}`, kind: kinds[name] })),
    });
    const fit = await fitDetectors(run, { ind: 'demo', onProgress: options.onProgress });
    const guard = await guardRun(run, { ...options, ind: 'demo' });
    // Last, so that the report shows the guard too.
    const evaluation = await evaluateRun(run, { ...options, ind: 'demo', ood, methods });
    return { features, fit, evaluation, guard };
  });
}
