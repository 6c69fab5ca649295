import type { Color, Framing, Geometry, ImageSize } from '../../../data/image-set.ts';
import { GraphError } from '../../common/errors.ts';

/** How images of another size are brought to a classifier's: what is given of it. */
export interface ResizingOptions {
  readonly filter?: Geometry['filter'];
  readonly shorterSide?: Geometry['shorterSide'];
  readonly framing?: Geometry['framing'];
  /** Images keep their aspect, within a border: what is given of it. */
  readonly letterbox?: { readonly place?: 'middle' | 'top-left'; readonly border?: Color };
  readonly background?: Geometry['background'];
}

/** Whether it is given how images are resized, so that what was found of it does not hold. */
export function saysResizing({ filter, shorterSide, framing, letterbox }: ResizingOptions): boolean {
  return [filter, shorterSide, framing, letterbox].some((value) => value !== undefined);
}

/**
 * A geometry with what is given of it.
 *
 * @param where the classifier's file, for errors
 * @throws GraphError where images of this size cannot be cut out of the shorter side
 */
export function withResizing(
  where: string,
  geometry: Geometry,
  { filter, shorterSide, letterbox, background, ...options }: ResizingOptions,
): Geometry {
  const { height, width } = geometry;
  const framing = letterbox ? letterboxed({ height, width }, letterbox) : options.framing;
  if (shorterSide !== undefined && shorterSide < Math.max(height, width))
    throw new GraphError(
      where,
      `takes images of ${height}×${width}, which cannot be cut out of ${shorterSide}`,
    );
  return {
    ...geometry,
    ...(filter && { filter }),
    ...(shorterSide !== undefined && { shorterSide, framing: undefined }),
    ...(framing && { framing, shorterSide: undefined }),
    ...(background && { background }),
  };
}

function letterboxed(to: ImageSize, { place, border }: NonNullable<ResizingOptions['letterbox']>): Framing {
  return {
    ...{ fit: 'contain', to, rounding: 'round', place: place === 'top-left' ? 'start' : 'middle' },
    ...(border && { border }),
  };
}
