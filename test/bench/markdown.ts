import { readFile } from 'node:fs/promises';
import { UsageError } from '../../src/common/errors.ts';
import { writeAtomically } from '../../src/common/files.ts';

/** A table in Markdown. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

/**
 * Puts what a bench measured between its two comments in a file.
 *
 * @throws UsageError where the file has no such comments
 */
export async function replacePart(path: string, bench: string, part: string): Promise<void> {
  const marks = ['begin', 'end'].map((edge) => `<!-- made by npm run bench -- ${bench}: ${edge} -->`);
  const text = await readFile(path, 'utf8');
  const [start, end] = marks.map((mark) => text.indexOf(mark));
  if (start < 0 || end < start) throw new UsageError(path, `lacks the comments ${marks.join(' and ')}`);
  await writeAtomically(path, `${text.slice(0, start)}${marks[0]}\n\n${part}\n\n${text.slice(end)}`);
  console.log(`\nWrote the tables into ${path}.`);
}
