import type { ImageSize } from '../image-set.ts';

/** What the frame header of a JPEG says (ITU T.81, B.2.2). */
export interface JpegFrame extends ImageSize {
  /** 1 grey, 3 colour, 4 CMYK. */
  readonly components: number;
}

/** A component, and the numbers of its tables. */
export interface JpegComponent {
  /** Sampling factors. */
  readonly across: number;
  readonly down: number;
  readonly steps: number;
  readonly dc: number;
  readonly ac: number;
}

/** All that is said before the entropy-coded bytes of a JPEG whose samples come in one scan. */
export interface JpegHeaders extends ImageSize {
  readonly components: readonly JpegComponent[];
  /** Quantisation steps by number, in zigzag order. */
  readonly steps: ReadonlyMap<number, Int32Array>;
  /** The bytes that define the Huffman tables by number, those for AC from 16 on: 16 counts of codes, and their symbols. */
  readonly codes: ReadonlyMap<number, Uint8Array>;
  /** MCUs between restart markers; 0 where there are none. */
  readonly interval: number;
  /** Where the entropy-coded bytes begin. */
  readonly start: number;
}

/** The first frame header of a JPEG; undefined where this is none, or it is cut short. */
export function jpegFrame(bytes: Uint8Array): JpegFrame | undefined {
  for (const { marker, body } of segments(bytes)) {
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame && body.length >= 6) return { ...sizeOf(body), components: body[5] };
  }
  return undefined;
}

/** How colours were turned, as Adobe's segment says; undefined where there is none. */
export function adobeTransform(bytes: Uint8Array): number | undefined {
  for (const { marker, body } of segments(bytes))
    if (marker === 0xee && beginOf(body) === 'Adobe') return body[11];
  return undefined;
}

/**
 * Reads the headers of the JPEG files that most are: sequential, Huffman-coded, 8-bit, grey or YCbCr, in one scan.
 *
 * @returns undefined where the file is of another kind, or damaged
 */
export function jpegHeaders(bytes: Uint8Array): JpegHeaders | undefined {
  const steps = new Map<number, Int32Array>();
  const codes = new Map<number, Uint8Array>();
  let frame: Uint8Array | undefined;
  let interval = 0;
  let isJfif = false;
  let isRgb = false;
  for (const { marker, body, end } of segments(bytes)) {
    switch (marker) {
      case 0xe0:
        isJfif ||= beginOf(body) === 'JFIF\0';
        break;
      case 0xee:
        isRgb ||= beginOf(body) === 'Adobe' && body[11] === 0;
        break;
      case 0xdb:
        if (!readSteps(body, steps)) return undefined;
        break;
      case 0xc4:
        if (!readCodes(body, codes)) return undefined;
        break;
      case 0xdd:
        interval = body.length === 2 ? uint16(body, 0) : 0;
        break;
      case 0xc0:
      case 0xc1:
        if (frame || body[0] !== 8 || body.length !== 6 + 3 * body[5]) return undefined;
        frame = body;
        break;
      case 0xda: {
        const components = frame && readScan(body, frame);
        // Components that are called R, G and B hold these.
        if (!components || ((isRgb || frame![6] === 0x52) && !isJfif)) return undefined;
        const { height, width } = sizeOf(frame!);
        return { height, width, components, steps, codes, interval, start: end };
      }
      default:
        if (marker >= 0xc2 && marker <= 0xcf) return undefined;
    }
  }
  return undefined;
}

/** What stands behind the bits a sample. */
function sizeOf(frame: Uint8Array): ImageSize {
  return { height: uint16(frame, 1), width: uint16(frame, 3) };
}

export interface JpegSegment {
  readonly marker: number;
  /** Of the file, not copied. */
  readonly body: Uint8Array;
  /** The place behind it. */
  readonly end: number;
}

/** Marker segments, each 0xff, its marker, two bytes of length and the rest. */
export function* segments(bytes: Uint8Array): Generator<JpegSegment> {
  if (bytes.length < 4 || uint16(bytes, 0) !== 0xffd8) return;
  for (let at = 2; at + 4 <= bytes.length; ) {
    if (bytes[at] !== 0xff) return;
    const marker = bytes[at + 1];
    // More of 0xff may stand before a marker.
    if (marker === 0xff) {
      at++;
      continue;
    }
    const end = at + 2 + uint16(bytes, at + 2);
    if (end > bytes.length || end < at + 4) return;
    yield { marker, body: bytes.subarray(at + 4, end), end };
    at = end;
  }
}

/** Tables of 64 steps of one byte or two, each behind a byte that holds which and its number. */
function readSteps(body: Uint8Array, steps: Map<number, Int32Array>): boolean {
  for (let at = 0; at < body.length; ) {
    const width = 1 + (body[at] >> 4);
    const table = body.subarray(at + 1, at + 1 + 64 * width);
    if (width > 2 || table.length < 64 * width) return false;
    steps.set(
      body[at] & 15,
      Int32Array.from({ length: 64 }, (_, k) => (width === 1 ? table[k] : uint16(table, 2 * k))),
    );
    at += 1 + table.length;
  }
  return true;
}

/** Tables of codes, each behind its number. */
function readCodes(body: Uint8Array, codes: Map<number, Uint8Array>): boolean {
  for (let at = 0; at < body.length; ) {
    const count = body.subarray(at + 1, at + 17).reduce((sum, some) => sum + some, 0);
    const table = body.subarray(at + 1, at + 17 + count);
    if (count > 256 || table.length < 16 + count) return false;
    codes.set(body[at], table);
    at += 1 + table.length;
  }
  return true;
}

/** The frame's components with the tables that its one scan takes for them. */
function readScan(body: Uint8Array, frame: Uint8Array): JpegComponent[] | undefined {
  const count = frame[5];
  if (body[0] !== count || body.length !== 4 + 2 * count) return undefined;
  const [first, last, approximation] = body.subarray(1 + 2 * count);
  if (first !== 0 || last !== 63 || approximation !== 0) return undefined;
  const components: JpegComponent[] = [];
  for (let i = 0; i < count; i++) {
    const [id, factors, steps] = frame.subarray(6 + 3 * i);
    if (body[1 + 2 * i] !== id) return undefined;
    const tables = body[2 + 2 * i];
    components.push({
      across: factors >> 4,
      down: factors & 15,
      ...{ steps, dc: tables >> 4, ac: 16 + (tables & 15) },
    });
  }
  return components;
}

/** Browsers have no Buffer. */
function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

function beginOf(body: Uint8Array): string {
  return String.fromCharCode(...body.subarray(0, 5));
}
