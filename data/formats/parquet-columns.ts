import type { FileMetaData } from 'hyparquet';
import { DataError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';

/** A column of labels, and the names of its classes where the file has them. */
export interface LabelColumn {
  readonly name: string;
  readonly classes?: readonly string[];
}

/** What columns of labels are called where the file does not say which they are. */
const labelNames = ['label', 'labels', 'fine_label'];

/**
 * The path of the column of images, the last word of which is `bytes` where it is of structs: the one that Hugging Face calls so, or the only one that may be.
 *
 * @param where what to call the file
 * @throws DataError where there is none, or several
 */
export function imageColumn(metadata: FileMetaData, where: string): string[] {
  const features = featuresOf(metadata);
  const columns = columnsOf(metadata);
  const named = columns.find(({ name }) => features[name]?._type === 'Image');
  if (named) return pathOf(named);
  const fitting = columns.filter(
    ({ type, isText, inner }) => inner.includes('bytes') || (type === 'BYTE_ARRAY' && !isText),
  );
  if (fitting.length === 1) return pathOf(fitting[0]);
  const list = (some: readonly Column[]) => printable(some.map(({ name }) => name).join(', '));
  throw new DataError(
    where,
    fitting.length === 0
      ? `has no column of images, but ${list(columns) || 'none at all'}`
      : `has several columns that may hold images: ${list(fitting)}`,
    'expected one of binary values, or of structs with `bytes`',
  );
}

function pathOf({ name, inner }: Column): string[] {
  return inner.length > 0 ? [name, 'bytes'] : [name];
}

/** The first column that Hugging Face calls one of classes, or else the first of integers that is named like one. */
export function labelColumn(metadata: FileMetaData): LabelColumn | undefined {
  for (const [name, { _type, names }] of Object.entries(featuresOf(metadata)))
    if (_type === 'ClassLabel') return { name, classes: names };
  const column = columnsOf(metadata).find(
    ({ name, type }) => labelNames.includes(name) && /^INT(32|64)$/.test(type ?? ''),
  );
  return column && { name: column.name };
}

/** What Hugging Face says of a column. */
interface Feature {
  readonly _type?: string;
  readonly names?: readonly string[];
}

/** The metadata that Hugging Face's `datasets` writes; another program's are none. */
function featuresOf({ key_value_metadata = [] }: FileMetaData): Readonly<Record<string, Feature>> {
  try {
    const text = key_value_metadata.find(({ key }) => key === 'huggingface')?.value;
    return JSON.parse(text ?? '{}').info?.features ?? {};
  } catch {
    return {};
  }
}

interface Column {
  readonly name: string;
  /** Absent where it is of structs. */
  readonly type?: string;
  readonly isText: boolean;
  /** The names of what is in its structs. */
  readonly inner: readonly string[];
}

/** The schema is a tree in preorder, whose root's children are the columns. */
function columnsOf({ schema: [root, ...elements] }: FileMetaData): Column[] {
  const columns: Column[] = [];
  for (let at = 0; columns.length < (root.num_children ?? 0) && at < elements.length; ) {
    const { name, type, num_children: children = 0, converted_type } = elements[at];
    const inner = elements.slice(at + 1, at + 1 + children).map((element) => element.name);
    columns.push({ name, type, isText: converted_type === 'UTF8', inner });
    at++;
    // Past all that is below it.
    for (let left = children; left > 0 && at < elements.length; left--)
      left += elements[at++].num_children ?? 0;
  }
  return columns;
}
