import { expect } from 'chai';
import fc from 'fast-check';
import { GraphError } from '../../src/common/errors.ts';
import { RandomState } from '../../src/common/random.ts';
import { checkModel } from '../../src/graph/check.ts';
import type { FunctionProto, GraphProto, ModelProto, NodeProto } from '../../src/graph/onnx.ts';
import { consumers, producers, sortNodes } from '../../src/graph/topology.ts';
import { branching, smallNet } from './models.ts';

const model = smallNet();

/** The small network with another graph. */
function withGraph(change: Partial<GraphProto>): ModelProto {
  return { ...model, graph: { ...model.graph, ...change } };
}

/** The small network with one node changed. */
function withNode(index: number, change: Partial<NodeProto>): ModelProto {
  return withGraph({
    node: model.graph.node.map((node, i) => (i === index ? { ...node, ...change } : node)),
  });
}

function functionNamed(name: string, change: Partial<FunctionProto> = {}): FunctionProto {
  const [, relu] = model.graph.node;
  return {
    ...{ name, domain: 'mine', input: ['a'], output: ['b'], attribute: [] },
    node: [{ ...relu, input: ['a'], output: ['b'] }],
    opsetImport: [{ domain: '', version: 18 }],
    ...change,
  };
}

describe('checkModel', () => {
  const mine = { opsetImport: [...model.opsetImport, { domain: 'mine', version: 1 }] };
  const custom = { ...withNode(1, { domain: 'mine', opType: 'Swish' }), ...mine };

  const sound: [string, ModelProto][] = [
    ['a network', model],
    ['branches that use values around them', branching()],
    ['nodes out of order', withGraph({ node: [...model.graph.node].reverse() })],
    [
      'initializers that are inputs too',
      withGraph({ input: [...model.graph.input, ...model.graph.initializer] }),
    ],
    ['ONNX by its other name', { ...model, opsetImport: [{ domain: 'ai.onnx', version: 18 }] }],
    ['functions', { ...custom, functions: [functionNamed('Swish')] }],
  ];
  for (const [name, model] of sound)
    it(`takes ${name}`, () => {
      checkModel(model, 'm.onnx');
    });

  const inner = branching();
  inner.graph.node[1].attribute[0].g!.node[0].input = ['nowhere'];
  const broken: [string, ModelProto, string][] = [
    [
      'a value with two origins',
      withNode(1, { output: ['conv1'] }),
      'node "relu1" is a second origin of the value "conv1"',
    ],
    [
      'a node that yields an input',
      withNode(1, { output: ['image'] }),
      'node "relu1" is a second origin of the value "image"',
    ],
    [
      'an initializer that is there twice',
      withGraph({ initializer: [...model.graph.initializer, model.graph.initializer[0]] }),
      'an initializer is a second origin of the value "conv1.weight"',
    ],
    ['two nodes of one name', withNode(1, { name: 'conv1' }), 'two nodes are named conv1'],
    [
      'a missing initializer',
      withGraph({ initializer: model.graph.initializer.slice(1) }),
      'node "conv1" needs "conv1.weight", which is no input, no initializer and no node\'s output',
    ],
    ['a branch that uses what is nowhere', inner, 'node "Relu" needs "nowhere", which is no input'],
    ['a cycle', withNode(0, { input: ['features', 'conv1.weight'] }), 'a cycle'],
    [
      'a node that needs itself',
      withNode(1, { input: ['relu1'] }),
      'node "relu1" needs "relu1", which needs that node: a cycle',
    ],
    ['a missing output', withGraph({ output: [{ name: 'label' }] }), 'nothing yields the output "label"'],
    ['no outputs', withGraph({ output: [] }), 'the graph has no outputs'],
    ['a node without outputs', withNode(1, { output: [''] }), 'node "relu1" yields nothing'],
    [
      'a node without operator',
      withNode(1, { opType: '', name: '' }),
      'the node that yields "relu1" has no operator',
    ],
    [
      'no opset',
      { ...model, opsetImport: [] },
      "names no version of ONNX's operators; export it again, with an opset between 7 and 26",
    ],
    [
      'an opset of the future',
      { ...model, opsetImport: [{ version: 99 }] },
      'its opset 99 is not between 7 and 26; export it again',
    ],
    ['an old opset', { ...model, opsetImport: [{ version: 3 }] }, 'its opset 3 is not between 7 and 26'],
    ['no IR version', { ...model, irVersion: 0 }, 'has no IR version; is it an ONNX model?'],
    ['an IR version of the future', { ...model, irVersion: 99 }, 'its IR version 99 is newer than 13'],
    [
      'operators without a version',
      withNode(1, { domain: 'ai.onnx.ml' }),
      'node "relu1": no version is given for the operators of ai.onnx.ml.Relu',
    ],
    [
      'a custom operator',
      custom,
      'node "relu1": operator mine.Swish is neither built in nor a function of the model; export the model without custom operators',
    ],
    [
      'another overload of a function',
      { ...custom, functions: [functionNamed('Swish', { overload: 'x' })] },
      'operator mine.Swish is neither',
    ],
    [
      'a function that yields nothing',
      { ...custom, functions: [functionNamed('Swish', { output: ['c'] })] },
      'm.onnx: function "Swish": nothing yields the output "c"',
    ],
  ];
  for (const [name, model, message] of broken)
    it(`refuses ${name}`, () => {
      expect(() => checkModel(model, 'm.onnx')).to.throw(GraphError, message);
    });
});

describe('The topology of a graph', () => {
  it('knows who yields a value and who needs it', () => {
    const { graph } = branching();
    expect(producers(graph).get('a')?.opType).to.equal('Abs');
    expect(
      consumers(graph)
        .get('a')
        ?.map(({ opType }) => opType),
    ).to.deep.equal(['If']);
  });

  it('leaves nodes that are in order where they are', () => {
    expect(sortNodes(model.graph, 'm.onnx')).to.deep.equal(model.graph.node);
  });

  it('puts each node of any graph behind those that it needs', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(), (count, seed) => {
        const random = new RandomState(seed);
        const nodes = Array.from({ length: count }, (_, i): NodeProto => {
          const input = i === 0 ? [] : [`v${random.integer(i - 1)}`, `v${random.integer(i - 1)}`];
          return { opType: 'Add', input, output: [`v${i}`], attribute: [], metadataProps: [] };
        });
        const shuffled = Array.from(random.permutation(count), (i) => nodes[i]);
        const known = new Set<string>();
        for (const { input, output } of sortNodes({ node: shuffled }, 'm.onnx')) {
          for (const name of input) expect(known).to.include(name);
          for (const name of output) known.add(name);
        }
        expect(known).to.have.property('size', count);
      }),
    );
  });

  it('takes chains that are deeper than the stack', () => {
    const node = Array.from({ length: 50_000 }, (_, i) => ({
      ...model.graph.node[1],
      input: [`v${i}`],
      output: [`v${i + 1}`],
    })).reverse();
    expect(sortNodes({ node }, 'm.onnx').at(-1)).to.equal(node[0]);
  });
});
