import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { imageFolder } from './files.ts';
import { json } from './run.ts';

/** Six convolutions, which cost a sixteenth of the demo's ResNet-20: see `six-convolutions/make.ts`. */
export const sixConvolutions = fileURLToPath(new URL('./six-convolutions/backbone.onnx', import.meta.url));

/**
 * That backbone in the states that many tests begin with. Each is made once a run of the suite, by whichever process
 * needs it first, in the folder that `test/setup.ts` names; tests get copies.
 */
const states = {
  /** Features of `train`, `test` and the OOD set `noise`: see `imagesOf`. */
  async features(run: string): Promise<void> {
    await copyBackbone(run);
    const [train, test, noise] = await Promise.all(imageSets.map(imagesOf));
    const known = ['--ind', 'demo', '--train', train, '--test', test];
    await json('features', '--run', run, ...known, '--ood', `noise=${noise}`, '--corrupted', '100');
  },

  /** And detectors of every layer, ν 0.02. */
  async fitted(run: string): Promise<void> {
    await copyOfRun('features', run);
    await json('fit', '--run', run, '--nu', '.02');
  },

  /** And a guard of a false-alarm rate of 0.1, calibrated by the 500 test images. */
  async guarded(run: string): Promise<void> {
    await copyOfRun('fitted', run);
    await json('guard', '--run', run, '--false-alarms', '.1');
  },
};

/** Makes a run folder with nothing in it but that backbone: of layers `conv1` to `conv6` and `logits`, 90 % of the demo's images right. */
export async function copyBackbone(run: string): Promise<void> {
  await mkdir(run, { recursive: true });
  await copyFile(sixConvolutions, join(run, 'backbone.onnx'));
}

const imageSets = ['train', 'test', 'noise'] as const;
const counts = { train: 600, test: 500, noise: 40 } as const;

/** Copies a run folder in one of the states, which may then be changed. */
export async function copyOfRun(state: keyof typeof states, target: string): Promise<void> {
  await cp(await once(state, states[state]), target, { recursive: true });
}

/** The folder of image files that the features of a set were computed of: 600, 500 or 40. It must not be changed. */
export function imagesOf(set: (typeof imageSets)[number]): Promise<string> {
  return once(`images/${set}`, (folder) => imageFolder(folder, `demo:${set}`, counts[set]));
}

/** Has a folder made where nobody has made it yet; waits while another process is at it. */
async function once(name: string, make: (folder: string) => Promise<unknown>): Promise<string> {
  const folder = join(process.env.LA_OOD_TEST_FOLDER!, name);
  const lock = `${folder}.lock`;
  await mkdir(join(folder, '..'), { recursive: true });
  while (!existsSync(folder)) {
    try {
      await mkdir(lock);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      await sleep(50);
      continue;
    }
    try {
      if (existsSync(folder)) break;
      await make(`${folder}.part`);
      await rename(`${folder}.part`, folder);
    } finally {
      await rm(`${folder}.part`, { recursive: true, force: true });
      await rm(lock, { recursive: true, force: true });
    }
  }
  return folder;
}
