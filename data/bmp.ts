import type { Image, ImageSize } from './image-set.ts';

/*
 * BMP as Windows and OS/2 write it ("Bitmap Storage", Microsoft): a file header of 14 bytes, an information header that
 * begins with its own size, colour masks or a palette, and the rows, mostly the lowest first, each padded to four bytes.
 */

const FILE_HEADER = 14;
/** The oldest information header, whose numbers are shorter. */
const CORE_HEADER = 12;
const [plain, rle8, rle4, masked] = [0, 1, 2, 3];

/** Where the colours of a 32-, 24- or 16-bit pixel are: the position of each, and its number of bits. */
type Fields = readonly (readonly [shift: number, bits: number])[];

interface Header extends ImageSize {
  readonly bits: number;
  readonly compression: number;
  readonly topDown: boolean;
  readonly start: number;
  /** 256 colours, three bytes each, where pixels are indices. */
  readonly palette?: Uint8Array;
  readonly fields: Fields;
}

/**
 * Decodes a BMP to the pixels that Pillow's `convert('RGB')` gives: a fourth channel is dropped, indices that the palette
 * does not have are black, and what run lengths leave out has index 0.
 *
 * @param maxPixels refuses a larger image
 * @throws Error where the file is damaged, or of a kind that Pillow does not read either
 */
export function decodeBmp(bytes: Uint8Array, maxPixels: number): Image {
  const header = readHeader(bytes);
  const { height, width, compression, palette } = header;
  if (height * width === 0 || height * width > maxPixels)
    throw new Error(`BMP of ${width} × ${height} pixels`);
  if (!palette) return { height, width, pixels: trueColors(bytes, header) };
  const isPacked = compression === rle8 || compression === rle4;
  const indices = isPacked ? runLengths(bytes, header) : unpackedIndices(bytes, header);
  const pixels = new Uint8Array(3 * height * width);
  for (let i = 0, to = 0; i < indices.length; i++, to += 3) {
    const from = 3 * indices[i];
    pixels[to] = palette[from];
    pixels[to + 1] = palette[from + 1];
    pixels[to + 2] = palette[from + 2];
  }
  return { height, width, pixels };
}

/** The size that a BMP's header tells. */
export function bmpSize(bytes: Uint8Array): ImageSize {
  const { height, width } = readHeader(bytes);
  return { height, width };
}

function readHeader(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = bytes.length < 26 ? 0 : view.getUint32(FILE_HEADER, true);
  const isCore = size === CORE_HEADER;
  if (!(isCore || size >= 40) || FILE_HEADER + size > bytes.length) throw new Error('BMP is cut short');
  const at = FILE_HEADER + 4;
  const rows = isCore ? view.getUint16(at + 2, true) : view.getInt32(at + 4, true);
  const width = isCore ? view.getUint16(at, true) : view.getUint32(at, true);
  const bits = view.getUint16(at + (isCore ? 6 : 10), true);
  const compression = isCore ? plain : view.getUint32(at + 12, true);
  let end = FILE_HEADER + size;
  if (![plain, rle8, rle4, masked].includes(compression))
    throw new Error(`BMP of compression ${compression}`);
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw new Error(`BMP of ${bits} bits a pixel`);
  const isIndexed = bits <= 8;
  if (compression !== plain && isIndexed !== (compression !== masked))
    throw new Error(`BMP of ${bits} bits a pixel in compression ${compression}`);
  let fields: Fields = bits === 16 ? [[10, 5], [5, 5], [0, 5]] : [[16, 8], [8, 8], [0, 8]]; // biome-ignore format: a row a case
  if (compression === masked) {
    // Behind the shortest header, else in it, which is the same place.
    if (size === 40) end += 12;
    fields = fieldsOf([0, 4, 8].map((offset) => maskAt(view, FILE_HEADER + 40 + offset)));
  }
  const entry = isCore ? 3 : 4;
  const colors = (isCore ? 0 : view.getUint32(at + 28, true)) || 1 << bits;
  const palette = isIndexed ? paletteOf(bytes.subarray(end), Math.min(colors, 256), entry) : undefined;
  // Where it is not said, or cannot be, the rows follow.
  const said = view.getUint32(10, true);
  const behind = end + (isIndexed ? entry * colors : 0);
  const start = said === 0 || said === FILE_HEADER + size ? behind : said;
  return { height: Math.abs(rows), width, bits, compression, topDown: rows < 0, start, palette, fields };
}

function maskAt(view: DataView, at: number): number {
  if (at + 4 > view.byteLength) throw new Error('BMP is cut short');
  return view.getUint32(at, true);
}

/** Masks of neighbouring bits, eight of them, or five and six where a pixel has 16. */
function fieldsOf(masks: readonly number[]): Fields {
  // No masks at all stand for the usual ones.
  if (masks.every((mask) => mask === 0)) return fieldsOf([0xff0000, 0xff00, 0xff]);
  return masks.map((mask) => {
    const shift = 31 - Math.clz32(mask & -mask);
    const bits = 32 - Math.clz32(mask >>> Math.max(shift, 0));
    if (mask === 0 || mask >>> shift !== 2 ** bits - 1 || bits > 8)
      throw new Error(`BMP with the colour mask ${mask.toString(16)}`);
    return [shift, bits];
  });
}

/** Blue comes first. Shades of grey in order are what they are by themselves, with two colours black and white. */
function paletteOf(bytes: Uint8Array, colors: number, entry: number): Uint8Array {
  const palette = new Uint8Array(3 * 256);
  for (let i = 0; i < colors && entry * i + 3 <= bytes.length; i++)
    for (let c = 0; c < 3; c++) palette[3 * i + c] = bytes[entry * i + 2 - c];
  const gray = (i: number) => (colors === 2 ? 255 * i : i);
  const isGray = palette.subarray(0, 3 * colors).every((value, i) => value === gray(Math.floor(i / 3)));
  if (isGray && colors > 2) for (let i = colors; i < 256; i++) palette.fill(i, 3 * i, 3 * i + 3);
  return palette;
}

/** Bytes of a row, up to four. */
function strideOf({ width, bits }: Header): number {
  return Math.floor((width * bits + 31) / 32) * 4;
}

/** Checked before pixels are made room for. */
function requireRows(bytes: Uint8Array, header: Header): number {
  const { height, width, bits, start } = header;
  const stride = strideOf(header);
  // The last row's padding may be missing.
  const needed = start + (height - 1) * stride + Math.ceil((width * bits) / 8);
  if (needed > bytes.length) throw new Error(`BMP is cut short: ${bytes.length} of ${needed} bytes`);
  return stride;
}

function trueColors(bytes: Uint8Array, header: Header): Uint8Array {
  const { height, width, bits, start, topDown, fields } = header;
  const stride = requireRows(bytes, header);
  const pixels = new Uint8Array(3 * height * width);
  const step = bits / 8;
  const most = fields.map(([, size]) => 2 ** size - 1);
  for (let y = 0, to = 0; y < height; y++) {
    let from = start + (topDown ? y : height - 1 - y) * stride;
    for (let x = 0; x < width; x++, from += step) {
      let value = 0;
      for (let b = step - 1; b >= 0; b--) value = (value << 8) | bytes[from + b];
      for (let c = 0; c < 3; c++) {
        const sample = (value >>> fields[c][0]) & most[c];
        pixels[to++] = most[c] === 255 ? sample : Math.floor((255 * sample) / most[c]);
      }
    }
  }
  return pixels;
}

function unpackedIndices(bytes: Uint8Array, header: Header): Uint8Array {
  const { height, width, bits, start, topDown } = header;
  const stride = requireRows(bytes, header);
  const indices = new Uint8Array(height * width);
  const mask = 2 ** bits - 1;
  for (let y = 0, to = 0; y < height; y++) {
    const row = start + (topDown ? y : height - 1 - y) * stride;
    for (let x = 0; x < width; x++) {
      const bit = x * bits;
      indices[to++] = (bytes[row + (bit >> 3)] >> (8 - bits - (bit & 7))) & mask;
    }
  }
  return indices;
}

/** Run lengths: a count and what is repeated; or 0 and a word: the end of a row, of the image, a leap, or a count of pixels. */
function runLengths(bytes: Uint8Array, { height, width, compression, start, topDown }: Header): Uint8Array {
  const isHalf = compression === rle4;
  const total = height * width;
  const rows: Uint8Array = new Uint8Array(total);
  const pixel = (from: number, i: number) => {
    const byte = bytes[isHalf ? from + (i >> 1) : from + i];
    return isHalf ? (i % 2 === 0 ? byte >> 4 : byte & 15) : byte;
  };
  let at = start;
  let to = 0;
  let x = 0;
  const enough = (length: number) => {
    if (at + length > bytes.length) throw new Error('BMP is cut short');
  };
  while (to < total) {
    enough(2);
    const [count, value] = [bytes[at], bytes[at + 1]];
    at += 2;
    if (count > 0) {
      // What goes beyond a row is left out.
      const some = Math.max(0, Math.min(count, width - x, total - to));
      for (let i = 0; i < some; i++) rows[to++] = isHalf ? (i % 2 === 0 ? value >> 4 : value & 15) : value;
      x += some;
    } else if (value === 0) {
      to += (width - (to % width)) % width;
      x = 0;
    } else if (value === 1) break;
    else if (value === 2) {
      enough(2);
      to = Math.min(total, to + bytes[at] + bytes[at + 1] * width);
      at += 2;
      x = to % width;
    } else {
      const some = Math.min(value, total - to);
      const length = isHalf ? Math.ceil(some / 2) : some;
      enough(length);
      for (let i = 0; i < some; i++) rows[to++] = pixel(at, i);
      at += length;
      x += value;
      at += at % 2;
    }
  }
  return topDown ? rows : flipped(rows, width);
}

function flipped(rows: Uint8Array, width: number): Uint8Array {
  const out = new Uint8Array(rows.length);
  for (let from = 0; from < rows.length; from += width)
    out.set(rows.subarray(from, from + width), rows.length - width - from);
  return out;
}
