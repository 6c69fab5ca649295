import { expect } from 'chai';
import { GraphError } from '../../src/common/errors.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { checkModel } from '../../src/graph/check.ts';
import { joinModels } from '../../src/graph/join.ts';
import { ElementType } from '../../src/graph/onnx.ts';
import { images, runModel, smallNet } from './models.ts';

/** Takes `logits` and `shift`, and yields `shifted`; `inner` is a value within. */
function second(inner = 'flat', names = { shift: 'shift', shifted: 'shifted' }) {
  const graph = new GraphBuilder('second');
  graph.input('logits', ElementType.float, ['batch', 5]);
  graph.input(names.shift, ElementType.float, [1, 5]);
  const ones = { dtype: 'float32', shape: [5], data: new Float32Array(5).fill(1) } as const;
  graph.node('Add', ['logits', graph.initializer('fc.bias', ones)], { name: inner });
  graph.node('Add', [inner, names.shift], { name: names.shifted });
  graph.output(names.shifted, ElementType.float, ['batch', 5]);
  const model = graph.build({ metadata: { second: 'yes' } });
  model.graph.valueInfo = [{ name: inner }];
  return model;
}

describe('joinModels', () => {
  it('connects what the first yields, and gives what is called alike other names', async () => {
    const first = smallNet();
    first.metadataProps.push({ key: 'first', value: 'yes' });
    first.graph.valueInfo = [{ name: 'conv1' }];
    const joined = joinModels(first, second(), 'small.onnx');
    checkModel(joined, 'joined.onnx');
    const { graph, metadataProps } = joined;
    expect(graph.input.map(({ name }) => name)).to.deep.equal(['image', 'shift']);
    expect(graph.output.map(({ name }) => name)).to.deep.equal(['logits', 'shifted']);
    expect(graph.node.slice(-2).map(({ name }) => name)).to.deep.equal([undefined, 'shifted']);
    expect(graph.valueInfo.map(({ name }) => name)).to.deep.equal(['conv1', 'flat_1']);
    const constants = first.graph.initializer.map(({ name }) => name);
    expect(graph.initializer.map(({ name }) => name)).to.deep.equal([...constants, 'fc.bias_1']);
    expect(metadataProps.map(({ key }) => key)).to.deep.equal(['first', 'second']);

    const shift = { data: Float32Array.of(1, 2, 3, 4, 5), dims: [1, 5] };
    const { logits, shifted } = await runModel(joined, { image: images(2), shift });
    const expected = (logits.data as Float32Array).map((z, i) => Math.fround(z + 1) + shift.data[i % 5]);
    expect([...(shifted.data as Float32Array)]).to.deep.equal([...expected]);
  });

  it('leaves names that are free, and both models, as they are', () => {
    const [first, last] = [smallNet(), second('inner')];
    const before = structuredClone([first, last]);
    const { graph } = joinModels(first, last, 'small.onnx');
    expect(graph.node.at(-2)!.output).to.deep.equal(['inner']);
    expect([first, last]).to.deep.equal(before);
  });

  it('refuses inputs and outputs that the first uses for something else', () => {
    for (const names of [
      { shift: 'image', shifted: 'shifted' },
      { shift: 'conv1.weight', shifted: 'shifted' },
      { shift: 'shift', shifted: 'conv1' },
    ]) {
      const clash = names.shifted === 'conv1' ? 'conv1' : names.shift;
      expect(() => joinModels(smallNet(), second('inner', names), 'small.onnx')).to.throw(
        GraphError,
        `small.onnx: has a value named ${clash} already; la-ood import gives it another name`,
      );
    }
  });
});
