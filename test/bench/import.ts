import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { packageRoot } from '../../src/common/package-root.ts';
import { python } from '../parity/python.ts';
import { type Bench, count, inTemporaryFolder, median } from './bench.ts';

interface Measured {
  readonly seconds: number;
  /** Largest resident size, in bytes. */
  readonly peak: number;
}

/** A published checkpoint to ONNX, each run in a process of its own, beside `torch.load` and `torch.onnx.export`. */
export const importing: Bench = {
  about: 'seconds and memory of importing checkpoints beside torch.load and torch.onnx.export',
  python: true,
  options: {
    models: { about: "torchvision's names, separated by commas", default: 'vgg16,resnet152' },
    rounds: { about: 'rounds: ours, theirs, ours, theirs, …', default: '1' },
  },
  async run(values) {
    for (const name of values.models!.split(','))
      await inTemporaryFolder(async (folder) => {
        const checkpoint = join(folder, `${name}.pth`);
        await python('../bench/import.py', 'make', name, checkpoint);
        const bytes = (await stat(checkpoint)).size;
        const ours: Measured[] = [];
        const theirs: Measured[] = [];
        for (let round = 0; round < count(values, 'rounds'); round++) {
          ours.push(await importIt(checkpoint, join(folder, 'ours.onnx')));
          theirs.push(
            await python('../bench/import.py', 'run', name, checkpoint, join(folder, 'theirs.onnx')),
          );
        }
        console.log(describe(name, bytes, ours, theirs));
      });
  },
};

/** Times the command line, and asks the process for its peak before it ends. */
async function importIt(checkpoint: string, target: string): Promise<Measured> {
  const main = fileURLToPath(new URL('dist/src/cli/main.js', packageRoot));
  const report = `process.on('exit', () => console.error('peak ' + process.resourceUsage().maxRSS * 1024));`;
  const start = performance.now();
  const { stderr } = await promisify(execFile)(process.execPath, [
    '--import',
    `data:text/javascript,${encodeURIComponent(report)}`,
    ...[main, 'import', checkpoint, target, '--quiet'],
  ]);
  const seconds = (performance.now() - start) / 1000;
  return { seconds, peak: Number(/^peak (\d+)$/m.exec(stderr)![1]) };
}

function describe(
  name: string,
  bytes: number,
  ours: readonly Measured[],
  theirs: readonly Measured[],
): string {
  const side = (measured: readonly Measured[]) => {
    const seconds = median(measured.map((m) => m.seconds));
    const peak = Math.max(...measured.map((m) => m.peak));
    return {
      seconds,
      text: `${seconds.toFixed(1)} s, ${(peak / 1e6).toFixed(0)} MB = ${(peak / bytes).toFixed(2)} × the file`,
    };
  };
  const [a, b] = [side(ours), side(theirs)];
  return [
    '',
    `${name}, ${(bytes / 1e6).toFixed(0)} MB`,
    `  ours    ${a.text}`,
    `  theirs  ${b.text}`,
    `  time    ${(a.seconds / b.seconds).toFixed(2)} × theirs`,
  ].join('\n');
}
