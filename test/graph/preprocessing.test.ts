import { expect } from 'chai';
import { GraphError } from '../../src/common/errors.ts';
import { checkModel } from '../../src/graph/check.ts';
import { ElementType } from '../../src/graph/onnx.ts';
import { prependPreprocessing } from '../../src/graph/preprocessing.ts';
import { largestDifference, runModel, smallNet } from './models.ts';

const mean = [0.4914, 0.4822, 0.4465];
const std = [0.2023, 0.1994, 0.201];
const count = 2;
const pixels = Uint8Array.from({ length: count * 8 * 8 * 3 }, (_, i) => (i * 89 + (i >> 3)) % 256);

describe('prependPreprocessing', () => {
  for (const opset of [7, 11, 13, 18, 26])
    it(`normalises as torchvision does, at opset ${opset}`, async () => {
      const model = smallNet({ opset });
      const ready = prependPreprocessing(model, { mean, std });
      checkModel(ready, 'small.onnx');
      const output = [{ name: 'image' }, ...ready.graph.output];
      const yielded = await runModel(
        { ...ready, graph: { ...ready.graph, output } },
        { pixels: { data: pixels, dims: [count, 8, 8, 3] } },
      );
      const expected = normalized();
      expect(yielded.image.data).to.deep.equal(expected);
      const direct = await runModel(model, { image: { data: expected, dims: [count, 3, 8, 8] } });
      expect(
        largestDifference(yielded.logits.data as Float32Array, direct.logits.data as Float32Array),
      ).to.equal(0);
    });

  it('says what the input is', () => {
    const { graph } = prependPreprocessing(smallNet({ batch: 4 }), { mean, std });
    expect(graph.input).to.deep.equal([
      {
        name: 'pixels',
        type: {
          tensorType: {
            elemType: ElementType.uint8,
            shape: { dim: [4, 8, 8, 3].map((dimValue) => ({ dimValue })) },
          },
        },
      },
    ]);
  });

  it('takes a model whose own input is called pixels', async () => {
    const model = smallNet({ input: 'pixels' });
    const ready = prependPreprocessing(model, { mean, std });
    checkModel(ready, 'small.onnx');
    const { logits } = await runModel(ready, { pixels: { data: pixels, dims: [count, 8, 8, 3] } });
    const direct = await runModel(model, { pixels: { data: normalized(), dims: [count, 3, 8, 8] } });
    expect(logits.data).to.deep.equal(direct.logits.data);
  });

  it('takes a model of IR version 3, where initializers are inputs too', async () => {
    const model = smallNet({ opset: 8 });
    const { graph } = model;
    const constants = graph.initializer.map(({ name, dims, dataType }) => ({
      name,
      type: { tensorType: { elemType: dataType, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
    }));
    const old = { ...model, irVersion: 3, graph: { ...graph, input: [...graph.input, ...constants] } };
    const ready = prependPreprocessing(old, { mean, std });
    checkModel(ready, 'small.onnx');
    const yielded = await runModel(ready, { pixels: { data: pixels, dims: [count, 8, 8, 3] } });
    const direct = await runModel(model, { image: { data: normalized(), dims: [count, 3, 8, 8] } });
    expect(yielded.logits.data).to.deep.equal(direct.logits.data);
  });

  it('refuses numbers for another count of channels', () => {
    expect(() => prependPreprocessing(smallNet(), { mean: [0.5], std: [0.5] })).to.throw(
      GraphError,
      'graph small: its input has 3 channels, and there are 1 means and 1 deviations',
    );
  });

  it('refuses a second time: the input is pixels already', () => {
    const ready = prependPreprocessing(smallNet(), { mean, std });
    expect(() => prependPreprocessing(ready, { mean, std })).to.throw(
      GraphError,
      'graph small: its input pixels is bytes, which are not normalised',
    );
  });
});

/** (x / 255 - mean) / std in float32, rounded after each operation. */
function normalized(): Float32Array {
  const { fround } = Math;
  return Float32Array.from({ length: pixels.length }, (_, i) => {
    const image = Math.floor(i / 192);
    const channel = Math.floor(i / 64) % 3;
    const byte = pixels[image * 192 + (i % 64) * 3 + channel];
    return fround(fround(fround(byte / 255) - fround(mean[channel])) / fround(std[channel]));
  });
}
