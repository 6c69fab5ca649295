import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../../src/common/errors.ts';

/**
 * The ONNX file of a folder as Hugging Face's hub has it: `model.onnx` or `onnx/model.onnx`, the only `.onnx` file where
 * there is none of that name; or that of the newest snapshot where the folder is a model of its cache
 * (`models--OWNER--NAME`).
 *
 * @returns the path itself where it is no folder, or one without a model
 * @throws DataError where there are several models and none of that name
 *
 * @example
 * ```ts
 * import { modelFile } from 'la-ood/checkpoints';
 *
 * console.log(await modelFile('resnet-50/')); // resnet-50/model.safetensors
 * ```
 */
export async function modelFile(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isDirectory()) return path;
  const snapshot = await snapshotOf(path);
  if (snapshot) return modelFile(snapshot);
  const inFolders = await Promise.all([path, join(path, 'onnx')].map(modelsIn));
  const models = inFolders.flat();
  const usual = [join(path, 'model.onnx'), join(path, 'onnx', 'model.onnx')].find((name) =>
    models.includes(name),
  );
  if (usual !== undefined || models.length === 1) return usual ?? models[0];
  if (models.length === 0) return path;
  throw new DataError(path, `holds several models, ${models.join(', ')}`, 'name one of them');
}

async function modelsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  return names
    .filter((name) => /\.onnx$/i.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** The snapshot that `refs/main` names, or the only one. */
async function snapshotOf(path: string): Promise<string | undefined> {
  const snapshots = await readdir(join(path, 'snapshots')).catch(() => [] as string[]);
  const main = await readFile(join(path, 'refs', 'main'), 'utf8').catch(() => '');
  const revision = snapshots.includes(main.trim())
    ? main.trim()
    : snapshots.length === 1
      ? snapshots[0]
      : undefined;
  return revision === undefined ? undefined : join(path, 'snapshots', revision);
}
