import { expect } from 'chai';
import { elementCount } from '../../../src/common/tensor.ts';
import { GraphBuilder } from '../../../src/graph/builder.ts';
import { imageFlow } from '../../../src/graph/classifier/image-flow.ts';
import { ElementType } from '../../../src/graph/onnx.ts';
import { inferShapes } from '../../../src/graph/shapes.ts';

/** Writes a graph from `image`, N×4×8×8, to `y`. */
class Network {
  readonly graph = new GraphBuilder('network');

  constructor() {
    this.graph.input('image', ElementType.float, ['n', 4, 8, 8]);
    const shape = [4, 4, 1, 1];
    this.graph.initializer('w', { dtype: 'float32', shape, data: new Float32Array(elementCount(shape)) });
  }

  /** A 1×1 convolution, which keeps the shape. */
  conv(x: string, name: string): string {
    return this.graph.node('Conv', [x, 'w'], { name });
  }

  node(opType: string, inputs: string[], name: string, domain = ''): string {
    return this.graph.node(opType, inputs, { name, domain });
  }

  flow() {
    const model = this.graph.build({ domains: { 'com.example': 1 } });
    return imageFlow(model, 'image', 'y', inferShapes(model));
  }

  /** The names of the nodes that are residual sums. */
  sums(): (string | undefined)[] {
    const { nodes, isResidualSum } = this.flow();
    return nodes.filter(isResidualSum).map(({ name }) => name);
  }

  cuts(): string[] {
    const { nodes, isCut } = this.flow();
    return nodes.flatMap(({ output }) => output).filter(isCut);
  }
}

describe('imageFlow', () => {
  it('has what the image runs through on its way to the logits, and nothing else', () => {
    const net = new Network();
    net.graph.node('Identity', ['w'], { name: 'constant' });
    net.graph.node('Conv', ['image', 'constant'], { name: 'a' });
    net.node('Relu', ['a'], 'unused');
    net.node('Shape', ['a'], 'sizes');
    net.graph.node('Expand', ['w', 'sizes'], { name: 'by_sizes' });
    net.node('Mul', ['a', 'by_sizes'], 'b');
    net.conv('b', 'y');
    const flow = net.flow();
    expect(flow.nodes.map(({ name }) => name)).to.deep.equal(['a', 'b', 'y']);
    expect(['image', 'a', 'b', 'y'].every(flow.carries)).to.equal(true);
    expect(['w', 'constant', 'sizes', 'by_sizes', 'unused'].some(flow.carries)).to.equal(false);
    expect(flow.users('a').map(({ name }) => name)).to.deep.equal(['b']);
    expect(flow.users('y')).to.deep.equal([]);
  });

  it('has no value without a name, be an output left out or an input', () => {
    const net = new Network();
    const halves = { outputs: ['left', ''], attributes: { axis: 2 } };
    net.graph.node('Split', ['image'], { name: 'halves', ...halves });
    net.graph.node('Conv', ['left', 'w', ''], { name: 'y' });
    const { nodes, carries } = net.flow();
    expect(nodes.map(({ input }) => input.filter(carries))).to.deep.equal([['image'], ['left']]);
  });

  describe('cuts', () => {
    it('are where nothing that was computed before is needed after', () => {
      const net = new Network();
      net.conv('image', 'a');
      net.conv('a', 'b');
      net.conv('b', 'c');
      net.node('Add', ['a', 'c'], 'd');
      net.conv('d', 'y');
      expect(net.cuts()).to.deep.equal(['a', 'd']);
    });

    it('are not before the last use of the image', () => {
      const net = new Network();
      net.conv('image', 'a');
      net.conv('a', 'b');
      net.node('Add', ['image', 'b'], 'c');
      net.conv('c', 'y');
      expect(net.cuts()).to.deep.equal(['c']);
    });

    it('are not where a node yields two values that go on', () => {
      const net = new Network();
      net.graph.node('Split', ['image'], {
        name: 'parts',
        outputs: ['left', 'right'],
        attributes: { axis: 2 },
      });
      net.graph.node('Concat', ['left', 'right'], { name: 'whole', attributes: { axis: 2 } });
      net.conv('whole', 'y');
      expect(net.cuts()).to.deep.equal(['whole']);
    });
  });

  describe('residual sums', () => {
    it('add different features, be one of them a shortcut', () => {
      const net = new Network();
      net.conv('image', 'a');
      net.node('Relu', ['a'], 'shortcut');
      net.conv('shortcut', 'b');
      net.node('Add', ['shortcut', 'b'], 'two');
      net.conv('two', 'c');
      net.conv('two', 'd');
      net.node('Sum', ['c', 'd', 'two'], 'y');
      expect(net.sums()).to.deep.equal(['two', 'y']);
    });

    it('are new features themselves', () => {
      const net = new Network();
      net.conv('image', 'a');
      net.node('Add', ['image', 'a'], 'b');
      net.node('Add', ['b', 'a'], 'y');
      expect(net.sums()).to.deep.equal(['b', 'y']);
    });

    it('may have a gate of both features in one branch', () => {
      const net = new Network();
      net.conv('image', 'a');
      net.node('Mul', ['image', 'a'], 'gated');
      net.node('Add', ['image', 'gated'], 'y');
      expect(net.sums()).to.deep.equal(['y']);
    });

    it('are not parts of an activation or a normalisation, whose terms are of one feature', () => {
      const net = new Network();
      net.conv('image', 'a');
      net.node('Mul', ['a', 'a'], 'square');
      net.node('Add', ['a', 'square'], 'b');
      net.node('Add', ['b', 'b'], 'doubled');
      net.node('Add', ['doubled', 'w'], 'y');
      expect(net.sums()).to.deep.equal([]);
    });

    it('are not products, nor operators of others that are called so', () => {
      const net = new Network();
      net.conv('image', 'a');
      net.node('Mul', ['image', 'a'], 'b');
      net.node('Add', ['b', 'a'], 'other', 'com.example');
      net.conv('other', 'y');
      expect(net.sums()).to.deep.equal([]);
    });

    it('are not of a value for the whole image, nor of one whose shape nobody knows', () => {
      const net = new Network();
      net.conv('image', 'a');
      net.node('GlobalAveragePool', ['image'], 'mean');
      net.conv('mean', 'gate');
      net.node('Add', ['a', 'gate'], 'b');
      net.node('Mystery', ['b'], 'unknown', 'com.example');
      net.conv('unknown', 'c');
      net.node('Add', ['b', 'c'], 'y');
      expect(net.sums()).to.deep.equal([]);
    });
  });
});
