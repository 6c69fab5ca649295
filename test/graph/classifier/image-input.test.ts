import { expect } from 'chai';
import { GraphError } from '../../../src/common/errors.ts';
import { GraphBuilder } from '../../../src/graph/builder.ts';
import { imageInput } from '../../../src/graph/classifier/image-input.ts';
import { ElementType } from '../../../src/graph/onnx.ts';

type First = (graph: GraphBuilder) => void;
const convolution: First = (graph) => {
  const data = new Float32Array(4 * 3);
  graph.initializer('weight', { dtype: 'float32', shape: [4, 3, 1, 1], data });
  graph.node('Conv', ['image', 'weight']);
};
const transposition =
  (...perm: number[]): First =>
  (graph) =>
    graph.node('Transpose', ['image'], { attributes: { perm } });
const activation: First = (graph) => graph.node('Relu', ['image']);
const nothing: First = () => {};

/** A graph of the operators that take its images. */
function taking(dims: readonly (number | string)[], ...first: First[]) {
  const graph = new GraphBuilder('network');
  graph.input('image', ElementType.float, dims);
  for (const add of first) add(graph);
  return graph.build();
}

describe('imageInput', () => {
  const layoutOf = (dims: readonly (number | string)[], ...first: First[]) =>
    imageInput(taking(dims, ...first), 'net.onnx').layout;

  it('tells the layout by three channels', () => {
    expect(layoutOf(['n', 3, 'h', 'w'], activation)).to.equal('NCHW');
    expect(layoutOf(['n', 'h', 'w', 3], activation)).to.equal('NHWC');
    expect(layoutOf(['n', 3, 8, 8], nothing)).to.equal('NCHW');
  });

  it('tells it by the first operator where sizes leave it open', () => {
    for (const dims of [
      ['n', 'c', 'h', 'w'],
      ['n', 3, 'h', 3],
    ]) {
      expect(layoutOf(dims, convolution)).to.equal('NCHW');
      expect(layoutOf(dims, transposition(0, 3, 1, 2))).to.equal('NHWC');
      expect(layoutOf(dims, activation, transposition(0, 2, 3, 1), convolution)).to.equal('NCHW');
    }
  });

  it('tells it by the smaller size where there are not three channels', () => {
    expect(layoutOf(['n', 4, 8, 8], activation)).to.equal('NCHW');
    expect(layoutOf(['n', 8, 8, 1], activation)).to.equal('NHWC');
    expect(layoutOf(['n', 8, 8, 1], nothing)).to.equal('NHWC');
  });

  it('gives sizes by what they are, whatever the layout', () => {
    const sizes = { batch: 'n', channels: 3, height: 8, width: 6 };
    const common = { name: 'image', elemType: ElementType.float, ...sizes };
    const planes = imageInput(taking(['n', 3, 8, 6], activation), 'net.onnx');
    expect(planes).to.deep.equal({ layout: 'NCHW', ...common });
    const pixels = imageInput(taking(['n', 8, 6, 3], activation), 'net.onnx');
    expect(pixels).to.deep.equal({ layout: 'NHWC', ...common });
  });

  it('takes floats and bytes', () => {
    const model = taking(['n', 3, 8, 8], activation);
    const { tensorType } = model.graph.input[0].type!;
    for (const type of ['float16', 'double', 'uint8'] as const) {
      tensorType!.elemType = ElementType[type];
      expect(imageInput(model, 'net.onnx').elemType).to.equal(ElementType[type]);
    }
    tensorType!.elemType = ElementType.int32;
    expect(() => imageInput(model, 'net.onnx')).to.throw(GraphError, 'floats or bytes');
  });

  it('refuses an input that cannot be told to be images', () => {
    const refused = 'net.onnx: its input image is not a batch of N×C×H×W or N×H×W×C floats or bytes';
    for (const dims of [
      ['n', 'c', 'h', 'w'],
      ['n', 4, 'h', 'w'],
      ['n', 'h', 'w', 4],
      ['n', 3, 8],
      ['n', 3, 8, 8, 8],
    ])
      expect(() => layoutOf(dims, activation, transposition(...dims.map((_, axis) => axis)))).to.throw(
        GraphError,
        refused,
      );
    const model = taking(['n', 3, 8, 8], activation);
    model.graph.input[0].type!.tensorType!.shape = undefined;
    expect(() => imageInput(model, 'net.onnx')).to.throw(GraphError, refused);
  });

  it('takes images of 8192 × 8192 pixels, and refuses larger ones', () => {
    expect(layoutOf(['n', 3, 8192, 8192], activation)).to.equal('NCHW');
    expect(() => layoutOf(['n', 3, 8192, 8193], activation)).to.throw(
      GraphError,
      'net.onnx: its input image takes images of 8192 × 8193 pixels; export it again',
    );
  });

  it('refuses several inputs, but for those that need not be given', () => {
    const graph = new GraphBuilder('network');
    graph.input('image', ElementType.float, ['n', 3, 8, 8]);
    graph.optionalInput('weight', { dtype: 'float32', shape: [1], data: new Float32Array(1) });
    expect(imageInput(graph.build(), 'net.onnx').name).to.equal('image');
    graph.input('mask', ElementType.float, ['n', 8, 8]);
    expect(() => imageInput(graph.build(), 'net.onnx')).to.throw(
      GraphError,
      'net.onnx: has 2 inputs (image, mask), and not one image; export the classifier alone',
    );
  });
});
