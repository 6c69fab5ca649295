import { DataError } from '../../src/common/errors.ts';

/** The pixels that an image may have, Pillow's limit too. */
const MAX_PIXELS = 178_956_970;

/**
 * Whether a file's header describes images.
 *
 * @throws DataError where there are none, or their sizes are beyond reason
 */
export function checkImageArray(
  where: string,
  { count, height, width }: { count: number; height: number; width: number },
): void {
  const sizes = `${count} images of ${height} × ${width} pixels`;
  if (count === 0 || height === 0 || width === 0) throw new DataError(where, `holds no images: ${sizes}`);
  if (!Number.isSafeInteger(count) || !(height * width <= MAX_PIXELS))
    throw new DataError(where, `claims ${sizes}`, 'is it damaged?');
}
