import { expect } from 'chai';
import { GraphError } from '../../src/common/errors.ts';
import { checkModel } from '../../src/graph/check.ts';
import { ElementType, type ModelProto } from '../../src/graph/onnx.ts';
import { type Preprocessing, prependPreprocessing } from '../../src/graph/preprocessing.ts';
import { convolutionalNet } from './classifier/networks.ts';
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

  it('keeps the channels last for a network that takes them so', async () => {
    const { image } = await inputOf(convolutionalNet({ layout: 'NHWC' }), { mean, std });
    const planes = normalized();
    const expected = Float32Array.from({ length: pixels.length }, (_, i) => {
      const [at, channel] = [Math.floor(i / 3) % 64, i % 3];
      return planes[Math.floor(i / 192) * 192 + channel * 64 + at];
    });
    expect(image).to.deep.equal(expected);
  });

  it('rescales only, by any factor, and swaps red and blue', async () => {
    const plain = { mean: [0, 0, 0], std: [1, 1, 1] };
    const net = convolutionalNet({ layout: 'NHWC' });
    expect((await inputOf(net, { ...plain, scale: 1 })).image).to.deep.equal(Float32Array.from(pixels));
    expect((await inputOf(net, { ...plain, scale: 0.5 })).image).to.deep.equal(
      Float32Array.from(pixels, (byte) => byte / 2),
    );
    const { image, operators } = await inputOf(net, { ...plain, channelOrder: 'BGR' });
    const swapped = pixels.map((_, i) => pixels[i + 2 - 2 * (i % 3)]);
    expect(image).to.deep.equal(Float32Array.from(swapped, (byte) => Math.fround(byte / 255)));
    expect(operators).to.deep.equal(['Constant', 'Gather', 'Cast', 'Constant', 'Div', 'Cast']);
    const bytes = await inputOf(net, { ...plain, scale: 1 });
    expect(bytes.operators).to.deep.equal(['Cast', 'Cast']);
  });

  it('normalises where only some channels are shifted or scaled', async () => {
    const net = convolutionalNet({ layout: 'NHWC' });
    const shifted = await inputOf(net, { mean: [0, 2, 0], std: [1, 1, 1], scale: 1 });
    expect(shifted.image).to.deep.equal(Float32Array.from(pixels, (byte, i) => byte - (i % 3 === 1 ? 2 : 0)));
    const scaled = await inputOf(net, { mean: [0, 0, 0], std: [1, 1, 2], scale: 1 });
    expect(scaled.image).to.deep.equal(Float32Array.from(pixels, (byte, i) => byte / (i % 3 === 2 ? 2 : 1)));
  });

  it('hands bytes to a network that normalises by itself', async () => {
    const net = convolutionalNet({ dtype: 'uint8' });
    const ready = prependPreprocessing(net);
    checkModel(ready, 'net.onnx');
    const { scores } = await runModel(ready, { pixels: { data: pixels, dims: [count, 8, 8, 3] } });
    const floats = prependPreprocessing(convolutionalNet(), { mean: [0, 0, 0], std: [1, 1, 1], scale: 1 });
    const direct = await runModel(floats, { pixels: { data: pixels, dims: [count, 8, 8, 3] } });
    expect(scores.data).to.deep.equal(direct.scores.data);
    expect(() => prependPreprocessing(convolutionalNet())).to.throw(
      GraphError,
      'its input image is floats, and no normalisation is given',
    );
  });

  it('refuses numbers for another count of channels', () => {
    expect(() => prependPreprocessing(smallNet(), { mean: [0.5], std: [0.5] })).to.throw(
      GraphError,
      'graph small: its input has 3 channels, and there are 1 means and 1 deviations',
    );
    expect(() => prependPreprocessing(smallNet(), { mean, std: [0.5] })).to.throw(
      GraphError,
      'graph small: its input has 3 channels, and there are 3 means and 1 deviations',
    );
    const free = smallNet();
    free.graph.input[0].type!.tensorType!.shape!.dim[1] = { dimParam: 'channels' };
    expect(() => prependPreprocessing(free, { mean, std })).not.to.throw();
  });

  it('refuses a second time: the input is pixels already', () => {
    const ready = prependPreprocessing(smallNet(), { mean, std });
    expect(() => prependPreprocessing(ready, { mean, std })).to.throw(
      GraphError,
      'graph small: its input pixels is bytes, which are not normalised',
    );
  });
});

/** What a network is given of the pixels, and the operators that make it. */
async function inputOf(net: ModelProto, preprocessing: Preprocessing) {
  const ready = prependPreprocessing(net, preprocessing);
  checkModel(ready, 'net.onnx');
  const output = [{ name: 'image' }, ...ready.graph.output];
  const feeds = { pixels: { data: pixels, dims: [count, 8, 8, 3] } };
  const { image } = await runModel({ ...ready, graph: { ...ready.graph, output } }, feeds);
  const added = ready.graph.node.slice(0, ready.graph.node.length - net.graph.node.length);
  return { image: image.data as Float32Array, operators: added.map(({ opType }) => opType) };
}

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
