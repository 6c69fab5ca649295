import { DataError } from '../../common/errors.ts';

/**
 * The numbers of a JSON file, by where they are: those of a list's elements together, so that `sets[].laOod.metrics.auroc`
 * is one array.
 *
 * @throws DataError where it is no JSON
 */
export function numbersOfJson(text: string, where: string): Map<string, number[]> {
  const found = new Map<string, number[]>();
  const visit = (value: unknown, path: string) => {
    if (typeof value === 'number') put(found, path, value);
    else if (Array.isArray(value)) for (const item of value) visit(item, `${path}[]`);
    else if (value !== null && typeof value === 'object')
      for (const [key, item] of Object.entries(value)) visit(item, path ? `${path}.${key}` : key);
  };
  try {
    visit(JSON.parse(text), '');
  } catch (error) {
    throw new DataError(where, `is not JSON: ${(error as Error).message}`, undefined, error);
  }
  return found;
}

/**
 * The numbers of a CSV file, by the heading of their column. Cells with text are left out, lists of numbers
 * (`12/34`) are taken apart.
 */
export function numbersOfCsv(text: string, where: string): Map<string, number[]> {
  const [head, ...rows] = text.split(/\r?\n/).filter((line) => line !== '');
  const names = cells(head);
  const found = new Map<string, number[]>();
  rows.forEach((line, r) => {
    cells(line).forEach((cell, c) => {
      if (c >= names.length) throw new DataError(`${where}: row ${r + 1}`, `has more cells than headings`);
      for (const part of cell.split('/'))
        if (part.trim() !== '' && !Number.isNaN(Number(part))) put(found, names[c], Number(part));
    });
  });
  return found;
}

/** The cells of a line, quoted ones unquoted (RFC 4180; no line breaks within cells). */
function cells(line: string): string[] {
  return Array.from(line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g), ([, quoted, plain]) =>
    quoted === undefined ? plain : quoted.replaceAll('""', '"'),
  );
}

function put(found: Map<string, number[]>, name: string, value: number): void {
  const values = found.get(name);
  if (values) values.push(value);
  else found.set(name, [value]);
}
