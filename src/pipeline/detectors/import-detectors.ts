import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openFeatures } from '../../../converters/hdf5/open-features.ts';
import { readSklearnDetectors } from '../../../converters/sklearn/read-sklearn-detectors.ts';
import { sha256File } from '../../common/files.ts';
import { BACKBONE_KEY, detectorsModel } from '../../detectors/detectors-model.ts';
import type { LayerSvm } from '../../detectors/layer-svm.ts';
import { fitStandardScaler } from '../../detectors/standard-scaler.ts';
import { writeModel } from '../../graph/write.ts';
import { chooseLayers, featureFile } from '../features/feature-files.ts';
import type { RunFolder } from '../run-folder.ts';
import { readDetectors } from './read-detectors.ts';

export interface ImportDetectorsOptions {
  /** The folder of the original's detectors, `saved_models/<model>/<ind>_best`: one `<layer from 0>.joblib` a layer. */
  readonly folder: string;
  /** Name of the InD set; the one whose training features the run folder has, where absent. */
  readonly ind?: string;
  /** The layers that get a detector, by tap or number from 0; the backbone's default where absent. */
  readonly layers?: readonly string[];
}

/**
 * Takes the detectors that the original trained with scikit-learn instead of fitting them, and writes `detectors.onnx`.
 * The original keeps no scaler: like it, this fits one anew on the InD training features, which must be those that the
 * detectors were trained on.
 *
 * @throws RunError where there are no features; DetectorError on files that are missing or are no one-class SVM of the
 * layer's width
 *
 * @example
 * ```ts
 * import { importDetectors, RunFolder } from 'la-ood/guard';
 *
 * await RunFolder.use('runs/vgg16-cifar10', (run) =>
 *   importDetectors(run, { folder: 'saved_models/vgg16/cifar10_best' }),
 * );
 * ```
 */
export async function importDetectors(
  run: RunFolder,
  { folder, ind, layers: wanted }: ImportDetectorsOptions,
): Promise<LayerSvm[]> {
  const path = await featureFile(run, 'train', ind);
  const features = await openFeatures(path);
  try {
    const layers = chooseLayers(features, wanted);
    const files = layers.map(({ index }) => join(folder, `${index}.joblib`));
    await run.do({
      name: 'fit',
      settings: { imported: layers.map(({ tap }) => tap) },
      inputs: { features: await sha256File(path), ...(await hashes(files)) },
      run: async () => {
        const detectors = await readSklearnDetectors(
          layers.map(({ index, tap, width }, l) => ({
            tap,
            detector: files[l],
            scaler: fitStandardScaler(features.readLayer(index), width),
          })),
        );
        const { backbone_sha256: backbone } = features.attributes;
        const metadata = typeof backbone === 'string' ? { [BACKBONE_KEY]: backbone } : undefined;
        await writeModel(run.file('detectors.onnx'), detectorsModel(detectors, metadata));
        // They told of other detectors.
        for (const table of ['best_hyperparam.csv', 'fitting_process.csv'])
          await rm(run.file(table), { force: true });
        return { outputs: ['detectors.onnx'] };
      },
    });
  } finally {
    features.close();
  }
  return readDetectors(run.file('detectors.onnx'));
}

async function hashes(files: readonly string[]): Promise<Record<string, string>> {
  const entries: [string, string][] = [];
  for (const file of files) entries.push([file, await sha256File(file)]);
  return Object.fromEntries(entries);
}
