import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { GraphError } from '../../../src/common/errors.ts';
import { makeNode } from '../../../src/graph/make.ts';
import type { ModelProto } from '../../../src/graph/onnx.ts';
import { readModel } from '../../../src/graph/read.ts';
import { writeModel } from '../../../src/graph/write.ts';
import { importClassifier } from '../../../src/pipeline/classifier/import-classifier.ts';
import { featureGraph } from '../../../src/pipeline/features/feature-graph.ts';
import { temporaryFolder } from '../../cli/files.ts';
import { rejection } from '../../data/rejection.ts';
import {
  integersAllTheWay,
  oddExport,
  stackedAttention,
  withBatch,
  withBranches,
  withEnding,
} from '../../graph/classifier/odd-exports.ts';
import { runModel } from '../../graph/models.ts';

const preprocessing = { mean: [0, 0, 0], std: [1, 1, 1] };
const count = 4;
const pixels = Uint8Array.from({ length: count * 8 * 8 * 3 }, (_, i) => (i * i * 31) % 256);

describe('classifiers as other programs export them', () => {
  const at = temporaryFolder();
  let written = 0;

  async function imported(model: ModelProto) {
    const home = at(String(written++));
    await writeModel(join(home, 'net.onnx'), model);
    const target = join(home, 'backbone.onnx');
    const found = await importClassifier(join(home, 'net.onnx'), target, { preprocessing });
    return { ...found, graph: featureGraph(await readModel(target), target) };
  }

  /** The logits of the test's images by the feature graph, run as many at once as it takes. */
  async function logitsOf({ graph }: Awaited<ReturnType<typeof imported>>) {
    const atOnce = graph.batch ?? count;
    const values: number[] = [];
    for (let first = 0; first < count; first += atOnce) {
      const data = pixels.slice(first * 192, (first + atOnce) * 192);
      const { logits } = await runModel(graph.model, { pixels: { data, dims: [atOnce, 8, 8, 3] } });
      values.push(...(logits.data as Float32Array));
    }
    return values;
  }

  /** What the model itself says of the same images, one by one. */
  async function expected(model: ModelProto, value = 'scores') {
    const values: number[] = [];
    for (let image = 0; image < count; image++) {
      const own = pixels.subarray(image * 192, (image + 1) * 192);
      const data = Float32Array.from({ length: 192 }, (_, i) => own[(i % 64) * 3 + Math.floor(i / 64)] / 255);
      const outputs = await runModel(model, { image: { data, dims: [1, 3, 8, 8] } });
      values.push(...(outputs[value].data as Float32Array));
    }
    return values;
  }

  function expectClose(values: readonly number[], wanted: readonly number[], tolerance = 1e-5) {
    expect(values).to.have.length(wanted.length);
    const largest = Math.max(...wanted.map(Math.abs));
    for (const [i, value] of values.entries()) expect(value).to.be.closeTo(wanted[i], tolerance * largest);
  }

  for (const size of [-1, 0])
    it(`takes a batch size written as ${size} for a free one`, async () => {
      const found = await imported(withBatch(oddExport(), size));
      expect(found.classifier.batch).to.equal(undefined);
      expectClose(await logitsOf(found), await expected(oddExport()));
    });

  it('gives values that are called like those of the guard other names', async () => {
    const names = {
      conv1: 'ood_score',
      act1: 'pixels',
      conv2: 'layer_scores',
      flat: 'threshold',
      scores: 'label',
    };
    const found = await imported(oddExport({ names }));
    expect(found.taps).to.deep.equal(['ood_score_1', 'layer_scores_1', 'threshold_1', 'logits']);
    expectClose(await logitsOf(found), await expected(oddExport({ names }), 'label'));
  });

  it('reads the control flow of older opsets', async () => {
    const found = await imported(withBranches(16));
    expectClose(await logitsOf(found), await expected(withBranches(16)));
    expectClose(await logitsOf(found), await expected(withBranches(18)));
  });

  it('runs an image at a time where the graph runs with no more', async () => {
    // Reshape to 1 × n can be freed; to n alone, and back, it cannot.
    const free = await imported(oddExport({ reshape: [1, 6] }));
    expect([free.classifier.batch, free.notes]).to.deep.equal([undefined, []]);
    expectClose(await logitsOf(free), await expected(oddExport()));
    const stuck = oddExport({ reshape: [6] });
    const last = stuck.graph.node.pop()!;
    const { node, initializer } = oddExport({ reshape: [1, 6], names: { pool: 'flat', flat: 'row' } }).graph;
    const row = node.find(({ output }) => output[0] === 'row')!;
    const shape = { ...initializer.find(({ name }) => name === 'to')!, name: 'row_shape' };
    stuck.graph.initializer.push(shape);
    stuck.graph.node.push(
      { ...row, input: ['flat', 'row_shape'] },
      { ...last, input: ['row', last.input[1]] },
    );
    const found = await imported(stuck);
    expect(found.classifier.batch).to.equal(1);
    expect(found.notes).to.deep.equal([
      'it runs an image at a time, which is slower: the graph runs with no more, though it declares any number',
    ]);
    expectClose(await logitsOf(found), await expected(stuck));
  });

  it('tells the batch from an axis that is as long', async () => {
    const found = await imported(stackedAttention());
    expect(found.taps).to.deep.equal(['embed', 'sum', 'mean', 'logits']);
    expectClose(await logitsOf(found), await expected(stackedAttention()));
  });

  it('looks behind a dictionary of probabilities', async () => {
    const labels = { name: 'classlabels_strings', type: 8, floats: [], ints: [], tensors: [], graphs: [] };
    const strings = ['a', 'b', 'c', 'd', 'e'].map((name) => new TextEncoder().encode(name));
    const dictionary = { ...makeNode('ZipMap', ['probabilities'], 'loss'), domain: 'ai.onnx.ml' };
    const ending = [
      makeNode('Softmax', ['scores'], 'probabilities', { axis: 1 }),
      { ...dictionary, attribute: [{ ...labels, strings }] },
    ];
    const found = await imported(withEnding(oddExport(), ending, [{ name: 'loss' }]));
    expect(found.notes).to.deep.equal([
      'its outputs are words and a dictionary; the logits are scores, a value within',
    ]);
    expectClose(await logitsOf(found), await expected(oddExport()));
  });

  it('makes two classes of one sigmoid', async () => {
    const model = oddExport({ classes: 1 });
    const [output] = model.graph.output;
    const sigmoid = withEnding(model, [makeNode('Sigmoid', ['scores'], 'p')], [{ ...output, name: 'p' }]);
    const found = await imported(sigmoid);
    expect(found.classifier.classes).to.equal(2);
    const logits = await logitsOf(found);
    const second = await expected(sigmoid, 'p');
    for (let i = 0; i < count; i++) {
      const [a, b] = logits.slice(2 * i, 2 * i + 2).map(Math.exp);
      expect(b / (a + b)).to.be.closeTo(second[i], 1e-6);
    }
  });

  it('runs dynamically quantised networks an image at a time', async () => {
    const model = oddExport({ quantized: 'dynamic' });
    const found = await imported(model);
    expect(found.classifier.batch).to.equal(1);
    expect(found.detectorTaps).to.deep.equal(['conv1', 'conv2']);
    expect(found.notes[0]).to.match(
      /^it runs an image at a time, which is slower: it takes the range of a whole batch/,
    );
    expectClose(await logitsOf(found), await expected(model));
  });

  it('watches statically quantised networks where their values are dequantised', async () => {
    const model = oddExport({ quantized: 'QDQ' });
    const found = await imported(model);
    expect(found.detectorTaps).to.deep.equal(['conv1_dq', 'conv2_dq', 'flat']);
    // On most processors there is no difference here.
    for (const note of found.notes)
      expect(note).to.match(/^it computes in 8 bits: .* by up to \S+ % of the largest$/);
    // A step of the quantisation is half a per cent.
    expectClose(await logitsOf(found), await expected(model), 0.02);
  });

  it('runs half floats, rounded where values within are read', async () => {
    const found = await imported(oddExport({ dtype: 'float16' }));
    expect(found.detectorTaps).to.deep.equal(['conv1', 'conv2', 'flat']);
    expectClose(await logitsOf(found), await expected(oddExport()), 0.01);
  });

  it('refuses what it cannot watch or run, says what to do, and writes nothing', async () => {
    for (const [model, message] of [
      [
        integersAllTheWay(),
        /: its values are integers all the way .*; quantise it in QDQ form, .*QuantFormat\.QDQ\)$/,
      ],
      [
        oddExport({ dtype: 'double' }),
        /: computes in float64, for which onnxruntime has no Conv; export it in float32 /,
      ],
      [
        oddExport({ dtype: 'float16', underflows: true }),
        /: gives logits that are not finite: it computes in float16, .*; export it in float32, or keep its/,
      ],
      [
        oddExport({ classes: 1 }),
        /none of its outputs is scores of classes, N×classes: scores \(N×1\); .*`output`$/,
      ],
    ] as const) {
      const error = await rejection(imported(model), GraphError);
      expect(error.message)
        .to.match(/^\S+net\.onnx: /)
        .and.match(message);
      expect(await readdir(at(String(written - 1)))).to.deep.equal(['net.onnx']);
    }
  });
});
