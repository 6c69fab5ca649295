import { basename } from 'node:path';
import { findPreprocessing } from '../../../converters/huggingface/find-preprocessing.ts';
import { type BackboneMetadata, backboneMetadata, encodeBackboneMetadata } from '../../../models/metadata.ts';
import { GraphError } from '../../common/errors.ts';
import { sha256File } from '../../common/files.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { OpenOodBenchmark } from '../../evaluation/openood/protocol.ts';
import type { Normalization } from '../../graph/preprocessing.ts';
import { readModel } from '../../graph/read.ts';
import { setMetadata } from '../../graph/rewrite.ts';
import { writeModel } from '../../graph/write.ts';
import { importCheckpoint } from '../classifier/import-checkpoint.ts';
import { importClassifier } from '../classifier/import-classifier.ts';
import { fileKind } from '../inspection/file-kind.ts';
import type { RunFolder } from '../run-folder.ts';

/**
 * Makes a run's backbone of a checkpoint or an ONNX classifier, with the protocol's preprocessing. Its normalisation is what is
 * given, else what an ONNX file or what lies beside it says, else the protocol's.
 *
 * @throws GraphError where it has not the benchmark's classes, or takes images of another size; what importing throws
 */
export async function adoptOpenOodCheckpoint(
  run: RunFolder,
  source: string,
  { title, classes, preprocessing }: OpenOodBenchmark,
  given?: Normalization,
  onProgress?: OnProgress,
): Promise<Partial<BackboneMetadata>> {
  const target = run.file('backbone.onnx');
  const { size, shorterSide, mean, std } = preprocessing;
  const geometry = { filter: 'bilinear', shorterSide } as const;
  await run.do({
    name: 'import',
    settings: { ...geometry, size, mean, std, ...(given && { given }) },
    inputs: { classifier: await sha256File(source) },
    async run() {
      if ((await fileKind(source)) === 'onnx') {
        const own = backboneMetadata(await readModel(source), source);
        const isSaid = own.mean !== undefined || (await findPreprocessing(source)) !== undefined;
        const normalization = given ?? (isSaid ? undefined : { mean, std });
        const square = { height: size, width: size };
        await importClassifier(source, target, {
          ...geometry,
          size: square,
          preprocessing: normalization,
          onProgress,
        });
      } else {
        await importCheckpoint(source, target, {
          normalization: given ?? { mean, std },
          classes,
          onProgress,
        });
        await writeModel(target, setMetadata(await readModel(target), encodeBackboneMetadata(geometry)));
      }
      return { outputs: ['backbone.onnx'], results: { source } };
    },
  });
  const metadata = backboneMetadata(await readModel(target), target);
  if (metadata.classCount !== classes)
    throw new GraphError(
      source,
      `has ${metadata.classCount} classes, and ${title} has ${classes}`,
      'name a checkpoint that was trained on it',
    );
  return metadata;
}

/** What a checkpoint's run folder is called: the same whatever other checkpoints are named beside it. */
export async function checkpointName(source: string): Promise<string> {
  const name = basename(source).replace(/\.[a-z]+(\.[a-z]+)?$/i, '');
  return `${name.replace(/[^\w.+-]/g, '_')}-${(await sha256File(source)).slice(0, 8)}`;
}
