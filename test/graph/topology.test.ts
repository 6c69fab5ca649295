import { expect } from 'chai';
import { GraphError } from '../../src/common/errors.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { makeNode } from '../../src/graph/make.ts';
import { ElementType, type GraphProto, type NodeProto } from '../../src/graph/onnx.ts';
import {
  consumers,
  initializerNames,
  neededValues,
  producers,
  requiredInputs,
  sortNodes,
} from '../../src/graph/topology.ts';

const node = (name: string, inputs: string[]) => makeNode('Sum', inputs, name);
const yielded = (nodes: readonly NodeProto[] | undefined) => nodes?.map(({ output }) => output[0]);

/** A graph with an input, a constant and a node, as an attribute of If has it; `kept` and `outer` come from around it. */
function branch(): GraphProto {
  const g = new GraphBuilder('branch');
  for (const name of ['own', 'kept', 'outer']) g.input(name, ElementType.float, [1]);
  g.initializer('constant', { dtype: 'float32', shape: [1], data: Float32Array.of(1) });
  g.node('Sum', ['own', 'constant', 'outer'], { name: 'inner' });
  g.node('Relu', ['inner'], { name: 'result' });
  for (const name of ['result', 'kept']) g.output(name, ElementType.float, [1]);
  const { graph } = g.build();
  return { ...graph, input: graph.input.slice(0, 1) };
}

const choice = makeNode('If', ['condition'], 'choice', { then_branch: branch() });

describe('topology', () => {
  it('says which inputs are to be fed: not constants, dense or sparse, that are listed among them', () => {
    const g = new GraphBuilder('old');
    g.input('x', ElementType.float, [1]);
    g.optionalInput('dense', { dtype: 'float32', shape: [1], data: Float32Array.of(1) });
    g.input('sparse', ElementType.float, [1]);
    const { graph } = g.build();
    const values = { ...graph.initializer[0], name: 'sparse' };
    const withSparse = { ...graph, sparseInitializer: [{ values, dims: [1] }] } as GraphProto;
    expect(initializerNames(withSparse)).to.deep.equal(['dense', 'sparse']);
    expect(requiredInputs(withSparse).map(({ name }) => name)).to.deep.equal(['x']);
    expect(initializerNames(graph)).to.deep.equal(['dense']);
  });

  it('counts as needed what a graph in an attribute takes from around it, and no input that is left out', () => {
    expect(neededValues(node('n', ['a', '', 'b']))).to.deep.equal(['a', 'b']);
    expect(neededValues(choice)).to.deep.equal(['condition', 'outer', 'kept']);
  });

  it('finds the one node that yields a value, and all that need it, once each', () => {
    const [a, b, c] = [node('a', ['x']), node('b', ['a', 'a']), node('c', ['a'])];
    const body = { node: [a, b, c, choice] };
    expect(producers(body).get('b')).to.equal(b);
    expect(yielded(consumers(body).get('a'))).to.deep.equal(['b', 'c']);
    expect(yielded(consumers(body).get('outer'))).to.deep.equal(['choice']);
    expect(consumers(body).has('c')).to.equal(false);
  });

  it('sorts nodes behind those that they need, in the order of their inputs, and leaves what is in order', () => {
    const nodes = [node('d', ['b', 'c']), node('c', ['x']), node('b', ['a']), node('a', ['x'])];
    expect(yielded(sortNodes({ node: nodes }, 'g'))).to.deep.equal(['a', 'b', 'c', 'd']);
    const ordered = [node('c', ['x']), node('a', ['x']), node('b', ['a']), node('d', ['b', 'c'])];
    expect(sortNodes({ node: ordered }, 'g')).to.deep.equal(ordered);
  });

  it('refuses nodes that need each other', () => {
    const nodes = [node('a', ['x', 'c']), node('b', ['a']), node('c', ['b'])];
    expect(() => sortNodes({ node: nodes }, 'graph g')).to.throw(
      GraphError,
      /^graph g: the Sum node that yields "." needs ".", which needs that node: a cycle/,
    );
  });
});
