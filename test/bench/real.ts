import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../../src/common/errors.ts';
import { python } from '../parity/python.ts';
import { type Bench, count, inTemporaryFolder } from './bench.ts';

const program = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

/** Peak memory is asked for this often, in milliseconds: it is the system's own mark, which only grows. */
const INTERVAL = 50;

/** Classifiers of 224 pixels through fit, guard and score, each a process of its own, with no option but preprocessing. */
export const real: Bench = {
  about: 'real classifiers: seconds and peak memory of fit, guard and score; features beside PyTorch eager',
  python: true,
  options: {
    train: { about: 'a folder of images to fit on: 300 of them are taken' },
    models: { about: 'more ONNX classifiers of 224 × 224, separated by commas' },
    images: { about: 'images that are scored', default: '1000' },
    output: { about: 'a file that the table is appended to' },
  },
  async run(values) {
    const { train, models, output } = values;
    if (!train) throw new UsageError('--train', 'is missing', 'name a folder of images');
    const images = count(values, 'images');
    await inTemporaryFolder(async (folder) => {
      const made = await python<string[]>('../bench/real.py', 'export', folder);
      const files = [...(models?.split(',') ?? []), ...made.map((name) => join(folder, `${name}.onnx`))];
      const rows = [];
      for (const file of files)
        rows.push(await measure(file, join(folder, basename(file, '.onnx')), train, images));
      const table = [HEAD, HEAD.replace(/[^|]+/g, ' --- '), ...rows].join('\n');
      console.log(table);
      if (output) await appendFile(output, `\n${table}\n`);
    });
  },
};

const HEAD =
  '| classifier | weights, MB | fit, s | peak, MiB | guard, s | peak, MiB | score, s | peak, MiB | features, images/s | PyTorch eager |';

async function measure(model: string, run: string, train: string, images: number): Promise<string> {
  const steps = [
    [
      'fit',
      model,
      '--run',
      run,
      '--train',
      `${train}:300`,
      '--test',
      `${train}:200`,
      '--preprocess',
      'imagenet',
    ],
    ['guard', '--run', run],
    ['score', join(run, 'guarded.onnx'), `${train}:${images}`, '--output', join(run, 'scores.csv')],
  ];
  const cells: string[] = [basename(model, '.onnx'), (statSync(model).size / 1e6).toFixed(0)];
  for (const step of steps) {
    const { seconds, peak } = await finished(step);
    cells.push(seconds.toFixed(0), (peak / 2 ** 20).toFixed(0));
  }
  const manifest = JSON.parse(readFileSync(join(run, 'manifest.json'), 'utf8'));
  const corrupted = Object.entries(manifest.steps).find(([name]) => name.endsWith('_corrupted'))![1] as {
    seconds: number;
    results: { images: number };
  };
  cells.push(
    (corrupted.results.images / corrupted.seconds).toFixed(1),
    await eager(basename(model, '.onnx')),
  );
  return `| ${cells.join(' | ')} |`;
}

async function eager(name: string): Promise<string> {
  if (!['resnet50', 'vit_b_16'].includes(name)) return '';
  const images = 64;
  const task = [name, String(images), String(availableParallelism()), '16'];
  const { seconds } = await python<{ seconds: number }>('../bench/real.py', 'eager', ...task);
  return (images / seconds).toFixed(1);
}

/** Runs a command; its seconds, and the most memory that it had at once. */
async function finished(args: readonly string[]): Promise<{ seconds: number; peak: number }> {
  const start = performance.now();
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  let peak = 0;
  const watch = setInterval(() => {
    try {
      const [, kib] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
      peak = Math.max(peak, 1024 * Number(kib ?? 0));
    } catch {
      // It has ended.
    }
  }, INTERVAL);
  const [code] = await once(child, 'close');
  clearInterval(watch);
  if (code !== 0) throw new UsageError(`la-ood ${args.join(' ')}`, `exited with ${code}`);
  return { seconds: (performance.now() - start) / 1000, peak };
}
