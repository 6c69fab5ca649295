import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { toCsv } from '../../src/common/csv.ts';
import { UsageError } from '../../src/common/errors.ts';
import { epochCharts } from '../../src/evaluation/curves.ts';
import { importCheckpoint } from '../../src/pipeline/classifier/import-checkpoint.ts';
import { RunFolder } from '../../src/pipeline/run-folder.ts';
import { trainBackbone } from '../../src/pipeline/training/train-backbone.ts';
import type { TrainingEngineName } from '../../src/training/engine.ts';
import { fineTuning as standard } from '../../src/training/recipe.ts';
import { type Bench, count, inTemporaryFolder } from './bench.ts';

const NAME = 'densenet100';
const NORMALISATION = { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] };

/** What an epoch came to, on either side. */
interface Epoch {
  readonly epoch: number;
  readonly testAccuracy: number;
  readonly trainLoss?: number;
  readonly seconds?: number;
  /** Of all cores, user and system. */
  readonly processorSeconds?: number;
}

/** The published densenet100, fine-tuned on JPEG images, beside PyTorch with the same recipe and as many steps. */
export const fineTuning: Bench = {
  about: 'fine-tuning the published densenet100 on JPEG images: test accuracy beside PyTorch, by epoch',
  python: true,
  options: {
    checkpoint: { about: 'densenet100-cifar10.pth.tar (required)' },
    images: { about: 'the unpacked cifar10-jpeg: a folder with train and test (required)' },
    'per-class': { about: 'training images of each class', default: '1000' },
    epochs: { about: 'epochs', default: '2' },
    lr: { about: 'learning rate at its peak', default: String(standard.rate) },
    run: { about: 'the run folder of our side; the same one goes on where it was (required)' },
    engine: { about: 'what computes on our side', default: 'onnx' },
    ours: { about: 'leave PyTorch out', flag: true },
  },
  async run(values) {
    const { checkpoint, images, run } = values;
    for (const name of ['checkpoint', 'images', 'run'])
      if (!values[name] || values[name] === 'undefined') throw new UsageError(`--${name}`, 'is required');
    const engine = values.engine as TrainingEngineName;
    const recipe = { ...standard, epochs: count(values, 'epochs'), rate: Number(values.lr) };
    await inTemporaryFolder(async (folder) => {
      const train = join(folder, 'train');
      copySome(join(images!, 'train'), train, count(values, 'per-class'));
      const test = join(images!, 'test');
      const from = join(folder, 'backbone.onnx');
      await importCheckpoint(checkpoint!, from, { normalization: NORMALISATION });
      const report = await RunFolder.use(run!, (opened) =>
        trainBackbone(opened, { ...{ train, test, from, recipe, engine }, onProgress: tell() }),
      );
      console.log(`
ours: ${report.seconds.toFixed(0)} s in all; this process took ${processorSeconds().toFixed(0)} s of the processor`);
      report.epochs.forEach(print);
      if (values.ours) return;
      console.log('PyTorch');
      const threads = availableParallelism();
      const theirs = await pytorch({
        ...{ name: NAME, checkpoint, train, test, recipe, threads },
        ...NORMALISATION,
        ...{ seed: 0, state: join(run!, 'pytorch.pt') },
      });
      writeCurves(run!, report.epochs, theirs);
    });
  },
};

/** The first files of each class, as old as they were: they are the same images in the next run. */
function copySome(source: string, target: string, each: number): void {
  for (const name of readdirSync(source)) {
    mkdirSync(join(target, name), { recursive: true });
    for (const file of readdirSync(join(source, name)).sort().slice(0, each)) {
      const [from, to] = [join(source, name, file), join(target, name, file)];
      copyFileSync(from, to);
      const { atime, mtime } = statSync(from);
      utimesSync(to, atime, mtime);
    }
  }
}

/** A line of progress a minute. */
function tell() {
  let last = performance.now();
  return ({ task, done, total, note }: { task: string; done: number; total: number; note?: string }) => {
    if (performance.now() - last < 60_000) return;
    last = performance.now();
    const time = `${processorSeconds().toFixed(0)} s of the processor`;
    console.log(`${task}: ${done} of ${total} ${note ?? ''} (${time})`);
  };
}

/** What this process has used of all cores. Where others use them too, this tells more than the time that passed. */
function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Its epochs, of which number 0 is before the training, for both sides. */
async function pytorch(task: object): Promise<readonly Epoch[]> {
  const script = fileURLToPath(new URL('fine-tuning.py', import.meta.url));
  const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit'];
  const child = spawn(process.env.LA_OOD_PYTHON!, [script, JSON.stringify(task)], { stdio });
  const exited = once(child, 'exit');
  const epochs: Epoch[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    epochs.push(JSON.parse(line));
    print(epochs.at(-1)!);
  }
  const [code] = await exited;
  if (code !== 0) throw new Error(`fine-tuning.py exited with ${code}`);
  return epochs;
}

/** Both sides by epoch, in `fine-tuning.csv` and `fine-tuning.svg`. */
function writeCurves(run: string, ours: readonly Epoch[], [before, ...theirs]: readonly Epoch[]): void {
  const sides = [ours, theirs] as const;
  const losses = sides.map((epochs) => epochs.map(({ trainLoss }) => trainLoss!));
  const shares = sides.map((epochs) => [before, ...epochs].map(({ testAccuracy }) => 100 * testAccuracy));
  writeFileSync(
    join(run, 'fine-tuning.csv'),
    toCsv([
      ['epoch', 'train_loss', 'train_loss_pytorch', 'test_accuracy', 'test_accuracy_pytorch'],
      ...[before, ...theirs].map(({ epoch }) => [
        epoch,
        ...losses.map((values) => values[epoch - 1]?.toFixed(4) ?? ''),
        ...shares.map((values) => values[epoch].toFixed(2)),
      ]),
    ]),
  );
  const title = 'DenseNet100 for CIFAR-10, fine-tuned on JPEG images';
  const chart = epochCharts(
    title,
    ['la-ood', 'PyTorch'],
    [
      { name: 'training loss', lines: losses },
      { name: 'accuracy on 10,000 test images, %', lines: shares, first: 0 },
    ],
  );
  writeFileSync(join(run, 'fine-tuning.svg'), chart);
}

function print({ epoch, testAccuracy, trainLoss, seconds, processorSeconds }: Epoch): void {
  const loss = trainLoss === undefined ? '' : `, training loss ${trainLoss.toFixed(4)}`;
  const of = processorSeconds === undefined ? '' : ` (${processorSeconds.toFixed(0)} s of the processor)`;
  const time = seconds === undefined ? '' : `, ${seconds.toFixed(0)} s${of}`;
  console.log(`  epoch ${epoch}: ${(100 * testAccuracy).toFixed(2)} % of the test images${loss}${time}`);
}
