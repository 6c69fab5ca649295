/**
 * Makes the guards here, with the code of version 0.1.0 (commit f6f75e8) and a classifier of two small convolutions:
 *
 *     git worktree add ../v0.1.0 f6f75e8 && (cd ../v0.1.0 && npm ci)
 *     node --import tsx test/pipeline/guards-0.1.0/make.ts ../v0.1.0
 *
 * `scores.json` has what that version's `score` says of `demo:noise:10` by each.
 */
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const old = resolve(process.argv[2]);
const here = import.meta.dirname;
const {
  encodeModel,
  extractFeatures,
  fitDetectors,
  guardRun,
  importClassifier,
  RandomState,
  RunFolder,
  scoreImages,
} = await import(join(old, 'src/index.ts'));
const { GraphBuilder } = await import(join(old, 'src/graph/builder.ts'));

const path = await mkdtemp(join(tmpdir(), 'la-ood-guards-'));
try {
  await writeFile(join(path, 'classifier.onnx'), encodeModel(classifier()));
  await RunFolder.use(path, async (run: { file(name: string): string }) => {
    await importClassifier(join(path, 'classifier.onnx'), run.file('backbone.onnx'), {
      preprocessing: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
    });
    await extractFeatures(run, {
      train: { name: 'demo', source: 'demo:train:120' },
      test: { name: 'demo', source: 'demo:test:100' },
    });
    await fitDetectors(run, {});
    const scores: Record<string, unknown> = {};
    const keep = async (file: string, name: string) => {
      await copyFile(run.file(file), join(here, name));
      const rows: object[] = [];
      for await (const { label, score, pValue, isOod, layer } of scoreImages(run.file(file), [
        'demo:noise:10',
      ]))
        rows.push({ label, score, pValue, isOod, layer });
      scores[name] = rows;
    };
    await guardRun(run, { rate: 0.1, earlyExit: true });
    await keep('guarded.onnx', 'evidence.onnx');
    await keep('guarded-early-exit.onnx', 'early-exit.onnx');
    await guardRun(run, { rate: 0.1, aggregation: 'max' });
    await keep('guarded.onnx', 'max.onnx');
    await writeFile(join(here, 'scores.json'), `${JSON.stringify(scores, null, 2)}\n`);
  });
} finally {
  await rm(path, { recursive: true });
}
console.log(JSON.parse(await readFile(join(here, 'scores.json'), 'utf8')));

/** 16×16 images of three channels, two convolutions of 6 and 8 channels, three classes. */
function classifier() {
  const graph = new GraphBuilder('small');
  const random = new RandomState(0);
  const weights = (name: string, shape: number[]) => {
    const count = shape.reduce((a, b) => a * b);
    const data = Float32Array.from(
      { length: count },
      () => (2 * random.normal()) / Math.sqrt(count / shape[0]),
    );
    return graph.initializer(name, { dtype: 'float32', shape, data });
  };
  let x = graph.input('images', 1, ['batch', 3, 16, 16]);
  for (const [name, from, to] of [
    ['first', 3, 6],
    ['second', 6, 8],
  ] as const) {
    const attributes = { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2] };
    x = graph.node('Conv', [x, weights(`${name}.weight`, [to, from, 3, 3])], { name, attributes });
    x = graph.node('Relu', [x], { name: `${name}/relu` });
  }
  x = graph.node('GlobalAveragePool', [x], { name: 'pooled' });
  x = graph.node('Flatten', [x], { name: 'flat' });
  graph.node('Gemm', [x, weights('fc.weight', [3, 8])], { name: 'logits', attributes: { transB: 1 } });
  graph.output('logits', 1, ['batch', 3]);
  return graph.build();
}
