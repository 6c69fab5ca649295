/**
 * The expression that a pattern stands for. Of names, `*` stands for any characters and `?` for one. Of paths both leave out slashes;
 * `**` is any folders.
 */
export function wildcards(pattern: string, of: 'names' | 'paths'): RegExp {
  const one = of === 'paths' ? '[^/]' : '.';
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replace(
      /\*\*\/|\*\*|\*|\?/g,
      (found) => ({ '**/': '(?:.*/)?', '**': '.*', '*': `${one}*`, '?': one })[found]!,
    );
  return new RegExp(`^${source}$`, 'su');
}

/** Whether there is a wildcard in it. */
export function hasWildcards(pattern: string): boolean {
  return /[*?]/.test(pattern);
}
