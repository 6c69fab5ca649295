import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { batches } from '../../data/batches.ts';
import { openImageSet } from '../../data/open.ts';
import { toFloat32 } from '../../src/common/tensor.ts';
import {
  type GuardReport,
  type RunFolder,
  readModel,
  type ScoredImage,
  scoreImages,
} from '../../src/index.ts';
import { featureGraph } from '../../src/pipeline/features/feature-graph.ts';
import { runOnPixels } from '../../src/pipeline/run-graph.ts';
import { python } from './python.ts';

interface Theirs {
  readonly domains: readonly string[];
  readonly names: readonly string[];
  readonly outputs: Readonly<Record<string, readonly number[]>>;
  readonly stricter: readonly number[];
}

/** Images that are compared. */
const COUNT = 20;

/**
 * Compares what a run's `guarded.onnx` says of the first images of a set in `la-ood score`, in our onnxruntime, and in
 * Python's, there one image at a time.
 *
 * @param tolerance of the largest logit, and of the largest score of layers or of a method: two builds of onnxruntime, and
 *   batches of other sizes
 */
export async function expectSameInPython(
  run: RunFolder,
  { calibration: { rate, count }, ...report }: GuardReport,
  set: string,
  tolerance = 1e-4,
): Promise<void> {
  const file = run.file('guarded.onnx');
  const backbone = run.file('backbone.onnx');
  const { size, logits, batch = COUNT } = featureGraph(await readModel(backbone), backbone);
  const images = await openImageSet(set);
  const pixels = new Uint8Array(COUNT * size.height * size.width * 3);
  for await (const read of batches(images, { batch, size })) {
    if (read.start >= COUNT) break;
    pixels.set(
      read.pixels.subarray(0, read.count * size.height * size.width * 3),
      read.start * size.height * size.width * 3,
    );
  }
  const scored: ScoredImage[] = [];
  for await (const row of scoreImages(file, [set])) if (scored.push(row) === COUNT) break;

  const theirs = await inPython(file, pixels, size, Math.max(...scored.map(({ score }) => score)) + 1);
  expect(theirs.domains).to.deep.equal(['']);
  const answers = ['content', 'conditions'].flatMap((name) => [`${name}_score`, `${name}_p_value`]);
  const explained = {
    questions: [...answers, 'condition', 'component_scores'],
    layers: ['layer_scores', 'ood_layer'],
    method: ['component_scores'],
  }[report.kind];
  const ofParts = report.kind === 'layers' ? 'layer_scores' : 'component_scores';
  expect(theirs.names).to.deep.equal([logits, 'label', 'ood_score', 'p_value', 'is_ood', ...explained]);
  expect(theirs.stricter).not.to.include(1);

  const bytes = pixels.length / (COUNT / batch);
  const parts = Array.from({ length: COUNT / batch }, (_, i) => pixels.slice(i * bytes, (i + 1) * bytes));
  const outputs = await runOnPixels(await readModel(file), file, size, parts);
  const largest = (values: readonly number[]) => Math.max(1, ...values.map(Math.abs));
  // Of a guard of questions the scores grow steeply between calibration images that are close to each other.
  const exact = report.kind === 'questions' ? [logits] : [logits, 'ood_score', ofParts];
  for (const name of exact) {
    const ours = outputs.flatMap((output) => [...toFloat32(output[name])]);
    expect(ours).to.have.length(theirs.outputs[name].length);
    const difference = Math.max(...ours.map((value, i) => Math.abs(value - theirs.outputs[name][i])));
    expect(difference, name).to.be.at.most(tolerance * largest(ours));
  }
  // What a guard promises on another runtime (docs/score.md): p-values within .005, or one rank if that is more, and decisions.
  const near = Math.max(0.005, 1 / (count + 1)) + 1e-6;
  for (const [i, { pValue, isOod }] of scored.entries()) {
    expect(Math.abs(pValue - theirs.outputs.p_value[i])).to.be.at.most(near);
    if (Math.abs(pValue - rate) > near) expect(isOod).to.equal(theirs.outputs.is_ood[i] === 1);
  }
}

async function inPython(
  file: string,
  pixels: Uint8Array,
  { height, width }: { height: number; width: number },
  threshold: number,
): Promise<Theirs> {
  const folder = await mkdtemp(join(tmpdir(), 'la-ood-guarded-'));
  try {
    await writeFile(join(folder, 'pixels'), pixels);
    return await python('guard.py', file, join(folder, 'pixels'), ...[height, width, threshold].map(String));
  } finally {
    await rm(folder, { recursive: true });
  }
}
