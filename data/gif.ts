import type { Image, ImageSize } from './image-set.ts';

/** Codes of LZW have at most this many bits (GIF89a, appendix F). */
const maxCodes = 1 << 12;
const NO_TRANSPARENCY = -1;

/**
 * The first frame of a GIF as Pillow's `convert('RGB')` gives it: a transparent pixel has the colour that its index has
 * in the palette, and what the frame leaves free of the screen is filled with the transparent index, or with index 0.
 * Later frames are not looked at.
 *
 * @param maxPixels refuses a larger screen
 * @throws Error where the file is damaged
 */
export function decodeGif(bytes: Uint8Array, maxPixels: number): Image {
  const reader = new Reader(bytes);
  const { size, frame, palette, transparent } = readHead(reader);
  const pixels = size.width * size.height;
  if (pixels === 0 || pixels > maxPixels) throw new Error(`GIF of ${size.width} × ${size.height} pixels`);
  const codeBits = reader.byte();
  // First, for a short file may claim a large screen.
  const frameIndices = lzw(reader.subBlocks(), codeBits, frame.width * frame.height);
  const indices = new Uint8Array(pixels).fill(Math.max(transparent, 0));
  place(frameIndices, frame, size, indices);
  return { ...size, pixels: colors(indices, palette) };
}

/** The size of a GIF: of its screen, or of what its first frame goes beyond it. */
export function gifSize(bytes: Uint8Array): ImageSize {
  return readHead(new Reader(bytes)).size;
}

interface Head {
  readonly size: ImageSize;
  readonly frame: Frame;
  readonly palette: Uint8Array;
  /** The index that is transparent, or none. */
  readonly transparent: number;
}

/** All that stands before the first frame's codes. */
function readHead(reader: Reader): Head {
  reader.skip(6);
  const screen = { width: reader.uint16(), height: reader.uint16() };
  const globalColors = paletteSize(reader.byte());
  // Background colour and aspect ratio, which Pillow does not look at either.
  reader.skip(2);
  const globalPalette = reader.bytes(3 * globalColors);
  let transparent = NO_TRANSPARENCY;
  for (;;) {
    const block = reader.byte();
    if (block === 0x2c) break;
    if (block !== 0x21) throw new Error('GIF without an image');
    const isControl = reader.byte() === 0xf9;
    const data = reader.subBlocks();
    if (isControl) transparent = data[0] & 1 ? data[3] : NO_TRANSPARENCY;
  }
  const [left, top, width, height] = [reader.uint16(), reader.uint16(), reader.uint16(), reader.uint16()];
  const flags = reader.byte();
  const localPalette = reader.bytes(3 * paletteSize(flags));
  return {
    size: { width: Math.max(screen.width, left + width), height: Math.max(screen.height, top + height) },
    frame: { left, top, width, height, interlaced: (flags & 0x40) !== 0 },
    palette: localPalette.length ? localPalette : globalPalette,
    transparent,
  };
}

/** Number of colours of the palette that follows a byte of flags. */
function paletteSize(flags: number): number {
  return flags & 0x80 ? 2 << (flags & 7) : 0;
}

/**
 * Where there is no palette, or it is the shades of grey in order, Pillow takes the indices for these shades. An index
 * beyond any other palette is black.
 */
function colors(indices: Uint8Array, palette: Uint8Array): Uint8Array {
  const isGray = palette.every((value, i) => value === Math.floor(i / 3));
  const table = new Uint8Array(768);
  if (isGray) for (let i = 0; i < table.length; i++) table[i] = Math.floor(i / 3);
  else table.set(palette);
  const rgb = new Uint8Array(3 * indices.length);
  for (let i = 0, to = 0; i < indices.length; i++, to += 3) {
    const from = 3 * indices[i];
    rgb[to] = table[from];
    rgb[to + 1] = table[from + 1];
    rgb[to + 2] = table[from + 2];
  }
  return rgb;
}

interface Frame extends ImageSize {
  readonly left: number;
  readonly top: number;
  readonly interlaced: boolean;
}

/** Puts the frame's rows, which may come in four passes, where they belong on the screen. */
function place(frameIndices: Uint8Array, frame: Frame, screen: ImageSize, indices: Uint8Array): void {
  const { left, top, width, height, interlaced } = frame;
  const passes = interlaced
    ? [
        [0, 8],
        [4, 8],
        [2, 4],
        [1, 2],
      ]
    : [[0, 1]];
  let from = 0;
  for (const [first, step] of passes)
    for (let y = first; y < height; y += step, from += width)
      indices.set(frameIndices.subarray(from, from + width), (top + y) * screen.width + left);
}

/** Unpacks LZW codes of growing width to `count` indices. */
function lzw(data: Uint8Array, codeBits: number, count: number): Uint8Array {
  // More than 8 are outside the specification, and are written and read all the same; of an index, a byte counts.
  if (codeBits < 1 || codeBits > 11) throw new Error(`GIF with codes of ${codeBits} bits`);
  // The longest string that a code may stand for, and the fewest bits of one: what the bytes can fill at most.
  if (count > (maxCodes * 8 * data.length) / (codeBits + 1)) throw new Error('GIF is cut short');
  const clear = 1 << codeBits;
  const end = clear + 1;
  // A code stands for the string of another one and one more index.
  const prefix = new Uint16Array(maxCodes);
  const suffix = Uint8Array.from({ length: maxCodes }, (_, i) => i);
  const string = new Uint8Array(maxCodes + 1);
  const out = new Uint8Array(count);
  let bits = codeBits + 1;
  let next = end + 1;
  let previous = -1;
  let first = 0;
  let written = 0;
  let buffer = 0;
  let buffered = 0;
  for (let at = 0; written < count; ) {
    while (buffered < bits) {
      if (at === data.length) throw new Error('GIF is cut short');
      buffer |= data[at++] << buffered;
      buffered += 8;
    }
    const code = buffer & ((1 << bits) - 1);
    buffer >>>= bits;
    buffered -= bits;
    if (code === end) throw new Error('GIF is cut short');
    if (code === clear) {
      bits = codeBits + 1;
      next = end + 1;
      previous = -1;
      continue;
    }
    if (code > next || (code === next && previous < 0)) throw new Error('GIF is damaged');
    let length = 0;
    let walk = code;
    // The one code that is not known yet: the string before, and its first index again.
    if (code === next) {
      string[length++] = first;
      walk = previous;
    }
    for (; walk >= clear; walk = prefix[walk]) string[length++] = suffix[walk];
    first = walk;
    string[length++] = first;
    while (length > 0 && written < count) out[written++] = string[--length];
    if (previous >= 0 && next < maxCodes) {
      prefix[next] = previous;
      suffix[next] = first;
      next++;
      if (next === 1 << bits && bits < 12) bits++;
    }
    previous = code;
  }
  return out;
}

/** Reads a file's fields in order. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  byte(): number {
    return this.bytes(1)[0];
  }

  uint16(): number {
    const [low, high] = this.bytes(2);
    return low | (high << 8);
  }

  skip(length: number): void {
    this.bytes(length);
  }

  bytes(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) throw new Error('GIF is cut short');
    return this.#bytes.subarray(this.#at, (this.#at += length));
  }

  /** Blocks of at most 255 bytes, each behind its length, up to an empty one; or to the end of the file. */
  subBlocks(): Uint8Array {
    const blocks: Uint8Array[] = [];
    for (let length = this.byte(); length > 0; length = this.#at < this.#bytes.length ? this.byte() : 0)
      blocks.push(this.bytes(length));
    const joined = new Uint8Array(blocks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const block of blocks) {
      joined.set(block, at);
      at += block.length;
    }
    return joined;
  }
}
