import { expect } from 'chai';
import { tapCandidates } from '../../../src/graph/classifier/candidates.ts';
import { describeClassifier } from '../../../src/graph/classifier/classifier.ts';
import { imageFlow } from '../../../src/graph/classifier/image-flow.ts';
import { integerProducts, quantizationOf } from '../../../src/graph/classifier/quantized.ts';
import { makeNode } from '../../../src/graph/make.ts';
import type { GraphProto, ModelProto } from '../../../src/graph/onnx.ts';
import { integersAllTheWay, type OddExport, oddExport } from './odd-exports.ts';

describe('quantizationOf', () => {
  it('tells the ways to quantise, and none', () => {
    expect(quantizationOf(oddExport())).to.equal(undefined);
    expect(quantizationOf(oddExport({ quantized: 'QDQ' }))).to.equal('QDQ');
    expect(quantizationOf(oddExport({ quantized: 'dynamic' }))).to.equal('dynamic');
    expect(quantizationOf(integersAllTheWay())).to.equal('QOperator');
  });

  it('names the one that decides how the network runs, where there are several', () => {
    const both = oddExport({ quantized: 'QDQ' });
    both.graph.node.push(makeNode('QGemm', ['a'], 'b'));
    expect(quantizationOf(both)).to.equal('QOperator');
    both.graph.node.push(makeNode('DynamicQuantizeMatMul', ['a'], 'c'));
    expect(quantizationOf(both)).to.equal('dynamic');
  });
});

describe('tapCandidates of a quantised network', () => {
  const kinds = (model: ModelProto) =>
    tapCandidates(model, describeClassifier(model, 'net.onnx')).map(({ name, kind }) => [name, kind]);
  const found = (odd: OddExport) => kinds(oddExport(odd));

  it('are values as the network goes on with them, after they are dequantised', () => {
    expect(found({ quantized: 'QDQ' })).to.deep.equal([
      ['conv1_dq', 'convolution'],
      ['conv2_dq', 'convolution'],
      ['act2', 'block end'],
      ['flat', 'features'],
      ['scores', 'logits'],
    ]);
  });

  it('are features and logits too, where these are quantised', () => {
    const model = oddExport({ quantized: 'QDQ' });
    const last = model.graph.node.pop()!;
    const quantized = (value: string, output = `${value}_dq`) => [
      makeNode('QuantizeLinear', [value, 'image_scale', 'image_zero'], `${value}_q`),
      makeNode('DequantizeLinear', [`${value}_q`, 'image_scale', 'image_zero'], output),
    ];
    model.graph.node.push(
      ...quantized('flat'),
      { ...last, input: ['flat_dq', last.input[1]], output: ['products'] },
      ...quantized('products', 'scores'),
    );
    expect(kinds(model).slice(-3)).to.deep.equal([
      ['act2', 'block end'],
      ['flat_dq', 'features'],
      ['scores', 'logits'],
    ]);
  });

  it('are values as they were, where something else takes them too, or takes the integers', () => {
    const alsoRead = oddExport({ quantized: 'QDQ' });
    const relu = alsoRead.graph.node.find(({ output }) => output[0] === 'act1')!;
    relu.input = ['conv1'];
    const [first] = kinds(alsoRead);
    expect(first).to.deep.equal(['conv1', 'convolution']);

    const twice = oddExport({ quantized: 'QDQ' });
    const second = twice.graph.node.find(({ output }) => output[0] === 'conv2')!;
    const at = twice.graph.node.indexOf(second);
    const [integers, sum] = [makeNode('Cast', ['conv1_q'], 'integers', { to: 1 }), 'with_integers'];
    twice.graph.node.splice(at, 0, integers, makeNode('Add', ['act1', 'integers'], sum));
    second.input[0] = sum;
    expect(kinds(twice)[0]).to.deep.equal(['conv1', 'convolution']);
  });
});

describe('integerProducts', () => {
  /** By value, of a network that is quantised dynamically, after a change. */
  function products(change: (graph: GraphProto) => void = () => {}) {
    const model = oddExport({ quantized: 'dynamic' });
    change(model.graph);
    return Object.fromEntries(integerProducts(imageFlow(model, 'image', 'scores', new Map())));
  }
  const nodeOf = ({ node }: GraphProto, value: string) => node.find(({ output }) => output[0] === value)!;

  /** Adds two values where the second convolution's output was. */
  function adding(...inputs: string[]) {
    return (graph: GraphProto) => {
      const scaled = nodeOf(graph, 'conv2');
      scaled.output = ['scaled'];
      graph.node.splice(graph.node.indexOf(scaled) + 1, 0, makeNode('Add', inputs, 'conv2'));
    };
  }

  it('are where they are floats again, scaled', () => {
    expect(products()).to.deep.equal({ conv1: 'Conv', conv2: 'Conv', scores: 'MatMul' });
  });

  it('are there with their bias', () => {
    expect(products(adding('scaled', 'conv2_w_scale'))).to.include({ conv2: 'Conv' });
  });

  it('are there before what else is added', () => {
    expect(products(adding('scaled', 'conv2_x_scale'))).to.include({ scaled: 'Conv' });
  });

  it('are as far as nothing else takes them', () => {
    const reading = (graph: GraphProto) => {
      const relu = nodeOf(graph, 'act2');
      graph.node.splice(graph.node.indexOf(relu), 1, makeNode('Add', ['conv2', 'conv2_cast'], 'act2'));
    };
    expect(products(reading)).to.include({ conv2_cast: 'Conv' });
  });
});
