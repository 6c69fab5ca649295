import { expect } from 'chai';
import { GraphBuilder } from '../../../src/graph/builder.ts';
import { constantsOf } from '../../../src/graph/gradient/constants.ts';
import { ElementType } from '../../../src/graph/onnx.ts';

describe('constantsOf', () => {
  it('reads initializers and Constant nodes, under other names and cast to floats', () => {
    const graph = new GraphBuilder('constants');
    graph.input('x', ElementType.float, ['n']);
    const data = BigInt64Array.of(3n, 4n);
    graph.initializer('list', { dtype: 'int64', shape: [2], data });
    const value = { dtype: 'int64', shape: [2], data } as const;
    graph.node('Constant', [], { name: 'node', attributes: { value } });
    graph.node('Constant', [], { name: 'word', attributes: { value_string: 'three' } });
    graph.node('Identity', ['node'], { name: 'again' });
    graph.node('Cast', ['again'], { name: 'floats', attributes: { to: ElementType.float } });
    graph.node('Cast', ['again'], { name: 'doubles', attributes: { to: ElementType.double } });
    graph.node('Cast', ['x'], { name: 'cast', attributes: { to: ElementType.float } });
    graph.node('Neg', ['list'], { name: 'negative' });
    const constant = constantsOf(graph.build().graph, 'm.onnx');
    for (const name of ['list', 'node', 'again'])
      expect(constant(name), name).to.deep.equal({ dtype: 'int64', shape: [2], data });
    expect(constant('floats')).to.deep.equal({ dtype: 'float32', shape: [2], data: Float32Array.of(3, 4) });
    for (const name of ['x', 'word', 'doubles', 'cast', 'negative', 'missing'])
      expect(constant(name), name).to.equal(undefined);
  });
});
