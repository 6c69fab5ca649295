import { type Advice, advice, type LaOodError } from '../../common/errors.ts';

/** What is wrong in a file, and what to do about it, without the file's name. */
export function withinFile({ where, problem, remedy = '' }: LaOodError, path: string): Advice {
  const place = where.startsWith(path) ? where.slice(path.length).replace(/^: /, '') : where;
  return advice`${`${place} ${problem}`.trim()}${remedy && '; '}${remedy}`;
}
