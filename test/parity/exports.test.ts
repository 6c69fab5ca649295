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

/** The exports by what is read of their names; making one takes Python up to half a minute, once for an environment. */
const groups: Readonly<Record<string, { readonly patterns: readonly string[]; readonly count: number }>> = {
  'torchvision, by torch.onnx.export of opset 13': { patterns: ['tv-*-script13'], count: 5 },
  'torchvision, by torch.onnx.export of opset 17': { patterns: ['tv-*-script17'], count: 7 },
  'torchvision, by its dynamo exporter of opset 18': { patterns: ['tv-*-dynamo18'], count: 5 },
  'torchvision, by its dynamo exporter of opset 20': { patterns: ['tv-*-dynamo20'], count: 4 },
  'timm, by torch.onnx.export': { patterns: ['timm-*-script*'], count: 7 },
  'timm, by its dynamo exporter': { patterns: ['timm-*-dynamo*'], count: 7 },
  'half floats': { patterns: ['half-*'], count: 2 },
  'quantised, in three forms': { patterns: ['q*', 'dynamic-*'], count: 5 },
  'by onnxslim': { patterns: ['slim-*'], count: 2 },
};

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

  for (const [title, { patterns, count }] of Object.entries(groups))
    it(`${title}: have Python's logits, or are refused with what to do`, async () => {
      const made = await python<Made>('exports.py', ...patterns);
      const names = Object.keys(made.logits);
      expect(names).to.have.length(count);
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
