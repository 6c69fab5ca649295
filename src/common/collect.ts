import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Gives back at once what nothing refers to any more. Typed arrays of many megabytes are small objects to the collector,
 * which lets them be while onnxruntime, whose memory it does not see, takes as much again.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
}
