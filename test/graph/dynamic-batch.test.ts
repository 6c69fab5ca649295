import { expect } from 'chai';
import { GraphError } from '../../src/common/errors.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { dynamicBatch } from '../../src/graph/dynamic-batch.ts';
import { ElementType, type ModelProto } from '../../src/graph/onnx.ts';
import { images, runModel, smallNet } from './models.ts';

describe('dynamicBatch', () => {
  it('lets a model of one batch size take another', async () => {
    const model = dynamicBatch(smallNet({ batch: 2 }));
    const free = smallNet();
    expect(model.graph.input).to.deep.equal(free.graph.input);
    const { logits } = await runModel(model, { image: images(5) });
    expect(logits.data).to.deep.equal((await runModel(free, { image: images(5) })).logits.data);
  });

  it('gives back a model whose batch size is free', () => {
    const model = smallNet();
    expect(dynamicBatch(model)).to.equal(model);
  });

  for (const [shape, allowzero] of [
    [[2, 192], 0],
    [[2, -1], 0],
    [[2, 192], 1],
  ] as const)
    it(`frees a Reshape to [${shape}]${allowzero ? ' that takes 0 for 0' : ''}`, async () => {
      const model = dynamicBatch(reshaping([...shape], allowzero));
      const { y } = await runModel(model, { x: images(3) });
      expect(y.dims).to.deep.equal([3, 192]);
    });

  it('refuses a batch size that is built in in another way', () => {
    const graph = new GraphBuilder('stuck');
    graph.input('x', ElementType.float, [2, 3]);
    graph.int64s('shape', [2, 3]);
    graph.node('Relu', ['x'], { name: 'relu' });
    graph.node('Transpose', ['relu'], { name: 'swapped' });
    graph.node('Reshape', ['swapped', 'shape'], { name: 'y' });
    graph.output('y', ElementType.float, [2, 3]);
    expect(() => dynamicBatch(graph.build())).to.throw(
      GraphError,
      'graph stuck: the batch size 2 is built into what leads to its output y',
    );
  });
});

function reshaping(shape: number[], allowzero: number): ModelProto {
  const graph = new GraphBuilder('reshaping');
  graph.input('x', ElementType.float, [2, 3, 8, 8]);
  graph.int64s('shape', shape);
  graph.node('Reshape', ['x', 'shape'], { name: 'y', attributes: { allowzero } });
  graph.output('y', ElementType.float, [2, 192]);
  return graph.build();
}
