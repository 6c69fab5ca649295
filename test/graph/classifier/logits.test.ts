import { expect } from 'chai';
import { GraphError } from '../../../src/common/errors.ts';
import { GraphBuilder } from '../../../src/graph/builder.ts';
import { findLogits } from '../../../src/graph/classifier/logits.ts';
import { ElementType } from '../../../src/graph/onnx.ts';

type Dims = readonly (number | string)[];

/** A graph that gives its input `scores` as it is, and what `add` makes of it; `add` names the outputs. */
function scores(
  dims: Dims,
  add: (graph: GraphBuilder) => readonly string[],
  elemType: number = ElementType.float,
) {
  const graph = new GraphBuilder('network');
  graph.input('scores', elemType, dims);
  for (const name of add(graph)) graph.output(name, ElementType.float, dims);
  return graph.build({ domains: { 'ai.onnx.ml': 3, 'com.example': 1 } });
}

describe('findLogits', () => {
  const softmax = (graph: GraphBuilder) => [graph.node('Softmax', ['scores'], { name: 'p' })];
  const sigmoid = (graph: GraphBuilder) => [graph.node('Sigmoid', ['scores'], { name: 'p' })];

  it('takes N×classes and N×classes×1×1, of two classes and more', () => {
    for (const [dims, rank] of [
      [['n', 2], 2],
      [['n', 5], 2],
      [['n', 5, 1, 1], 4],
    ] as const)
      expect(findLogits(scores(dims, softmax), 'net.onnx')).to.deep.equal({
        ...{ value: 'scores', rank, classes: dims[1] },
        ...{ isBinary: false, isMultiLabel: false },
      });
  });

  it('takes one number of which a sigmoid is made for two classes, and several for labels of their own', () => {
    expect(findLogits(scores(['n', 1], sigmoid), 'net.onnx')).to.deep.equal({
      ...{ value: 'scores', rank: 2, classes: 2 },
      ...{ isBinary: true, isMultiLabel: false },
    });
    expect(findLogits(scores(['n', 2], sigmoid), 'net.onnx')).to.deep.equal({
      ...{ value: 'scores', rank: 2, classes: 2 },
      ...{ isBinary: false, isMultiLabel: true },
    });
  });

  it('refuses what is no list of scores', () => {
    for (const dims of [['n', 1], ['n', 'classes'], ['n'], ['n', 5, 1], ['n', 5, 1, 2], ['n', 5, 2, 2]])
      expect(() => findLogits(scores(dims, softmax), 'net.onnx'), String(dims)).to.throw(
        GraphError,
        'net.onnx: none of its outputs is scores of classes, N×classes: p',
      );
    expect(() =>
      findLogits(
        scores(['n', 5], () => ['scores'], ElementType.int64),
        'net.onnx',
      ),
    ).to.throw(GraphError, 'none of its outputs');
  });

  it('looks behind a dictionary of probabilities, and behind no operator that it does not know', () => {
    const dictionary = (graph: GraphBuilder) => {
      graph.node('Softmax', ['scores'], { name: 'p' });
      return [graph.node('ZipMap', ['p'], { name: 'words', domain: 'ai.onnx.ml' })];
    };
    expect(findLogits(scores(['n', 5], dictionary), 'net.onnx').value).to.equal('scores');
    const alone = (graph: GraphBuilder) => [
      graph.node('ZipMap', ['scores'], { name: 'words', domain: 'ai.onnx.ml' }),
    ];
    expect(findLogits(scores(['n', 5], alone), 'net.onnx').value).to.equal('scores');
    const other = (graph: GraphBuilder) => [
      graph.node('Softmax', ['scores'], { name: 'p', domain: 'com.example' }),
    ];
    expect(findLogits(scores(['n', 5], other), 'net.onnx').value).to.equal('p');
  });

  it('takes two names of the same logits for one', () => {
    const both = (graph: GraphBuilder) => [...softmax(graph), 'scores'];
    expect(findLogits(scores(['n', 5], both), 'net.onnx').value).to.equal('scores');
  });

  it('refuses an output that is not there, or is no scores, and says which there are', () => {
    const model = scores(['n', 5, 2, 2], softmax);
    expect(() => findLogits(model, 'net.onnx', 'p')).to.throw(
      GraphError,
      'net.onnx: output p is no scores of classes, N×classes; its outputs are p (n×5×2×2)',
    );
    expect(() => findLogits(model, 'net.onnx', 'unlike')).to.throw(
      GraphError,
      'net.onnx: has no output unlike; there are p',
    );
  });

  it('lists an output whose shape nobody knows by its name alone', () => {
    const model = scores(['n', 5, 'h', 'w'], softmax);
    const [value] = model.graph.input;
    value.type!.tensorType!.shape = undefined;
    model.graph.output = [{ name: 'p' }];
    expect(() => findLogits(model, 'net.onnx')).to.throw(GraphError, 'N×classes: p; export');
  });
});
