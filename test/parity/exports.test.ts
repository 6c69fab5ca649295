import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { GraphError } from '../../src/common/errors.ts';
import { toFloat32 } from '../../src/common/tensor.ts';
import { readModel } from '../../src/graph/read.ts';
import { importClassifier } from '../../src/pipeline/classifier/import-classifier.ts';
import { featureGraph } from '../../src/pipeline/features/feature-graph.ts';
import { runOnPixels } from '../../src/pipeline/run-graph.ts';
import { rejection } from '../data/rejection.ts';
import { python } from './python.ts';

const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** What is refused, and the sentence that says what to do. */
const refused: Readonly<Record<string, RegExp>> = {
  'qoperator-resnet18': /integers all the way .*; quantise it in QDQ form/,
};

/** Half floats have 11 bits, and are rounded at other places where values within are read. */
const HALF = 2e-2;

describe('exports of torchvision and timm', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-exports-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('there are forty, whose logits are those of Python, or that are refused with what to do', async () => {
    const only = process.env.LA_OOD_EXPORTS?.split(',');
    const names = only ?? (await python<string[]>('exports.py'));
    if (!only) expect(names).to.have.length.of.at.least(40);
    const problems: string[] = [];
    for (const name of names)
      await tried(name).catch((error: Error) => {
        problems.push(`${name}: ${error.message}`);
      });
    expect(problems).to.deep.equal([]);
  });

  async function tried(name: string): Promise<void> {
    const made = await python<Record<string, Made>>('exports.py', folder, name);
    const { size, logits } = made[name];
    const source = join(folder, `${name}.onnx`);
    const target = join(folder, 'backbone.onnx');
    const importing = importClassifier(source, target, { preprocessing: imagenet });
    if (refused[name]) {
      const error = await rejection(importing, GraphError);
      expect(error.message).to.match(refused[name]);
      return;
    }
    const { detectorTaps } = await importing;
    expect(detectorTaps).to.have.length.above(3);
    const graph = featureGraph(await readModel(target), target);
    const file = await readFile(join(folder, `pixels-${size}.npy`));
    const bytes = size * size * 3;
    const runs = logits.map((_, i) => {
      const start = file.length - (logits.length - i) * bytes;
      return Uint8Array.from(file.subarray(start, start + bytes));
    });
    const outputs = await runOnPixels(graph.model, target, graph.size, runs, { optimisation: 'disabled' });
    const largest = Math.max(...logits.flat().map(Math.abs));
    const difference = Math.max(
      ...outputs.flatMap((output, i) => {
        const values = toFloat32(output[graph.logits]);
        expect(values).to.have.length(logits[i].length);
        return logits[i].map((value, c) => Math.abs(value - values[c]));
      }),
    );
    expect(difference / largest).to.be.below(name.startsWith('half') ? HALF : 1e-4);
    await rm(source);
  }
});

interface Made {
  readonly size: number;
  readonly logits: readonly (readonly number[])[];
}
