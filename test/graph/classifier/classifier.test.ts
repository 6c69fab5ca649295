import { expect } from 'chai';
import { GraphError } from '../../../src/common/errors.ts';
import { GraphBuilder } from '../../../src/graph/builder.ts';
import { checkModel } from '../../../src/graph/check.ts';
import { describeClassifier, toBackbone } from '../../../src/graph/classifier/classifier.ts';
import { ElementType, type ModelProto } from '../../../src/graph/onnx.ts';
import { images, runModel } from '../models.ts';
import { convolutionalNet, severalOutputs, type transformer } from './networks.ts';

const shape = { height: 8, width: 8, batch: undefined };
const common = {
  input: 'image',
  dtype: 'float32',
  ...shape,
  classes: 5,
  isBinary: false,
  isMultiLabel: false,
};

describe('describeClassifier', () => {
  for (const layout of ['NCHW', 'NHWC'] as const)
    it(`understands ${layout}`, () => {
      const { head, ...found } = describeClassifier(convolutionalNet({ layout }), 'net.onnx');
      expect(found).to.deep.equal({ ...common, layout, logits: 'scores', isMultiLabel: false });
      expect(head).to.include({ input: 'pool', classes: 5, width: 4 });
    });

  it('says what is fixed and what is free', () => {
    const fixed = describeClassifier(convolutionalNet({ batch: 1, dtype: 'uint8' }), 'net.onnx');
    expect(fixed).to.include({ batch: 1, dtype: 'uint8', layout: 'NCHW' });
    expect(() => describeClassifier(convolutionalNet({ size: 2 ** 31 }), 'net.onnx')).to.throw(
      GraphError,
      /^net\.onnx: its input image takes images of 2147483648 × 2147483648 pixels; export it again/,
    );
    const free = describeClassifier(convolutionalNet({ size: 'side' }), 'net.onnx');
    expect(free).to.include({ layout: 'NCHW', height: undefined, width: undefined, classes: 5 });
  });

  for (const [ending, opset] of [
    [['Softmax'], 13],
    [['Softmax'], 7],
    [['LogSoftmax'], 13],
    [['Softmax', 'Log'], 13],
    [['Sigmoid'], 13],
    [['Identity', 'Softmax', 'Cast', 'Dropout'], 13],
  ] as const)
    it(`sees through ${ending.join(', ')} at opset ${opset}`, () => {
      const { logits, classes } = describeClassifier(convolutionalNet({ opset, ending }), 'net.onnx');
      expect(logits).to.equal(ending[0] === 'Identity' ? 'identity' : 'scores');
      expect(classes).to.equal(5);
    });

  it('refuses logits that do not depend on the image', () => {
    const graph = new GraphBuilder('still');
    const image = graph.input('image', ElementType.float, ['n', 3, 8, 8]);
    graph.node('Relu', [image], { name: 'unused' });
    const weight = graph.initializer('w', { dtype: 'float32', shape: [2, 5], data: new Float32Array(10) });
    graph.output(graph.node('Relu', [weight], { name: 'scores' }), ElementType.float, [2, 5]);
    expect(() => describeClassifier(graph.build(), 'still.onnx')).to.throw(
      GraphError,
      'still.onnx: its logits scores do not depend on its input image; export the whole classifier',
    );
  });

  it('asks which of several outputs are the logits, and lists them', () => {
    expect(() => describeClassifier(severalOutputs(), 'net.onnx')).to.throw(
      GraphError,
      'net.onnx: has 2 outputs that may be the logits: scores (batch×5), aux (batch×7); say which with `output: scores`',
    );
    expect(describeClassifier(severalOutputs(), 'net.onnx', { output: 'aux' }).classes).to.equal(7);
    const seen = describeClassifier(severalOutputs(), 'net.onnx', { output: 'probabilities' });
    expect(seen.logits).to.equal('scores');
    expect(() => describeClassifier(severalOutputs(), 'net.onnx', { output: 'auxx' })).to.throw(
      'net.onnx: has no output auxx; did you mean aux?',
    );
  });

  it('takes the output that is called logits', () => {
    const model = severalOutputs();
    const aux = model.graph.node.at(-1)!;
    aux.output = ['logits'];
    model.graph.output.at(-1)!.name = 'logits';
    expect(describeClassifier(model, 'net.onnx').logits).to.equal('logits');
  });

  it('refuses what is no classifier of RGB images', () => {
    const model = (input: readonly (number | string)[], output: readonly (number | string)[]) => {
      const graph = new GraphBuilder('g');
      graph.input('x', ElementType.float, input);
      graph.node('Relu', ['x'], { name: 'y' });
      graph.output('y', ElementType.float, output);
      return graph.build();
    };
    for (const [refused, message] of [
      [model(['n', 3], ['n', 3]), 'its input x is not a batch of N×C×H×W or N×H×W×C floats or bytes'],
      [
        model(['n', 1, 8, 8], ['n', 1, 8, 8]),
        'its input x has 1 channels; classifiers of RGB images are guarded',
      ],
      [
        model(['n', 3, 8, 8], ['n', 3, 8, 8]),
        'none of its outputs is scores of classes, N×classes: y (n×3×8×8)',
      ],
    ] as const)
      expect(() => describeClassifier(refused, 'net.onnx')).to.throw(GraphError, message);
  });
});

describe('toBackbone', () => {
  it('keeps the logits alone, under that name', async () => {
    const model = convolutionalNet({ ending: ['Softmax'] });
    const backbone = toBackbone(model, 'net.onnx');
    checkModel(backbone, 'net.onnx');
    expect(backbone.graph.output.map(({ name }) => name)).to.deep.equal(['logits']);
    expect(backbone.graph.node.some(({ opType }) => opType === 'Softmax')).to.equal(false);
    const { logits } = await runModel(backbone, { image: images(3) });
    const { scores } = await runModel(convolutionalNet(), { image: images(3) });
    expect(logits.data).to.deep.equal(scores.data);
    expect(describeClassifier(backbone, 'net.onnx').logits).to.equal('logits');
  });

  it('leaves nothing that another output needed', () => {
    const { graph } = toBackbone(severalOutputs(), 'net.onnx', { output: 'scores' });
    expect(graph.initializer.map(({ name }) => name)).not.to.include('aux.weight');
  });

  it('flattens logits of one pixel', async () => {
    const graph = new GraphBuilder('g');
    graph.input('image', ElementType.float, ['n', 3, 8, 8]);
    graph.node('GlobalAveragePool', ['image'], { name: 'logits' });
    graph.node('Softmax', ['logits'], { name: 'y', attributes: { axis: 1 } });
    graph.output('y', ElementType.float, ['n', 3, 1, 1]);
    const backbone = toBackbone(graph.build(), 'net.onnx');
    checkModel(backbone, 'net.onnx');
    const { logits } = await runModel(backbone, { image: images(2) });
    expect(logits.dims).to.deep.equal([2, 3]);
  });

  it('says the size of images where the graph leaves it open, and only there', () => {
    const size = { height: 16, width: 12 };
    const sized = (model: ReturnType<typeof transformer>) =>
      describeClassifier(toBackbone(model, 'net.onnx', { size }), 'net.onnx');
    expect(sized(convolutionalNet({ size: 'side' }))).to.include(size);
    expect(sized(convolutionalNet())).to.include({ height: 8, width: 8 });
  });

  it('forgets what was declared of values within, where a size is said, and keeps it where none is', () => {
    const declared = (model: ModelProto, options = {}) => {
      model.graph.valueInfo = [{ name: 'stem' }];
      return toBackbone(model, 'net.onnx', options).graph.valueInfo.length;
    };
    const size = { height: 8, width: 8 };
    expect(declared(convolutionalNet({ size: 'side' }), { size })).to.equal(0);
    expect(declared(convolutionalNet(), { size })).to.equal(1);
    const halfFree = convolutionalNet();
    const { dim } = halfFree.graph.input[0].type!.tensorType!.shape!;
    dim[3] = { dimParam: 'width' };
    expect(declared(halfFree, { size })).to.equal(0);
    expect(declared(convolutionalNet({ size: 'side' }))).to.equal(0);
  });

  it('makes two classes of one number before a sigmoid', async () => {
    const graph = new GraphBuilder('g');
    graph.input('image', ElementType.float, ['n', 3, 8, 8]);
    const weight = graph.initializer('w', {
      dtype: 'float32',
      shape: [3, 1],
      data: Float32Array.of(1, 2, -3),
    });
    const row = graph.node('Flatten', [graph.node('GlobalAveragePool', ['image'])]);
    graph.node('MatMul', [row, weight], { name: 'logits' });
    graph.node('Sigmoid', ['logits'], { name: 'p' });
    graph.output('p', ElementType.float, ['n', 1]);
    const model = graph.build();
    const backbone = toBackbone(model, 'net.onnx');
    checkModel(backbone, 'net.onnx');
    const { logits } = await runModel(backbone, { image: images(4) });
    const { p } = await runModel(model, { image: images(4) });
    expect(logits.dims).to.deep.equal([4, 2]);
    for (const [i, second] of (p.data as Float32Array).entries()) {
      const [a, b] = (logits.data as Float32Array).subarray(2 * i, 2 * i + 2);
      expect(a).to.equal(-b);
      expect(Math.exp(b) / (Math.exp(a) + Math.exp(b))).to.be.closeTo(second, 1e-6);
    }
  });

  it('gives values that are called like those of a guard other names, whatever yields them', () => {
    const graph = new GraphBuilder('g');
    graph.input('threshold', ElementType.float, ['n', 3, 8, 8]);
    const data = new Float32Array(9);
    graph.initializer('is_ood', { dtype: 'float32', shape: [3, 3, 1, 1], data });
    graph.node('Conv', ['threshold', 'is_ood'], { name: 'conv', outputs: ['layer_scores/conv'] });
    graph.node('GlobalAveragePool', ['layer_scores/conv'], { name: 'pool', outputs: ['label'] });
    graph.node('Flatten', ['label'], { name: 'flat' });
    graph.node('MatMul', ['flat', graph.initializer('p_value', { dtype: 'float32', shape: [3, 3], data })], {
      name: 'logits',
    });
    graph.output('logits', ElementType.float, ['n', 3]);
    const { graph: renamed } = toBackbone(graph.build(), 'net.onnx');
    expect(renamed.input.map(({ name }) => name)).to.deep.equal(['threshold_1']);
    expect(renamed.initializer.map(({ name }) => name)).to.deep.equal(['is_ood_1', 'p_value_1']);
    expect(renamed.node.flatMap(({ output }) => output)).to.deep.equal([
      'layer_scores/conv_1',
      'label_1',
      'flat',
      'logits',
    ]);
  });

  it('leaves an input that is called pixels, in whose place the guard’s own comes', () => {
    const graph = new GraphBuilder('g');
    graph.input('pixels', ElementType.float, ['n', 3, 8, 8]);
    graph.node('GlobalAveragePool', ['pixels'], { name: 'pool' });
    graph.node('Flatten', ['pool'], { name: 'scores' });
    graph.output('scores', ElementType.float, ['n', 3]);
    expect(toBackbone(graph.build(), 'net.onnx').graph.input[0].name).to.equal('pixels');
  });

  it('gives another value that is called logits another name', () => {
    const graph = new GraphBuilder('g');
    graph.input('image', ElementType.float, ['n', 3, 8, 8]);
    graph.node('GlobalAveragePool', ['image'], { name: 'logits' });
    graph.node('Flatten', ['logits'], { name: 'scores' });
    graph.output('scores', ElementType.float, ['n', 3]);
    const { node, output } = toBackbone(graph.build(), 'net.onnx').graph;
    expect(node.map(({ output }) => output[0])).to.deep.equal(['logits_before', 'logits']);
    expect(output.map(({ name }) => name)).to.deep.equal(['logits']);
  });

  it('changes no other input, and says what its own is', () => {
    const model = convolutionalNet({ batch: 2 });
    const optional = { name: 'stem.weight', type: { tensorType: { elemType: ElementType.float } } };
    model.graph.input.push(optional);
    const { graph } = toBackbone(model, 'net.onnx');
    expect(graph.input[1]).to.deep.equal(optional);
    const sizes = ({ type }: (typeof graph.output)[number]) =>
      type!.tensorType!.shape!.dim.map(({ dimValue }) => dimValue);
    expect(sizes(graph.input[0])).to.deep.equal([2, 3, 8, 8]);
    expect(sizes(graph.output[0])).to.deep.equal([2, 5]);
  });
});
