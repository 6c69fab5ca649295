import { expect } from 'chai';
import { GraphError } from '../../src/common/errors.ts';
import { checkModel } from '../../src/graph/check.ts';
import { ElementType } from '../../src/graph/onnx.ts';
import { partBehind } from '../../src/graph/part.ts';
import { images, runModel, smallNet } from './models.ts';

const maps = { elemType: ElementType.float, shape: ['batch', 4, 3, 3] };
const row = { elemType: ElementType.float, shape: ['batch', 4] };

describe('partBehind', () => {
  it('computes the same from values within as the whole does from images', async () => {
    const model = smallNet();
    const part = partBehind(model, new Map([['features', maps]]), ['logits'], 'small.onnx');
    checkModel(part, 'part.onnx');
    expect(part.graph.input.map(({ name }) => name)).to.deep.equal(['features']);
    expect(part.graph.node.map(({ name }) => name)).to.deep.equal(['pool', 'flat', 'logits']);
    const output = [...model.graph.output, { name: 'features' }];
    const whole = await runModel({ ...model, graph: { ...model.graph, output } }, { image: images(2) });
    const { dims, data } = whole.features;
    const { logits } = await runModel(part, {
      features: { dims: [...dims], data: data as Float32Array },
    });
    expect(logits.data).to.deep.equal(whole.logits.data);
  });

  it('takes of several values those that it needs, and of the outputs those that are wanted', () => {
    const model = smallNet();
    model.graph.output.push({ name: 'relu1' });
    const values = new Map([
      ['features', maps],
      ['flat', row],
    ]);
    const { graph } = partBehind(model, values, ['logits'], 'small.onnx');
    expect(graph.input.map(({ name }) => name)).to.deep.equal(['flat']);
    expect(graph.output.map(({ name }) => name)).to.deep.equal(['logits']);
    expect(graph.initializer.map(({ name }) => name)).to.deep.equal(['fc.weight', 'fc.bias']);
  });

  it('refuses an output that needs the images themselves', () => {
    const model = smallNet();
    model.graph.output.push({ name: 'relu1' });
    expect(() =>
      partBehind(model, new Map([['features', maps]]), ['logits', 'relu1'], 'small.onnx'),
    ).to.throw(GraphError, 'small.onnx: logits, relu1 needs image, too');
  });
});
