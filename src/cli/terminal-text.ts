/** Lays out rows in columns, for a terminal or a log: numbers to the right, two spaces between. */
export function columns(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, c) => Math.max(...cells.map((row) => row[c].length)));
  const right = head.map((_, c) => rows.length > 0 && rows.every((row) => typeof row[c] === 'number'));
  return cells
    .map((row) =>
      row
        .map((cell, c) => (right[c] ? cell.padStart(widths[c]) : cell.padEnd(widths[c])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Bold where standard output is a terminal that is not asked to do without. */
export function bold(text: string): string {
  return process.stdout.isTTY && !process.env.NO_COLOR ? `\u001b[1m${text}\u001b[22m` : text;
}

/** `1,234,567` */
export function thousands(count: number): string {
  return count.toLocaleString('en');
}

/** `64×3×3×3`, or `scalar`. */
export function shapeText(shape: readonly unknown[]): string {
  return shape.map((size) => size ?? '?').join('×') || 'scalar';
}

/** `1 layer`, `3 layers`. */
export function plural(count: number, noun: string): string {
  return `${thousands(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `42 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${seconds < 10 ? seconds.toFixed(1) : s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

/** What a person would not expect, a line each. */
export function noteLines(notes: readonly string[]): string[] {
  return notes.map((note) => `Note: ${note}.`);
}
