import { assembled } from '../assembled.ts';
import type { Image, ImageSize } from '../image-set.ts';
import { pickColors } from '../pixels.ts';
import { type JpegComponent, type JpegHeaders, jpegHeaders } from './headers.ts';
import { huffmanTable, tableLength } from './huffman.ts';
import { kernels } from './jpeg-kernels.wasm.ts';

/** What jpeg-kernels.wat exports. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  unstuff(start: number, end: number, out: number): number;
  segment(...numbers: number[]): number;
  rgb(...numbers: number[]): void;
}

/** What has more pixels is left to libvips, as memory never shrinks. */
const maxPixels = 1 << 22;
const page = 1 << 16;

/** Places in memory; those below are the kernels' own. */
const ZIGZAG_AT = 256;
const MARKER_AT = 336;
const TABLES_AT = 512;
const STEPS_AT = TABLES_AT + 8 * 4 * tableLength;
const blocksAt = STEPS_AT + 4 * 4 * 64;
const predictorsAt = blocksAt + 6 * 32;
const inputAt = predictorsAt + 16;
/** An MCU of a damaged file may be read that far beyond the end of its bytes. */
const MARGIN = 4096;

const END_OF_IMAGE = 0xd9;
const FIRST_RESTART = 0xd0;

const exports = new WebAssembly.Instance(assembled(kernels)).exports as unknown as Exports;
let bytes = new Uint8Array(exports.memory.buffer);
let words = new Int32Array(exports.memory.buffer);
placeZigzag();

/** The Huffman tables that are in memory. */
const placed: (Int32Array | undefined)[] = [];

/**
 * Decodes a JPEG of the usual kind: sequential, grey or YCbCr with colours in full or half resolution. The bytes are those
 * of libjpeg-turbo, and so of Pillow, whose cost for each call is many times that of decoding a small image. Blocks the
 * thread.
 *
 * @returns undefined where the file is of another kind, damaged or large: libvips then has the last word
 */
export function decodeJpeg(file: Uint8Array): Image | undefined {
  const headers = jpegHeaders(file);
  if (!headers) return undefined;
  const { height, width, components } = headers;
  const sampling = samplingOf(components, width);
  if (!sampling || height * width === 0 || height * width > maxPixels || !placeTables(headers))
    return undefined;
  const { across, down } = sampling;
  const columns = Math.ceil(width / (8 * across));
  const rows = Math.ceil(height / (8 * down));
  const stride = 8 * across * columns;
  const colorStride = 8 * columns;
  const colorSize = components.length === 1 ? 0 : 8 * rows * colorStride;
  const unstuffedEnd = align(inputAt + 2 * (file.length + MARGIN));
  const planes = [unstuffedEnd];
  planes.push(planes[0] + 8 * down * rows * stride);
  planes.push(planes[1] + colorSize);
  const rowsAt = planes[2] + colorSize;
  const outAt = rowsAt + 4 * stride + MARGIN;
  reserve(outAt + 3 * width * height + MARGIN);
  bytes.set(file, inputAt);
  // Of a damaged file something may be left.
  words.fill(0, 0, 32);
  const blocksEnd = placeBlocks(components, sampling, planes, [stride, colorStride, colorStride]);
  if (!decodeScan(file, headers, unstuffedEnd, blocksEnd, rows * columns, columns)) return undefined;
  if (components.length === 1)
    return {
      height,
      width,
      pixels: pickColors(withoutPadding(planes[0], stride, headers), 1, (gray) => gray),
    };
  const [y, cb, cr] = planes;
  const colorWidth = Math.ceil(width / across);
  const colorHeight = Math.ceil(height / down);
  exports.rgb(
    ...[y, stride, width, height, cb, cr, colorStride, colorWidth, colorHeight],
    ...[across, down, rowsAt, outAt],
  );
  return { height, width, pixels: bytes.slice(outAt, outAt + 3 * width * height) };
}

/** Samples of brightness for one of colour, along a row and along a column. */
interface Sampling {
  readonly across: number;
  readonly down: number;
}

/** Undefined where it is unusual, or the image so narrow that libjpeg-turbo only repeats its colours. */
function samplingOf([first, ...colors]: readonly JpegComponent[], width: number): Sampling | undefined {
  const { across, down } = first;
  // The only component is stored as it is, whatever its factors say.
  if (colors.length === 0) return { across: 1, down: 1 };
  const isUsual = across === 2 ? (down === 1 || down === 2) && width > 4 : across === 1 && down === 1;
  const isWhole = colors.length === 2 && colors.every((color) => color.across === 1 && color.down === 1);
  return isUsual && isWhole ? { across, down } : undefined;
}

function placeZigzag(): void {
  let [row, column] = [0, 0];
  for (let k = 0; k < 80; k++) {
    bytes[ZIGZAG_AT + k] = 2 * (8 * row + column);
    if (k >= 63) continue;
    const isUp = (row + column) % 2 === 0;
    if (isUp && column === 7) row++;
    else if (!isUp && row === 7) column++;
    else if (isUp && row === 0) column++;
    else if (!isUp && column === 0) row++;
    else [row, column] = isUp ? [row - 1, column + 1] : [row + 1, column - 1];
  }
}

function placeTables({ components, steps, codes }: JpegHeaders): boolean {
  for (const component of components) {
    const table = steps.get(component.steps);
    if (!table || component.steps > 3) return false;
    words.set(table, STEPS_AT / 4 + 64 * component.steps);
    for (const number of [component.dc, component.ac]) {
      const definition = codes.get(number);
      const place = placeOf(number);
      const huffman = place === undefined ? undefined : definition && huffmanTable(definition);
      // A difference of DC has at most 15 bits, as the standard's example tables have 11.
      if (!huffman || (number < 16 && definition!.subarray(16).some((symbol) => symbol > 15))) return false;
      if (placed[place!] !== huffman) words.set(huffman, (TABLES_AT + 4 * tableLength * place!) / 4);
      placed[place!] = huffman;
    }
  }
  return true;
}

/** The place in memory of a Huffman table: four for DC, then four for AC. */
function placeOf(number: number): number | undefined {
  return (number & 15) > 3 ? undefined : (number >> 2) | (number & 3);
}

/** Describes the blocks of an MCU to `segment`. @returns the end of what describes them */
function placeBlocks(
  components: readonly JpegComponent[],
  sampling: Sampling,
  planes: readonly number[],
  strides: readonly number[],
): number {
  let at = blocksAt / 4;
  components.forEach(({ steps, dc, ac }, c) => {
    const { across, down } = c === 0 ? sampling : { across: 1, down: 1 };
    for (let y = 0; y < down; y++)
      for (let x = 0; x < across; x++, at += 8)
        words.set(
          [
            TABLES_AT + 4 * tableLength * placeOf(dc)!,
            TABLES_AT + 4 * tableLength * placeOf(ac)!,
            STEPS_AT + 4 * 64 * steps,
            planes[c] + 8 * y * strides[c] + 8 * x,
            strides[c],
            8 * across,
            (8 * down - 1) * strides[c],
            predictorsAt + 4 * c,
          ],
          at,
        );
  });
  return 4 * at;
}

/** The entropy-coded bytes, from restart marker to restart marker; whether they are as they should be. */
function decodeScan(
  file: Uint8Array,
  { interval, start }: JpegHeaders,
  unstuffedEnd: number,
  blocksEnd: number,
  mcus: number,
  columns: number,
): boolean {
  let position = start;
  let column = 0;
  for (let done = 0, restarts = 0; done < mcus; restarts++) {
    const some = Math.min(interval || mcus, mcus - done);
    const end = exports.unstuff(inputAt + position, inputAt + file.length, unstuffedEnd);
    words.fill(0, predictorsAt / 4, predictorsAt / 4 + 3);
    column = exports.segment(unstuffedEnd - 8, end - 8, blocksAt, blocksEnd, some, column, columns);
    done += some;
    const marker = words[MARKER_AT / 4] - inputAt;
    const expected = done < mcus ? FIRST_RESTART + (restarts & 7) : END_OF_IMAGE;
    if (column < 0 || file[marker + 1] !== expected) return false;
    position = marker + 2;
  }
  return true;
}

function withoutPadding(plane: number, stride: number, { height, width }: ImageSize): Uint8Array {
  const samples = new Uint8Array(height * width);
  for (let y = 0; y < height; y++)
    samples.set(bytes.subarray(plane + y * stride, plane + y * stride + width), y * width);
  return samples;
}

function align(position: number): number {
  return (position + 15) & ~15;
}

function reserve(size: number): void {
  const missing = size - bytes.length;
  if (missing <= 0) return;
  exports.memory.grow(Math.ceil(missing / page));
  bytes = new Uint8Array(exports.memory.buffer);
  words = new Int32Array(exports.memory.buffer);
}
