import { expect } from 'chai';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { largestLiveBytes } from '../../src/graph/live-bytes.ts';
import { ElementType } from '../../src/graph/onnx.ts';

/** Of images of 100 floats: each value of that shape takes 400 bytes. */
function bytesOf(add: (graph: GraphBuilder) => void, outputs = ['y']): number {
  const graph = new GraphBuilder('network');
  graph.input('x', ElementType.float, ['batch', 100]);
  add(graph);
  const model = graph.build({ domains: { 'com.example': 1 } });
  model.graph.output = outputs.map((name) => ({ name }));
  return largestLiveBytes(model);
}
const relu = (graph: GraphBuilder, from: string, name: string) => graph.node('Relu', [from], { name });
/** An activation after the other, from `x` on. */
const chain =
  (...names: string[]) =>
  (graph: GraphBuilder) =>
    names.reduce((from, name) => relu(graph, from, name), 'x');

describe('largestLiveBytes', () => {
  it('counts what is computed and what it is computed of, an image', () => {
    expect(bytesOf(chain('y'))).to.equal(400);
    expect(bytesOf(chain('a', 'b', 'y'))).to.equal(800);
  });

  it('counts what is needed later, until it was used for the last time', () => {
    const shortcut = (g: GraphBuilder) => {
      chain('a', 'b', 'c')(g);
      g.node('Add', ['a', 'c'], { name: 'd' });
      relu(g, 'd', 'y');
    };
    expect(bytesOf(shortcut)).to.equal(1200);
  });

  it('counts outputs to the end, and what nobody takes while it is computed', () => {
    expect(bytesOf(chain('a', 'b', 'c', 'y'))).to.equal(800);
    expect(bytesOf(chain('a', 'b', 'c', 'y'), ['a', 'y'])).to.equal(1200);
    const unused = (g: GraphBuilder) => {
      g.node('Split', ['x'], { name: 'halves', outputs: ['a', 'b'], attributes: { axis: 1 } });
      relu(g, 'a', 'y');
    };
    // Two halves; then one of them and what is made of it.
    expect(bytesOf(unused)).to.equal(400);
  });

  it('counts elements by their size, and neither constants nor what nobody knows', () => {
    const doubles = (g: GraphBuilder) => {
      g.node('Cast', ['x'], { name: 'y', attributes: { to: ElementType.double } });
    };
    expect(bytesOf(doubles)).to.equal(800);
    const value = { dtype: 'float32', shape: [100], data: new Float32Array(100) } as const;
    const constant = (g: GraphBuilder) => {
      g.node('Constant', [], { name: 'c', attributes: { value } });
      g.node('Add', ['x', 'c'], { name: 'y' });
    };
    expect(bytesOf(constant)).to.equal(400);
    const mystery = (g: GraphBuilder) => {
      g.node('Mystery', ['x'], { name: 'a', domain: 'com.example' });
      relu(g, 'a', 'y');
    };
    expect(bytesOf(mystery)).to.equal(0);
  });
});
