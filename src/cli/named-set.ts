import { type NamedSet, openImageSet, type SetKind, setKinds, UsageError } from '../index.ts';
import { properSetName } from './options.ts';

/**
 * An OOD set as it is typed: `near:[NAME=]SET`, `far:`, `shifted:`, or `[NAME=]SET`.
 *
 * @param option the flag that it was given with, for errors
 */
export async function oodSet(option: string, typed: string): Promise<NamedSet> {
  const { kind, name } = withKind(typed);
  if (name === '') throw new UsageError(`${option} ${typed}`, 'names no set after the colon');
  return { ...(await namedSet(option, name)), ...(kind && { kind }) };
}

/** Takes `near:`, `far:` or `shifted:` off a name. */
export function withKind(typed: string): { kind?: SetKind; name: string } {
  const kind = setKinds.find((kind) => typed.startsWith(`${kind}:`));
  return kind ? { kind, name: typed.slice(kind.length + 1) } : { name: typed };
}

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
    const problem = properSetName(name);
    if (problem) throw new UsageError(`${option} ${name}`, problem);
    return { name, source };
  }
  if (fallback !== undefined) return { name: fallback, source };
  const own = (await openImageSet(source)).name;
  return { name: own.replace(/_(train|test)$/, ''), source };
}
