import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFeatures } from '../../converters/hdf5/open-features.ts';
import { UsageError } from '../../src/common/errors.ts';
import type { Tensor } from '../../src/common/tensor.ts';
import { detectorsOfModel } from '../../src/detectors/detectors-model.ts';
import type { LayerSvm } from '../../src/detectors/layer-svm.ts';
import { decodeModel } from '../../src/graph/read.ts';
import { featureLayers } from '../../src/pipeline/features/feature-files.ts';
import { GraphSession, type Tensors } from '../../src/runtime/graph-session.ts';
import { python } from '../parity/python.ts';
import { type Bench, count, inTemporaryFolder, median, readFloat32, spread, timed } from './bench.ts';

/** Rows of one graph run, as `la-ood evaluate` scores. */
const BLOCK = 1000;

/** A run's `detectors.onnx` beside scikit-learn's `decision_function` on the same support vectors. */
export const scoring: Bench = {
  about: 'scoring with detectors.onnx beside decision_function on the same support vectors',
  python: true,
  options: {
    run: { about: 'a run folder that has detectors and test features (required)' },
    set: { about: 'which features/SET.hdf5; the first test set where absent' },
    rows: { about: 'rows to score', default: '10000' },
    rounds: { about: 'rounds: ours on one thread, ours on all cores, theirs, …', default: '1' },
  },
  async run(values) {
    if (!values.run) throw new UsageError('--run', 'is missing', 'name a run folder');
    const [rows, rounds] = [count(values, 'rows'), count(values, 'rounds')];
    const path = join(values.run, 'detectors.onnx');
    const features = join(values.run, 'features', `${values.set ?? (await firstTestSet(values.run))}.hdf5`);
    const model = decodeModel(await readFile(path), path);
    const detectors = detectorsOfModel(model, path);
    const { blocks, indices } = await readBlocks(features, detectors, rows);

    const sessions = [
      await GraphSession.open(model, { device: 'cpu', threads: 1 }),
      await GraphSession.open(model, { device: 'cpu' }),
    ];
    const ours: [number[], number[]] = [[], []];
    const theirs: number[] = [];
    let difference = 0;
    for (const session of sessions) await score(session, blocks.slice(0, 1));
    for (let round = 0; round < rounds; round++)
      await inTemporaryFolder(async (folder) => {
        const output = join(folder, 'scores.bin');
        const scored: Float32Array[] = [];
        for (const [s, session] of sessions.entries()) {
          const { seconds, result } = await timed(() => score(session, blocks));
          ours[s].push(seconds);
          scored.push(result);
        }
        const task = JSON.stringify({ detectors: path, features, indices, rows, output });
        theirs.push((await python<{ seconds: number }>('../bench/scoring.py', task)).seconds);
        const expected = await readFloat32(output);
        for (const scores of scored)
          difference = scores.reduce((most, s, i) => Math.max(most, Math.abs(s - expected[i])), difference);
      });
    for (const session of sessions) await session.close();

    const vectors = detectors.reduce((sum, { alpha }) => sum + alpha.length, 0);
    console.log(`
${rows.toLocaleString('en')} rows, ${detectors.length} layers, ${vectors.toLocaleString('en')} support vectors; features already in memory
  ours, one thread   ${spread(ours[0], 2)} s, ratio ${(median(theirs) / median(ours[0])).toFixed(1)}
  ours, all cores    ${spread(ours[1], 2)} s, ratio ${(median(theirs) / median(ours[1])).toFixed(1)}
  decision_function  ${spread(theirs, 2)} s
  scores differ by ${difference.toExponential(1)} at most`);
  },
};

async function firstTestSet(run: string): Promise<string> {
  const files = (await readdir(join(run, 'features')).catch(() => [] as string[])).sort();
  const first = files.find((file) => file.endsWith('_test.hdf5') && !file.startsWith('.'));
  if (!first) throw new UsageError('--run', `${run} holds no test features`, 'run la-ood features first');
  return first.slice(0, -'.hdf5'.length);
}

/** The inputs of every graph run, and which dataset of the file each detector judges. */
async function readBlocks(path: string, detectors: readonly LayerSvm[], rows: number) {
  const file = await openFeatures(path);
  try {
    if (rows > file.count) throw new UsageError('--rows', `${path} has ${file.count} rows`);
    const layers = featureLayers(file);
    const indices = detectors.map(({ tap }) => {
      const layer = layers.find((candidate) => candidate.tap === tap);
      if (!layer) throw new UsageError('--set', `${path} has no layer ${tap}`);
      return layer.index;
    });
    const blocks: Tensors[] = [];
    for (let start = 0; start < rows; start += BLOCK) {
      const size = Math.min(BLOCK, rows - start);
      const feeds = detectors.map(({ tap, width }, d): [string, Tensor] => [
        tap,
        { dtype: 'float32', shape: [size, width], data: file.readLayerRows(indices[d], start, size) },
      ]);
      blocks.push(Object.fromEntries(feeds));
    }
    return { blocks, indices };
  } finally {
    file.close();
  }
}

/** Layer scores, rows × layers. */
async function score(session: GraphSession, blocks: readonly Tensors[]): Promise<Float32Array> {
  const parts: Float32Array[] = [];
  for (const feeds of blocks) {
    const { layer_scores } = await session.run(feeds, ['layer_scores']);
    parts.push(layer_scores.data as Float32Array);
  }
  const scores = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    scores.set(part, offset);
    offset += part.length;
  }
  return scores;
}
