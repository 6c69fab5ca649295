import { expect } from 'chai';
import { packageRoot } from '../../../src/common/package-root.ts';
import { GraphBuilder } from '../../../src/graph/builder.ts';
import { ElementType } from '../../../src/graph/onnx.ts';
import { readModel } from '../../../src/graph/read.ts';
import { conditionTaps } from '../../../src/pipeline/features/condition-taps.ts';
import { featureGraph } from '../../../src/pipeline/features/feature-graph.ts';

describe('The taps that tell of conditions', () => {
  it('are early, small maps, behind what is computed with a convolution', async () => {
    const path = new URL('data/demo/backbone.onnx', packageRoot).pathname;
    const backbone = await readModel(path);
    // 40.6 million multiplications pay for 101,377 numbers: six maps of 16 × 32 × 32.
    const expected = [
      ...['bn1.relu', 'layer1.0.bn1.relu', 'layer1.0', 'layer1.1.bn1.relu', 'layer1.1', 'layer1.2.bn1.relu'],
    ];
    expect(conditionTaps(backbone)).to.deep.equal(expected);
    const { conditionTaps: taps, widths, taps: all } = featureGraph(backbone, path);
    expect(taps).to.deep.equal(expected.flatMap((value) => [value, `${value}[deviation]`]));
    expect(taps.map((tap) => widths[all.indexOf(tap)])).to.deep.equal(Array(12).fill(16));
  });

  it('are the smallest map where the network is too small for one, behind what is computed with it, and none where it has none', () => {
    const network = (side: number, activation?: string) => {
      const graph = new GraphBuilder('small');
      graph.input('x', ElementType.float, ['batch', 3, side, side]);
      const weights = graph.initializer('w', {
        dtype: 'float32',
        shape: [4, 3, 1, 1],
        data: new Float32Array(12),
      });
      graph.node('Conv', ['x', weights], { name: 'conv' });
      const output = activation ? graph.node(activation, ['conv'], { name: 'activated' }) : 'conv';
      graph.output(output, ElementType.float, ['batch', 4, side, side]);
      return graph.build();
    };
    expect(conditionTaps(network(8))).to.deep.equal(['conv']);
    expect(conditionTaps(network(8, 'HardSwish'))).to.deep.equal(['activated']);
    expect(conditionTaps(network(8, 'Elu'))).to.deep.equal(['conv']);
    expect(conditionTaps(network(1))).to.deep.equal([]);
  });
});
