/** What a reader of an HTML page sees, for tests. */

/** The rows of the table with this caption, the head first: each cell's text without its tags. */
export function tableOf(html: string, caption: string): string[][] {
  const tables = html.match(/<table[\s\S]*?<\/table>/g) ?? [];
  const found = tables.find((table) => textOf(/<caption>([\s\S]*?)<\/caption>/.exec(table)![1]) === caption);
  if (!found) throw new Error(`no table is called ${caption}`);
  return (found.match(/<tr>[\s\S]*?<\/tr>/g) ?? []).map((row) =>
    Array.from(row.matchAll(/<t[hd][^>]*>([\s\S]*?)<\/t[hd]>/g), ([, cell]) => textOf(cell)),
  );
}

/** Text without tags, as it is read. */
export function textOf(html: string): string {
  const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"' };
  return html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .replaceAll(/&(amp|lt|gt|quot);/g, (_, name) => entities[name]);
}
