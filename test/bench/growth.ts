import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writeFeatures } from '../../converters/hdf5/write-features.ts';
import { fitMemory } from '../../src/detectors/layer-svm.ts';
import { type Bench, inTemporaryFolder } from './bench.ts';
import { correlatedFeatures } from './synthetic.ts';

const WIDTH = 48;
const GAMMAS = [0.01, 0.05];
const COUNTS = [10_000, 20_000, 50_000, 200_000];
/** Layers of the run that is held to little memory, each as large as the largest above. */
const LAYERS = 4;
const GIB = 2 ** 30;

interface Measured {
  readonly seconds: number;
  /** Of the first layer's fit, without the start of its worker. */
  readonly alone: number;
  /** Most bytes that the process had in memory. */
  readonly resident: number;
  readonly supportVectors: number;
}

/** Time and memory of fitting as the samples grow, each in a process of its own. */
export const growth: Bench = {
  about: `time and memory of fitting ${WIDTH} wide layers of 10,000 to 200,000 synthetic samples`,
  python: false,
  options: {},
  async run() {
    await inTemporaryFolder(async (folder) => {
      const empty = await fitApart(await written(folder, 1000, 1), GAMMAS, 4);
      for (const gamma of GAMMAS) {
        console.log(`\ngamma ${gamma}, one layer alone on all cores
samples  seconds  support vectors  MiB beyond the features and an idle process  fitMemory's estimate`);
        const measured: Measured[] = [];
        for (const samples of COUNTS) {
          const one = await fitApart(await written(folder, samples, 1), [gamma], 4);
          const beyond = one.resident - empty.resident - 4 * WIDTH * samples;
          measured.push({ ...one, resident: beyond });
          const cells = [
            samples,
            one.alone.toFixed(2),
            one.supportVectors,
            mib(beyond),
            mib(fitMemory(samples, WIDTH)),
          ];
          console.log(cells.join('  '));
        }
        const exponent = (of: (one: Measured) => number) => slope(COUNTS, measured.map(of)).toFixed(2);
        console.log(
          `grows with the power ${exponent(({ alone }) => alone)} in time, ${exponent(({ resident }) => resident)} in memory`,
        );
      }
      const path = await written(folder, COUNTS[COUNTS.length - 1], LAYERS);
      const [free, held] = [await fitApart(path, GAMMAS, 4), await fitApart(path, GAMMAS, 1)];
      console.log(
        `\n${LAYERS} layers of ${COUNTS[COUNTS.length - 1]} samples: ${free.seconds.toFixed(1)} s in 4 GiB (${mib(free.resident)} MiB in all), ${held.seconds.toFixed(1)} s in 1 GiB (${mib(held.resident)} MiB in all): ${(held.seconds / free.seconds).toFixed(2)} times as long`,
      );
    });
  },
};

async function written(folder: string, samples: number, layers: number): Promise<string> {
  const path = join(folder, `${samples}-${layers}.hdf5`);
  const widths = Array.from({ length: layers }, () => WIDTH);
  const rows = widths.map((_, seed) => correlatedFeatures(samples, WIDTH, seed));
  await writeFeatures(path, { widths, count: samples }, (append) => append(rows));
  return path;
}

async function fitApart(path: string, gammas: readonly number[], gibibytes: number): Promise<Measured> {
  const script = join(import.meta.dirname, 'growth-fit.js');
  const args = [script, path, JSON.stringify(gammas), String(gibibytes * GIB)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Measured;
}

/** The exponent of the power law through points, by least squares of their logarithms. */
function slope(xs: readonly number[], ys: readonly number[]): number {
  const [lx, ly] = [xs.map(Math.log), ys.map(Math.log)];
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const [mx, my] = [mean(lx), mean(ly)];
  const product = lx.reduce((sum, x, i) => sum + (x - mx) * (ly[i] - my), 0);
  return product / lx.reduce((sum, x) => sum + (x - mx) ** 2, 0);
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}
