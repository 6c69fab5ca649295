import { sha256 } from '../src/common/files.ts';
import type { ImageSet } from './image-set.ts';

/** A set whose images are not resized and cropped, because they are stored in the size that is wanted; others are stretched. */
export function asStored(set: ImageSet): ImageSet {
  return {
    ...set,
    fingerprint: async () => sha256(Buffer.from(`${await set.fingerprint()} as stored`)),
    read: (start, count, { height, width }) => set.read(start, count, { height, width }),
  };
}
