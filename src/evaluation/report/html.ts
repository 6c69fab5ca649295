import { escapeXml } from '../svg.ts';

/** A column of a table: its head, and a row's cell as HTML. */
export interface Column<T> {
  /** HTML. */
  readonly head: string;
  cell(row: T): string;
  /** Numbers stand to the right. */
  readonly numeric?: boolean;
  /** Further attributes of a cell. */
  attributes?(row: T): string;
}

/**
 * A table that scrolls sideways by itself where the page is too narrow. The first column's cells head their rows.
 *
 * @param caption what it shows, for those who do not see what stands around it
 */
export function table<T>(
  caption: string,
  columns: readonly Column<T>[],
  rows: readonly T[],
  className = '',
): string {
  const numeric = (column: Column<T>) => (column.numeric ? ' class="n"' : '');
  const head = columns.map((column) => `<th scope="col"${numeric(column)}>${column.head}</th>`);
  const body = rows.map((row) => {
    const cells = columns.map((column, c) => {
      const attributes = `${numeric(column)}${column.attributes?.(row) ?? ''}`;
      const content = column.cell(row);
      return c === 0 ? `<th scope="row"${attributes}>${content}</th>` : `<td${attributes}>${content}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  });
  return `<div class="scroll" role="region" tabindex="0" aria-label="${escapeXml(caption)}"><table class="${className}"><caption>${escapeXml(caption)}</caption>
<thead><tr>${head.join('')}</tr></thead>
<tbody>
${body.join('\n')}
</tbody></table></div>`;
}

/** What is folded until it is asked for. */
export function folded(summary: string, content: string): string {
  return `<details><summary>${summary}</summary>\n${content}\n</details>`;
}

/** A picture with its words below. */
export function figure(picture: string, caption: string, className = ''): string {
  return `<figure class="${className}">${picture}<figcaption>${caption}</figcaption></figure>`;
}

/** A picture that is read out as its title. */
export function svg(width: number, height: number, title: string, content: string, attributes = ''): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" ${attributes}><title>${escapeXml(title)}</title>${content}</svg>`;
}

/** `1,234,567` */
export function count(value: number): string {
  return value.toLocaleString('en');
}

/** A share in percent with its sign: `94.5 %`. */
export function share(value: number, digits = 1): string {
  return `${(100 * value).toFixed(digits)} %`;
}
