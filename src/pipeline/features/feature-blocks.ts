import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../../common/files.ts';

/** Images whose features are written together. */
const BLOCK = 2048;

/**
 * The features of a set while they are being computed: one file for every block of images, so that work that is cut
 * off goes on at the next block. A block holds its layers one after the other, each `images × width` float32.
 */
export class FeatureBlocks {
  readonly #folder: string;
  readonly #widths: readonly number[];
  readonly #count: number;

  constructor(folder: string, widths: readonly number[], count: number) {
    this.#folder = folder;
    this.#widths = widths;
    this.#count = count;
  }

  /** The blocks in order: where each begins and ends. */
  ranges(): { start: number; end: number }[] {
    const starts = Array.from({ length: Math.ceil(this.#count / BLOCK) }, (_, block) => block * BLOCK);
    return starts.map((start) => ({ start, end: Math.min(start + BLOCK, this.#count) }));
  }

  async has(start: number, end: number): Promise<boolean> {
    const bytes = await stat(this.#file(start)).then(
      ({ size }) => size,
      () => -1,
    );
    return bytes === 4 * (end - start) * this.#widths.reduce((sum, width) => sum + width, 0);
  }

  async write(start: number, layers: readonly Float32Array[]): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await writeAtomically(
      this.#file(start),
      Buffer.concat(
        layers.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
      ),
    );
  }

  async read(start: number, end: number): Promise<Float32Array[]> {
    const bytes = await readFile(this.#file(start));
    // A small file's Buffer may lie in a shared pool at any offset.
    const values = new Float32Array(Uint8Array.from(bytes).buffer);
    let from = 0;
    return this.#widths.map((width) => {
      const layer = values.subarray(from, from + (end - start) * width);
      from += layer.length;
      return layer;
    });
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  #file(start: number): string {
    return join(this.#folder, `${String(start).padStart(8, '0')}.f32`);
  }
}
