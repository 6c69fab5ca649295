import { readFileSync } from 'node:fs';
import { packageRoot } from '../common/package-root.ts';
import { onnxruntimeVersion } from '../runtime/onnxruntime.ts';

/** This program's version, from its package.json. */
export const programVersion: string = JSON.parse(
  readFileSync(new URL('package.json', packageRoot), 'utf8'),
).version;

/**
 * Versions of everything that results may depend on.
 *
 * @example
 * ```ts
 * import { versions } from 'la-ood/guard';
 *
 * console.log(versions()['la-ood'], versions().onnxruntime);
 * ```
 */
export function versions(): Record<string, string> {
  return {
    'la-ood': programVersion,
    node: process.versions.node,
    onnxruntime: onnxruntimeVersion,
    platform: `${process.platform}-${process.arch}`,
  };
}
