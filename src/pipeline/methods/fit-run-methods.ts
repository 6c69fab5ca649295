import { stat } from 'node:fs/promises';
import { openFeatures } from '../../../converters/hdf5/open-features.ts';
import { advice, command, DetectorError, RunError } from '../../common/errors.ts';
import { sha256File, sha256Files } from '../../common/files.ts';
import type { OnProgress } from '../../common/progress.ts';
import { BACKBONE_KEY } from '../../detectors/detectors-model.ts';
import { fitMethods } from '../../detectors/methods/fit-methods.ts';
import type { MethodOptions } from '../../detectors/methods/method.ts';
import { chooseMethods } from '../../detectors/methods/method-registry.ts';
import { methodsModel } from '../../detectors/methods/methods-model.ts';
import { Training } from '../../detectors/methods/training.ts';
import { describeClassifier } from '../../graph/classifier/classifier.ts';
import { readModel } from '../../graph/read.ts';
import { writeModel } from '../../graph/write.ts';
import { readDetectors } from '../detectors/read-detectors.ts';
import { featureFile } from '../features/feature-files.ts';
import type { RunFolder } from '../run-folder.ts';
import { methodLayers, trainingFeatures } from './training-features.ts';

/** The fitted methods of a run folder. */
export const METHODS_FILE = 'methods.onnx';

export interface FitRunMethodsOptions extends MethodOptions {
  /** Names of methods, or `all`. */
  readonly methods: readonly string[];
  /** Name of the InD set; the one whose training features the run folder has, where absent. */
  readonly ind?: string;
  readonly onProgress?: OnProgress;
}

/** What the step found, as the manifest has it. */
export interface FitRunMethodsReport {
  readonly methods: readonly {
    readonly name: string;
    readonly seconds: number;
    readonly notes?: readonly string[];
  }[];
  /** Methods that cannot be had here, and why. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
  /** What class means are made of. */
  readonly labels: 'class labels' | 'predicted classes';
  readonly images: number;
  readonly done: 'now' | 'before';
}

/**
 * Fits published methods on a run folder's InD training features, and writes `methods.onnx`: an output for each method
 * (see `methodsModel`).
 *
 * @throws RunError where there are no features, or they were made before methods needed more of them; UsageError where
 * there is no method of a name; DetectorError where none can be fitted
 */
export async function fitRunMethods(
  run: RunFolder,
  { methods: names, ind, onProgress, ...options }: FitRunMethodsOptions,
): Promise<FitRunMethodsReport> {
  const methods = chooseMethods(names);
  const path = await featureFile(run, 'train', ind);
  const backbonePath = run.file('backbone.onnx');
  const svmsPath = run.file('detectors.onnx');
  const hasSvms = (await stat(svmsPath).catch(() => undefined)) !== undefined;
  const [features, detectors] = await sha256Files([path, ...(hasSvms ? [svmsPath] : [])], onProgress);
  const sha256 = await sha256File(backbonePath);
  const { record, done } = await run.do({
    name: 'methods',
    settings: { methods: methods.map(({ name, settings }) => ({ name, ...settings })), ...options },
    inputs: { features: features!, backbone: sha256, ...(detectors && { detectors }) },
    run: async () => {
      const file = await openFeatures(path);
      try {
        checkBackbone(file.attributes.backbone_sha256, sha256, path);
        const { head } = describeClassifier(await readModel(backbonePath), backbonePath);
        const svms = hasSvms ? await readDetectors(svmsPath, { sha256, backbone: backbonePath }) : undefined;
        const training = new Training(trainingFeatures(file, { head, svms }));
        let count = 0;
        const { fitted, refused } = await fitMethods(methods, training, options, ({ title }) =>
          onProgress?.({
            task: 'methods',
            done: ++count,
            total: methods.length,
            unit: 'methods',
            note: title,
          }),
        );
        if (fitted.length === 0)
          throw new DetectorError(refused[0].method.title, refused[0].reason, 'take other methods');
        const { logits, headInput, taps } = methodLayers(file);
        const model = methodsModel(
          fitted,
          {
            logits: [logits.tap, logits.width],
            headInput: headInput && [headInput.tap, headInput.width],
            taps: new Map(taps.map(({ tap, width }) => [tap, width])),
          },
          { [BACKBONE_KEY]: sha256 },
        );
        await writeModel(run.file(METHODS_FILE), model);
        return {
          outputs: [METHODS_FILE],
          results: {
            methods: fitted.map(({ method, seconds, notes }) => ({ name: method.name, seconds, notes })),
            refused: refused.map(({ method, reason }) => ({ name: method.name, reason })),
            labels: training.features.labels ? 'class labels' : 'predicted classes',
            images: file.count,
          },
        };
      } finally {
        file.close();
      }
    },
  });
  return { ...(record.results as unknown as Omit<FitRunMethodsReport, 'done'>), done };
}

function checkBackbone(own: string | number | undefined, sha256: string, path: string): void {
  if (own !== undefined && own !== sha256)
    throw new RunError(path, 'was made by another backbone', advice`run ${command('features')} again`);
}
