import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { GraphError } from '../../src/common/errors.ts';
import { toFloat32 } from '../../src/common/tensor.ts';
import { readModel } from '../../src/graph/read.ts';
import { importClassifier } from '../../src/pipeline/classifier/import-classifier.ts';
import { featureGraph } from '../../src/pipeline/features/feature-graph.ts';
import { runOnPixels } from '../../src/pipeline/run-graph.ts';
import { temporaryFolder } from '../cli/files.ts';
import { rejection } from '../data/rejection.ts';
import { python } from './python.ts';

const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** What is refused, and the sentence that says what to do. */
const refused: Readonly<Record<string, RegExp>> = {
  'qoperator-resnet18': /integers all the way .*; quantise it in QDQ form/,
};

/** Half floats have 11 bits, and are rounded at other places where values within are read. */
const HALF = 2e-2;

/** Height and width of the images. */
const SIZE = 64;

describe('exports of torchvision and timm', () => {
  const at = temporaryFolder();

  it('there are forty, whose logits are those of Python, or that are refused with what to do', async () => {
    const only = process.env.LA_OOD_EXPORTS?.split(',') ?? [];
    const made = await python<Made>('exports.py', ...only);
    const names = Object.keys(made.logits);
    if (only.length === 0) expect(names).to.have.length.of.at.least(40);
    const pixels = await readFile(join(made.folder, 'pixels.npy'));
    const problems: string[] = [];
    for (const name of names)
      await tried(name, made, pixels).catch((error: Error) => {
        problems.push(`${name}: ${error.message}`);
      });
    expect(problems).to.deep.equal([]);
  });

  async function tried(name: string, { folder, logits }: Made, pixels: Buffer): Promise<void> {
    const target = at('backbone.onnx');
    const importing = importClassifier(join(folder, `${name}.onnx`), target, { preprocessing: imagenet });
    if (refused[name]) {
      const error = await rejection(importing, GraphError);
      expect(error.message).to.match(refused[name]);
      return;
    }
    const { detectorTaps } = await importing;
    expect(detectorTaps).to.have.length.above(3);
    const graph = featureGraph(await readModel(target), target);
    const bytes = SIZE * SIZE * 3;
    const theirs = logits[name];
    const runs = theirs.map((_, i) => {
      // They are at the end of the file.
      const start = pixels.length - (theirs.length - i) * bytes;
      return Uint8Array.from(pixels.subarray(start, start + bytes));
    });
    const outputs = await runOnPixels(graph.model, target, graph.size, runs, { optimization: 'disabled' });
    const largest = Math.max(...theirs.flat().map(Math.abs));
    const difference = Math.max(
      ...outputs.flatMap((output, i) => {
        const values = toFloat32(output[graph.logits]);
        expect(values).to.have.length(theirs[i].length);
        return theirs[i].map((value, c) => Math.abs(value - values[c]));
      }),
    );
    expect(difference / largest).to.be.below(name.startsWith('half') ? HALF : 1e-4);
  }
});

interface Made {
  readonly folder: string;
  /** Of each image, by the export's name. */
  readonly logits: Readonly<Record<string, readonly (readonly number[])[]>>;
}
