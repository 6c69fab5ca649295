import { findPreprocessing } from '../../../converters/huggingface/find-preprocessing.ts';
import { modelFile } from '../../../converters/huggingface/model-file.ts';
import { advice, option, UsageError } from '../../common/errors.ts';
import { isSameFile, sha256, sha256File } from '../../common/files.ts';
import type { RunFolder, StepRecord } from '../run-folder.ts';
import { type ImportClassifierOptions, importClassifier } from './import-classifier.ts';

/**
 * Makes a run's backbone of an ONNX classifier (see `importClassifier`). What was once said of a classifier need not
 * be said again: where nothing else is given, the backbone that was made of the same file stays. A run's own backbone
 * is left as it is.
 *
 * @returns what a person would not expect of the classifier, a sentence each
 * @throws what `importClassifier` throws; UsageError where a run's own backbone is to be made another
 *
 * @example
 * ```ts
 * import { adoptClassifier, RunFolder } from 'la-ood/guard';
 *
 * await RunFolder.use('runs/mobilenet', (run) =>
 *   adoptClassifier(run, 'mobilenet.onnx', { preprocessing: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } }),
 * );
 * ```
 */
export async function adoptClassifier(
  run: RunFolder,
  path: string,
  { onProgress, ...options }: ImportClassifierOptions = {},
): Promise<readonly string[]> {
  const source = await modelFile(path);
  const target = run.file('backbone.onnx');
  const isGiven = Object.values(options).some((value) => value !== undefined);
  if (await isSameFile(source, target)) {
    if (isGiven)
      throw new UsageError(
        source,
        "is the run's own backbone, which is not changed",
        advice`take another ${option('run')}`,
      );
    return [];
  }
  const classifier = await sha256File(source);
  const before = run.record('import');
  const made = before?.inputs.classifier === classifier ? before.outputs['backbone.onnx'] : undefined;
  if (!isGiven && made && (await sha256File(target).catch(() => undefined)) === made) return notesOf(before!);
  const beside = options.preprocessing ? undefined : await findPreprocessing(source);
  const { record } = await run.do({
    name: 'import',
    settings: { ...options },
    inputs: { classifier, ...(beside && { preprocessing: sha256(Buffer.from(JSON.stringify(beside))) }) },
    run: async () => {
      const { taps, origin, notes } = await importClassifier(source, target, { ...options, onProgress });
      const results = { source, taps: taps.length, preprocessing: origin, notes };
      return { outputs: ['backbone.onnx'], results };
    },
  });
  return notesOf(record);
}

function notesOf({ results }: StepRecord): readonly string[] {
  return (results.notes ?? []) as string[];
}
