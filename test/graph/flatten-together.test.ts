import { expect } from 'chai';
import { checkModel } from '../../src/graph/check.ts';
import { flattenTogether } from '../../src/graph/flatten-together.ts';
import { exposeTaps } from '../../src/graph/rewrite.ts';
import { images, runModel, smallNet } from './models.ts';

describe('flattenTogether', () => {
  const widths = new Map([
    ['conv1', 6],
    ['relu1', 6],
    ['features', 4],
    ['flat', 4],
    ['logits', 5],
  ]);
  const operators = ({ graph }: ReturnType<typeof smallNet>) => graph.node.map(({ opType }) => opType);

  it('yields the same values under the same names, by one Flatten beside those that the network needs', async () => {
    const tapped = exposeTaps(smallNet(), [...widths.keys()], 'small.onnx');
    const together = flattenTogether(tapped, widths);
    checkModel(together, 'small.onnx');
    expect(operators(tapped).filter((name) => name === 'Flatten')).to.have.length(4);
    expect(operators(together).filter((name) => name === 'Flatten')).to.have.length(2);
    expect(operators(together).filter((name) => name === 'Split')).to.have.length(1);
    for (const count of [1, 3]) {
      const [apart, joined] = [
        await runModel(tapped, { image: images(count) }),
        await runModel(together, { image: images(count) }),
      ];
      for (const [name, width] of widths) {
        expect(joined[name].dims).to.deep.equal([count, width]);
        expect(joined[name].data, name).to.deep.equal(apart[name].data);
      }
    }
  });

  it('leaves a model alone that has no two of them', () => {
    const tapped = exposeTaps(smallNet(), ['conv1', 'flat'], 'small.onnx');
    expect(flattenTogether(tapped, widths)).to.equal(tapped);
  });
});
