import { imageExtensions } from '../image-kind.ts';

/** A line of a list: an image's path and what stands behind it, its label or the name of its class. */
export interface ListLine {
  readonly path: string;
  readonly label?: string;
}

/** Reads the lines of a list, all in the form that the first one is in. */
export type ReadLine = (line: string) => ListLine;

/** What columns of a table with a head are called. */
const pathColumns = /^(path|file|filename|file_?path|file_?name|image|img|image_?path|image_?id|img_?path)$/i;
const labelColumns = /^(label|labels|class|class_?name|class_?id|target|category|y)$/i;

const endings = imageExtensions.map((ending) => ending.slice(1)).join('|');
/** Up to the ending of an image's name, and what a space, a comma or a semicolon parts from it. */
const named = new RegExp(`^(.+?\\.(?:${endings}))(?:\\s*[\\s,;]\\s*(.*))?$`, 'is');
const quoted = /^"((?:[^"]|"")*)"(?:\s*[\s,;]\s*(.*))?$/s;
const plain = /^(.*?)(?:\s*[\s,;]\s*(-?\d+|\{.*\}))?$/s;

/**
 * How to read a list whose first line this is: as a table, where it is a table's head, else line by line: `PATH`,
 * `PATH LABEL`, `PATH,LABEL`, `"PATH",LABEL`, `PATH CLASS NAME`, or OpenOOD's `PATH {'label': 3, …}`.
 *
 * @returns `isHead` where the first line holds no image
 */
export function listForm(first: string): { readonly isHead: boolean; readonly read: ReadLine } {
  const separator = [',', ';', '\t'].find((character) => first.includes(character));
  if (separator) {
    const head = cells(first.trim(), separator);
    const path = head.findIndex((cell) => pathColumns.test(cell));
    const label = head.findIndex((cell) => labelColumns.test(cell));
    const read: ReadLine = (line) => {
      const row = cells(line.trim(), separator);
      return { path: row[path] ?? '', ...(row[label] && { label: row[label] }) };
    };
    if (path >= 0) return { isHead: true, read };
  }
  return { isHead: false, read: readLine };
}

/** Whether a line, the first of a text, may be that of a list of images. */
export function isListLine(first: string): boolean {
  const line = first.trim();
  return listForm(line).isHead || named.test(unquoted(line)?.path ?? line);
}

function readLine(text: string): ListLine {
  const line = text.trim();
  const { path, rest } = unquoted(line) ?? { path: '', rest: undefined };
  const [, barePath, bareRest] = path ? [] : (longest(line) ?? plain.exec(line)!);
  const label = labelOf(path ? rest : bareRest);
  return { path: path || barePath!, ...(label && { label }) };
}

/** A name may hold what looks like an ending: it goes up to the last one behind which only a label stands. */
function longest(line: string): RegExpExecArray | undefined {
  let found: RegExpExecArray | undefined;
  for (let from = 0; from < line.length; ) {
    const match: RegExpExecArray | null = named.exec(line.slice(from));
    if (!match) break;
    const path = line.slice(0, from) + match[1];
    found = Object.assign(match, { 1: path });
    from = path.length;
  }
  return found;
}

function unquoted(line: string): { path: string; rest: string | undefined } | undefined {
  const [, path, rest] = quoted.exec(line) ?? [];
  return path === undefined ? undefined : { path: path.replaceAll('""', '"'), rest };
}

/** OpenOOD writes more than the label as a dictionary of Python. */
function labelOf(rest: string | undefined): string | undefined {
  const text = rest?.trim();
  if (text?.startsWith('{')) return /['"]label['"]\s*:\s*(-?\d+)/.exec(text)?.[1];
  return (text && unquoted(text)?.path) || text || undefined;
}

/** The cells of a row, of which those in quotes may hold separators. */
function cells(row: string, separator: string): string[] {
  const found = row.match(new RegExp(`(?:^|${separator})(?:"(?:[^"]|"")*"|[^${separator}]*)`, 'g'));
  return (found ?? []).map((cell, i) => {
    const text = (i > 0 || cell.startsWith(separator) ? cell.replace(separator, '') : cell).trim();
    return unquoted(text)?.path ?? text;
  });
}
