import { assembled } from '../assembled.ts';
import type { Image } from '../image-set.ts';
import type { Coefficients } from './coefficients.ts';
import { kernels } from './resampling-kernels.wasm.ts';

/** What resampling-kernels.wat exports. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  rows(...numbers: number[]): void;
  columns(...numbers: number[]): void;
}

/** Kernels may read and write this many bytes beyond a row. */
const MARGIN = 32;
const page = 1 << 16;
/** Memory never shrinks: more than this is given back after use. */
const kept = 64 << 20;

const module = assembled(kernels);
let instance: Exports | undefined;

/** The coefficients of the axes that change; an axis without them keeps its size. */
export interface Passes {
  readonly width?: Coefficients;
  readonly height?: Coefficients;
  /** Which pass comes first where there are two. */
  readonly columnsFirst: boolean;
}

/** Resamples an image along its rows, its columns, or both. @returns `height × width × 3` bytes of the new size */
export function resample(image: Image, { width, height, columnsFirst }: Passes): Uint8Array {
  const axes = [width && ('rows' as const), height && ('columns' as const)].filter(
    (axis) => axis !== undefined,
  );
  if (columnsFirst) axes.reverse();
  const widest = Math.max(image.width, width?.first.length ?? 0);
  const highest = Math.max(image.height, height?.first.length ?? 0);
  // One row more than there is: the second tap of a last pair may lie beyond the image.
  const area = 3 * widest * (highest + 1) + MARGIN;
  const space = new Space(area * (axes.length + 1) + spaceFor(width) + spaceFor(height));
  let { height: h, width: w } = image;
  let at = space.take(area);
  space.bytes.set(image.pixels, at);
  for (const axis of axes) {
    const from = at;
    at = space.take(area);
    if (axis === 'rows') {
      const newWidth = width!.first.length;
      space.exports.rows(from, 3 * w, h, at, newWidth, ...space.place(width!));
      w = newWidth;
    } else {
      const newHeight = height!.first.length;
      space.exports.columns(from, 3 * w, at, newHeight, ...space.place(height!));
      h = newHeight;
    }
  }
  return space.bytes.slice(at, at + 3 * h * w);
}

function spaceFor(axis?: Coefficients): number {
  return axis ? axis.first.byteLength + axis.pairs.byteLength + axis.weights.byteLength + MARGIN : 0;
}

/** The kernels' memory, given out from its beginning. */
class Space {
  readonly exports: Exports;
  readonly bytes: Uint8Array;
  #next = 0;

  constructor(size: number) {
    const exports = instance ?? (new WebAssembly.Instance(module).exports as unknown as Exports);
    const missing = size - exports.memory.buffer.byteLength;
    if (missing > 0) exports.memory.grow(Math.ceil(missing / page));
    instance = size > kept ? undefined : exports;
    this.exports = exports;
    this.bytes = new Uint8Array(exports.memory.buffer);
  }

  take(size: number): number {
    const start = this.#next;
    this.#next += (size + 3) & ~3;
    return start;
  }

  /** Puts an axis' coefficients into memory; the arguments that say where they are. */
  place({ first, pairs, weights, weightBytes }: Coefficients): number[] {
    const places = [first, pairs, weights].map((array) => {
      const start = this.take(array.byteLength);
      this.bytes.set(new Uint8Array(array.buffer), start);
      return start;
    });
    return [...places, weightBytes];
  }
}
