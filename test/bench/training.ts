import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { writeCheckpoint } from '../../converters/pytorch/write-checkpoint.ts';
import { initialWeights } from '../../models/initial.ts';
import { architectureNamed } from '../../models/registry.ts';
import { RandomState } from '../../src/common/random.ts';
import { examineTrainingEngines } from '../../src/training/engines.ts';
import { recipeOf } from '../../src/training/recipe.ts';
import { python } from '../parity/python.ts';
import { type Bench, count, inTemporaryFolder, median, spread } from './bench.ts';
import type { StepsMeasured, StepsTask } from './training-steps.ts';

const CLASSES = 10;
const RATE = 0.01;
/** The network that memory is watched with, and its batch: small, so that many steps take little time. */
const WATCHED = { name: 'resnet20', batch: 32 };

/** Whole steps (forth, back, SGD) on batches in memory, beside PyTorch eager, each side in a process of its own. */
export const training: Bench = {
  about:
    'training steps of each engine beside PyTorch eager: images a second, peak memory, and growth over many steps',
  python: true,
  options: {
    models: { about: 'backbones, separated by commas', default: 'vgg16,resnet34,densenet100' },
    batch: { about: "images a step; the recipe's by default" },
    steps: { about: 'steps a round', default: '5' },
    rounds: { about: 'rounds: ours, theirs, ours, theirs, …', default: '3' },
    memory: { about: 'steps over which memory is watched; 0 for none', default: '500' },
  },
  async run(values) {
    const [steps, rounds] = [count(values, 'steps'), count(values, 'rounds')];
    const given = (values.batch ?? 'undefined') === 'undefined' ? undefined : count(values, 'batch');
    await inTemporaryFolder(async (folder) => {
      for (const name of values.models!.split(','))
        await compare(folder, name, given ?? recipeOf(name).batch, steps, rounds);
      if (Number(values.memory) > 0) await watchMemory(folder, count(values, 'memory'));
    });
  },
};

async function compare(
  folder: string,
  name: string,
  batch: number,
  steps: number,
  rounds: number,
): Promise<void> {
  const threads = availableParallelism();
  const task = { ...(await taskOf(folder, name)), batch, steps };
  const sides = new Map<string, () => Promise<{ seconds: number; peak: number }>>();
  for (const { engine, works } of examineTrainingEngines())
    if (works) sides.set(engine, () => measure({ ...task, engine }));
  sides.set('PyTorch', () => python('../bench/training.py', JSON.stringify({ ...task, threads })));
  const rates = new Map(Array.from(sides.keys(), (side) => [side, [] as number[]]));
  const peaks = new Map<string, number>();
  for (let round = 0; round < rounds; round++)
    for (const [side, run] of sides) {
      const { seconds, peak } = await run();
      rates.get(side)!.push((steps * batch) / seconds);
      peaks.set(side, Math.max(peak, peaks.get(side) ?? 0));
    }
  const [speed, memory] = [median(rates.get('PyTorch')!), peaks.get('PyTorch')!];
  console.log(`\n${name}: batch ${batch}, ${steps} steps a round, ${threads} threads on all sides`);
  for (const [side, found] of rates) {
    const [ratio, share] = [median(found) / speed, peaks.get(side)! / memory];
    const beside = side === 'PyTorch' ? '' : `, ratio ${ratio.toFixed(2)}; memory ${share.toFixed(2)}`;
    console.log(
      `  ${side.padEnd(9)} ${spread(found, 1)} images/s, ${peaks.get(side)!.toFixed(0)} MiB at most${beside}`,
    );
  }
}

/** Resident memory after a tenth of the steps, and after all. */
async function watchMemory(folder: string, steps: number): Promise<void> {
  const { name, batch } = WATCHED;
  const { early, late } = await measure({ ...(await taskOf(folder, name)), batch, steps, engine: 'onnx' });
  console.log(`
memory of onnx, ${name}, batch ${batch}: ${early.toFixed(0)} MiB after ${Math.ceil(steps / 10)} steps, ${late.toFixed(0)} MiB after ${steps}`);
}

/** A network before training. */
async function taskOf(folder: string, name: string) {
  const checkpoint = join(folder, `${name}.pth`);
  await writeCheckpoint(checkpoint, initialWeights(architectureNamed(name), CLASSES, new RandomState(0)));
  return { name, checkpoint, classes: CLASSES, rate: RATE };
}

async function measure(task: StepsTask): Promise<StepsMeasured> {
  const script = fileURLToPath(new URL('training-steps.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (code !== 0) throw new Error(`training-steps.ts ended with ${code}`);
  return JSON.parse(printed);
}
