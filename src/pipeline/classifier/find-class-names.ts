import { readFile } from 'node:fs/promises';
import { configuredClassNames } from '../../../converters/huggingface/class-names.ts';
import { backboneMetadata } from '../../../models/metadata.ts';
import { DataError } from '../../common/errors.ts';
import { attribute } from '../../graph/attributes.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { getMetadata } from '../../graph/rewrite.ts';

/** The names of a model's classes, in the order of its logits, and what says them. */
export interface ClassNames {
  readonly names: readonly string[];
  readonly origin: string;
}

/**
 * Finds the names of a classifier's classes: in a file that was given, in its own metadata (PaddleOCR's `character`,
 * Ultralytics' `names`, the labels of a ZipMap), or in a `config.json` beside it. What is found and does not fit the number
 * of classes is not taken.
 *
 * @param given a file of names: a line each, or JSON, a list of names or an object by number
 * @throws DataError where that file cannot be read, or has another number of names
 */
export async function findClassNames(
  source: string,
  model: ModelProto,
  classes: number,
  given?: string,
): Promise<ClassNames | undefined> {
  if (given !== undefined) {
    const names = await readClassNames(given);
    if (names.length === classes) return { names, origin: given };
    throw new DataError(
      given,
      `has ${names.length} names, and the model ${classes} classes`,
      'give one name a line, in the order of the logits',
    );
  }
  const found: readonly (readonly [origin: string, names: readonly string[] | undefined])[] = [
    ['its metadata', backboneMetadata(model, source).classNames],
    ['its metadata', ownNames(model)],
    ['its ZipMap', labelsOfZipMap(model)],
    ['config.json', await configuredClassNames(source)],
  ];
  for (const [origin, names] of found) if (names?.length === classes) return { names, origin };
  return undefined;
}

async function readClassNames(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new DataError(path, 'cannot be read', 'name a file of class names, one a line');
  });
  if (!/^\s*[{[]/.test(text)) return linesOf(text);
  try {
    const json: unknown = JSON.parse(text);
    const names = Array.isArray(json)
      ? json
      : Object.keys(json as object).map((_, id) => (json as string[])[id]);
    if (names.every((name) => typeof name === 'string')) return names;
  } catch {}
  throw new DataError(
    path,
    'is no list of names',
    'give a JSON list, an object by number, or one name a line',
  );
}

function linesOf(text: string): string[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  while (lines.at(-1)?.trim() === '') lines.pop();
  return lines.map((line) => line.trim());
}

function ownNames(model: ModelProto): string[] | undefined {
  const { character, names } = getMetadata(model);
  if (character !== undefined) return linesOf(character);
  // A dictionary in Python's notation: {0: 'cat', 1: "dog's"}.
  const entries = [...(names ?? '').matchAll(/(\d+): (?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/g)];
  if (entries.length === 0 || entries.some(([, id], at) => Number(id) !== at)) return undefined;
  return entries.map(([, , single, double]) => (single ?? double).replace(/\\(.)/g, '$1'));
}

function labelsOfZipMap({ graph }: ModelProto): string[] | undefined {
  const zipMap = graph.node.find(({ opType }) => opType === 'ZipMap');
  const strings = zipMap && attribute(zipMap, 'classlabels_strings')?.strings;
  const utf8 = new TextDecoder();
  return strings?.length ? strings.map((bytes) => utf8.decode(bytes)) : undefined;
}
