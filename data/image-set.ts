import type { FilterName } from './resampling/filters.ts';

/** Height and width in pixels. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
}

/** The size that images are wanted in, and how they are brought to it. */
export interface Geometry extends ImageSize {
  /** Lanczos if not given, as the original resizes. */
  readonly filter?: FilterName;
  /**
   * Where given, images are not stretched: their shorter side is made this long and the middle is cut out, as
   * torchvision's `Resize(shorterSide)` and `CenterCrop((height, width))` do. Short for a framing.
   */
  readonly shorterSide?: number;
  /** Where given, images are resized and then cut or bordered in another way than `shorterSide` says. */
  readonly framing?: Framing;
  /** The colour behind transparent pixels, RGB bytes; where absent, alpha is dropped. */
  readonly background?: Color;
}

/** Red, green, blue, 0 … 255. */
export type Color = readonly [number, number, number];

/** How images are resized, and the result is cut or bordered to the size that is wanted. */
export interface Framing {
  /**
   * `stretch` to exactly the size `to`; else the aspect is kept: `cover` makes the smallest image that covers it,
   * `contain` the largest that lies within it (letterbox).
   */
  readonly fit: 'stretch' | 'cover' | 'contain';
  readonly to: ImageSize;
  /** Of a side that follows the other: Python's `int()`, as torchvision and transformers do, or its `round()`, as timm. */
  readonly rounding: 'truncate' | 'round';
  /**
   * What is kept, or where the image lies within its border: the middle, which begins at a half rounded by torchvision's
   * rule (`middle`) or down (`middle-floor`, transformers), or `start`: the border is on the right and at the bottom.
   */
  readonly place: 'middle' | 'middle-floor' | 'start';
  /** The border's colour, black where absent. */
  readonly border?: Color;
}

/** One decoded image: `height × width × 3` RGB bytes, row by row. */
export interface Image extends ImageSize {
  readonly pixels: Uint8Array;
}

/** A file that lies where images are read, and is not read as one. */
export interface LeftOut {
  /** What it is called in the set: its path. */
  readonly name: string;
  /** What it is, in a word or two: `HEIC`, `text`, `damaged`. */
  readonly kind: string;
}

/** The parts that sets are published in. */
export const parts = ['train', 'test', 'val'] as const;
export type Part = (typeof parts)[number];

/**
 * A sized, seekable source of uint8 RGB images: what every command reads, whatever the images come from.
 * The order is fixed, and the same on every machine.
 */
export interface ImageSet {
  /** A short name that is fit for a file name: `cifar10_test`. */
  readonly name: string;
  /** Number of images. */
  readonly length: number;
  /** Class names by label, where the set has classes. */
  readonly classes?: readonly string[];
  /** The files that are left out; absent where there are none. */
  readonly leftOut?: readonly LeftOut[];
  /** The class of image `index`, undefined where the set has none. */
  label(index: number): number | undefined;
  /** What to call image `index` in a message or a table: its path inside the set, or its number. */
  imageName(index: number): string;
  /** The path that the file of image `index` opens by, where it is a file of its own and nothing else. */
  readonly imagePath?: (index: number) => string | undefined;
  /** The size that image `index` is stored in; absent where images are drawn in whatever size they are asked for. */
  readonly storedSize?: (index: number) => Promise<ImageSize>;
  /** Hex SHA-256 that changes when the images do; for the manifest, and to know whether work can be resumed. */
  fingerprint(): Promise<string>;
  /**
   * Images `start … start + count - 1` as `count × height × width × 3` bytes (NHWC). Unless the geometry says
   * otherwise, images of another size are stretched to exactly `height × width` with Pillow's Lanczos filter, aspect
   * not kept, as the original does.
   *
   * @throws DataError that names the image which cannot be decoded
   */
  read(start: number, count: number, geometry: Geometry): Promise<Uint8Array>;
}
