import { expect } from 'chai';
import { checkModel } from '../../src/graph/check.ts';
import type { ModelProto } from '../../src/graph/onnx.ts';
import { poolTogether } from '../../src/graph/pool-together.ts';
import { exposeTaps } from '../../src/graph/rewrite.ts';
import { images, runModel, smallNet } from './models.ts';

describe('poolTogether', () => {
  const widths = new Map([
    ['conv1', 6],
    ['relu1', 6],
    ['features', 4],
    ['flat', 4],
    ['logits', 5],
    ['conv1[deviation]', 6],
    ['relu1[deviation]', 6],
    ['features[deviation]', 4],
  ]);

  it('yields the same values under the same names, by one Flatten beside those that the network needs', async () => {
    const taps = [...widths.keys()].filter((tap) => !tap.endsWith('[deviation]'));
    const tapped = exposeTaps(smallNet(), taps, 'small.onnx');
    const together = poolTogether(tapped, widths);
    expect(count(tapped, 'Flatten')).to.equal(4);
    expect(count(together, 'Flatten')).to.equal(2);
    expect(count(together, 'Split')).to.equal(1);
    await expectSame(tapped, together, taps);
  });

  it('takes deviations over maps of one size at once', async () => {
    const taps = [...widths.keys()];
    const tapped = exposeTaps(smallNet(), taps, 'small.onnx');
    const together = poolTogether(tapped, widths);
    expect(count(tapped, 'Sqrt')).to.equal(3);
    expect(count(together, 'Sqrt')).to.equal(2);
    expect(count(together, 'Split')).to.equal(2);
    await expectSame(tapped, together, taps);
  });

  it('leaves a model alone that has no two of them', () => {
    const tapped = exposeTaps(smallNet(), ['conv1', 'conv1[deviation]', 'flat'], 'small.onnx');
    expect(poolTogether(tapped, widths)).to.equal(tapped);
  });

  const count = ({ graph }: ModelProto, opType: string) =>
    graph.node.filter((node) => node.opType === opType).length;

  async function expectSame(
    tapped: ModelProto,
    together: ModelProto,
    taps: readonly string[],
  ): Promise<void> {
    checkModel(together, 'small.onnx');
    for (const number of [1, 3]) {
      const [apart, joined] = [
        await runModel(tapped, { image: images(number) }),
        await runModel(together, { image: images(number) }),
      ];
      for (const name of taps) {
        expect(joined[name].dims).to.deep.equal([number, widths.get(name)]);
        expect(joined[name].data, name).to.deep.equal(apart[name].data);
      }
    }
  }
});
