import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { writeCheckpoint } from '../../converters/pytorch/write-checkpoint.ts';
import { openImageSet } from '../../data/open.ts';
import { initialWeights } from '../../models/initial.ts';
import { architectureNamed } from '../../models/registry.ts';
import { RandomState } from '../../src/common/random.ts';
import type { StateDict } from '../../src/common/tensor.ts';
import { bmp } from '../data/files.ts';

/** Real files to call the command line with. */

/** A folder for the calling suite, removed after it. */
export function temporaryFolder(): (...parts: string[]) => string {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-cli-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));
  return (...parts) => join(folder, ...parts);
}

/** The weights of a ResNet-20 before training. */
export function weights(seed: number): StateDict {
  return initialWeights(architectureNamed('resnet20'), 10, new RandomState(seed));
}

/** A checkpoint as `torch.save(model.state_dict())` writes it. */
export async function checkpoint(path: string, seed = 1): Promise<string> {
  await writeCheckpoint(path, weights(seed));
  return path;
}

/** The first images of a built-in set as files: BMP, which takes a hundredth of the time that PNG takes. */
export async function imageFolder(
  folder: string,
  set: string,
  count: number,
  kind: 'bmp' | 'png' = 'bmp',
): Promise<string> {
  const side = { height: 32, width: 32 };
  const pixels = await (await openImageSet(set)).read(0, count, side);
  await mkdir(folder, { recursive: true });
  const bytes = 3 * side.height * side.width;
  for (let i = 0; i < count; i++) {
    const own = pixels.subarray(i * bytes, (i + 1) * bytes);
    const file = join(folder, `${String(i).padStart(4, '0')}.${kind}`);
    if (kind === 'bmp') await writeFile(file, bmp({ ...side, pixels: own }));
    else
      await sharp(own, { raw: { ...side, channels: 3 } })
        .png()
        .toFile(file);
  }
  return folder;
}
