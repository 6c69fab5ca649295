import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes that are worth a collection, which takes a tenth of a second. */
const WORTHWHILE = 2 ** 26;

/**
 * Gives back at once the typed arrays that nothing refers to any more. Those of many megabytes are small objects to the collector,
 * which lets them be while onnxruntime, whose memory it does not see, takes as much again.
 */
export function collectGarbage(): void {
  if (process.memoryUsage().arrayBuffers < WORTHWHILE) return;
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
}
