import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from 'mocha';

/**
 * The path of a file in the reference folder (real weights, images, golden numbers). Where `LA_OOD_REFERENCE` is not
 * set the calling test is skipped; where it is set and the file is missing, the test fails.
 */
export function reference(test: Context, ...path: string[]): string {
  const root = process.env.LA_OOD_REFERENCE;
  if (!root) test.skip();
  const file = join(root, ...path);
  if (!existsSync(file)) throw new Error(`LA_OOD_REFERENCE is set, and ${file} is missing`);
  return file;
}
