/** What a stream of random numbers is for. */
export const streams = { order: 1, augmentation: 2, step: 3, statistics: 4 } as const;

/**
 * The seed of one stream of random numbers, scattered over all 2³². What a step draws follows from the training's seed
 * and the step's place alone, so that a training which was cut off goes on as if it had not been.
 */
export function seedOf(seed: number, stream: number, epoch: number, step = 0): number {
  let hash = seed >>> 0;
  for (const part of [stream, epoch, step]) hash = scattered((hash + Math.imul(part + 1, 0x9e3779b1)) >>> 0);
  return hash;
}

/** MurmurHash3's last steps: each bit depends on all. */
function scattered(bits: number): number {
  let hash = bits;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
