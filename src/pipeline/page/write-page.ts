import { join } from 'node:path';
import { writeAtomically } from '../../common/files.ts';
import { guardPage } from './guard-page.ts';

export interface WrittenPage {
  readonly folder: string;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Writes the page that runs a guarded model in the browser as a folder for any web server.
 *
 * @param model a `guarded.onnx` of `guardRun`
 * @throws GraphError where the file is no guarded model
 *
 * @example
 * ```ts
 * import { writePage } from 'la-ood/guard';
 *
 * await writePage('guarded.onnx', 'public'); // to be put on any web server
 * ```
 */
export async function writePage(model: string, folder: string): Promise<WrittenPage> {
  const files = await guardPage(model);
  for (const { path, bytes } of files) await writeAtomically(join(folder, path), bytes);
  return { folder, files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes.length, 0) };
}
