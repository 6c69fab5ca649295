import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../../common/files.ts';

/** Images of a set whose features are in one file, from `start` to before `end`. */
export interface BlockRange {
  readonly start: number;
  readonly end: number;
  /** Where they were computed. */
  readonly device: string;
}

/**
 * The features of a set while they are being computed: a file for every block of images, whatever its length, so that work
 * that is cut off goes on behind the last block. Its name has the first image and the device; it holds its layers one after the other, each `images × width` float32.
 */
export class FeatureBlocks {
  readonly #folder: string;
  readonly #widths: readonly number[];

  constructor(folder: string, widths: readonly number[]) {
    this.#folder = folder;
    this.#widths = widths;
  }

  /** The blocks that are there, from the first image on, without a gap. */
  async ranges(): Promise<BlockRange[]> {
    const perImage = 4 * this.#widths.reduce((sum, width) => sum + width, 0);
    const names = await readdir(this.#folder).catch(() => [] as string[]);
    const ranges: BlockRange[] = [];
    for (const name of names.sort()) {
      const [, first, device] = /^(\d+)\.(\w+)\.f32$/.exec(name) ?? [];
      if (first === undefined) continue;
      const start = Number(first);
      const images = (await stat(join(this.#folder, name))).size / perImage;
      if (start === (ranges.at(-1)?.end ?? 0) && Number.isInteger(images))
        ranges.push({ start, end: start + images, device });
    }
    return ranges;
  }

  async write(start: number, device: string, layers: readonly Float32Array[]): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await writeAtomically(
      this.#file(start, device),
      Buffer.concat(
        layers.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
      ),
    );
  }

  async read({ start, end, device }: BlockRange): Promise<Float32Array[]> {
    const bytes = await readFile(this.#file(start, device));
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

  #file(start: number, device: string): string {
    return join(this.#folder, `${String(start).padStart(8, '0')}.${device}.f32`);
  }
}
