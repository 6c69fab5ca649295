import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
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

let scratch: string | undefined;
const unpacked = new Map<string, string>();

/** A folder with the contents of an archive in the reference folder, unpacked once a process. */
export function unpackedReference(test: Context, ...path: string[]): string {
  const archive = reference(test, ...path);
  const known = unpacked.get(archive);
  if (known) return known;
  scratch ??= mkdtempSync(join(process.env.LA_OOD_TEST_FOLDER!, 'reference-'));
  const folder = join(scratch, String(unpacked.size));
  mkdirSync(folder);
  execFileSync('tar', ['-xf', archive, '-C', folder]);
  unpacked.set(archive, folder);
  return folder;
}
