import { type NamedSet, openImageSet, UsageError } from '../index.ts';
import { setName } from './options.ts';

/**
 * A set of images as it is typed: `NAME=SET`, or `SET` alone.
 *
 * @param option the flag that it was given with, for errors
 * @param fallback its name where none is typed; else the set's own, without the part (`cifar10`, not `cifar10_test`)
 */
export async function namedSet(option: string, typed: string, fallback?: string): Promise<NamedSet> {
  // Paths may hold an equals sign; names hold no slash, so that ./a=b is a path.
  const [, name, source] = /^([^=/\\]*)=(.*)$/s.exec(typed) ?? [undefined, undefined, typed];
  if (source === '') throw new UsageError(`${option} ${typed}`, 'names no set after the equals sign');
  if (name !== undefined) {
    const problem = setName(name);
    if (problem) throw new UsageError(`${option} ${name}`, problem);
    return { name, source };
  }
  if (fallback !== undefined) return { name: fallback, source };
  const own = (await openImageSet(source)).name;
  return { name: own.replace(/_(train|test)$/, ''), source };
}
