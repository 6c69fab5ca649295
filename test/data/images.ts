import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';

/** A fresh folder for the calling suite, removed after it; the path is known once its tests run. */
export function temporaryFolder(): { readonly path: string; at(...parts: string[]): string } {
  let path = '';
  before(async () => {
    path = await mkdtemp(join(tmpdir(), 'la-ood-data-'));
  });
  after(() => rm(path, { recursive: true, force: true }));
  return {
    get path() {
      return path;
    },
    at: (...parts) => join(path, ...parts),
  };
}

/** Writes an image of one colour, its format by the ending of its name. */
export async function writeImage(
  file: string,
  [r, g, b]: readonly [number, number, number],
  side = 32,
): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const create = { width: side, height: side, channels: 3, background: { r, g, b } } as const;
  await sharp({ create }).toFile(file);
}
