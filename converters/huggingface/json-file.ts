import { readFile, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { z } from 'zod';
import { advice, DataError, option } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';

/** Larger files are no configurations. */
const LARGEST = 1e6;

/** What a person does where a configuration cannot be followed. */
export const BY_HAND = advice`say it yourself: ${option('mean')}, ${option('std')}, ${option('scale')}, ${option('bgr')}, ${option('resize')}, ${option('filter')}`;

/** The folders in which a model's configurations may lie: its own, and the one above where that is called `onnx`. */
export function configurationFolders(model: string): string[] {
  const beside = dirname(model);
  return basename(beside) === 'onnx' ? [beside, dirname(beside)] : [beside];
}

/** The contents of a JSON file; undefined where there is none. @throws DataError where it is damaged */
export async function readJson(path: string): Promise<unknown> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  if (found.size > LARGEST) throw new DataError(path, `has ${found.size} bytes, which no configuration has`);
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new DataError(path, `is no JSON: ${(error as Error).message}`, BY_HAND, error);
  }
}

/** @throws DataError that names the key which is wrong */
export function parsed<T>(schema: z.ZodType<T>, json: unknown, path: string): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [{ path: place, message }] = result.error.issues;
  throw new DataError(path, printable(`${place.join('.') || 'contents'}: ${message}`), BY_HAND);
}

export const side = z.int().positive().max(65_536);
