import { expect } from 'chai';
import { RandomState } from '../../../src/common/random.ts';
import { readModel } from '../../../src/graph/read.ts';
import { featureGraph } from '../../../src/pipeline/features/feature-graph.ts';
import { runOnPixels } from '../../../src/pipeline/run-graph.ts';

describe('the feature graph', () => {
  it('pools standard deviations over positions beside means where they are wanted, and gives them no detector', async () => {
    const path = 'data/demo/backbone.onnx';
    const backbone = await readModel(path);
    const plain = featureGraph(backbone, path);
    const graph = featureGraph(backbone, path, 'all');
    // Those of early values tell of conditions, and are always there.
    const deviations = graph.taps.filter(
      (tap) => tap.endsWith('[deviation]') && !plain.conditionTaps.includes(tap),
    );
    // All taps but the logits are maps.
    expect(deviations).to.deep.equal(
      plain.detectorTaps.filter((tap) => tap !== 'logits').map((tap) => `${tap}[deviation]`),
    );
    expect(graph.detectorTaps).to.deep.equal(plain.detectorTaps);
    expect(graph.taps.filter((tap) => !deviations.includes(tap))).to.deep.equal(plain.taps);
    expect(featureGraph(backbone, path, [plain.taps[0]]).taps).to.include(`${plain.taps[0]}[deviation]`);

    const random = new RandomState(1);
    const { height, width } = graph.size;
    const pixels = Uint8Array.from({ length: 2 * height * width * 3 }, () => random.integer(255));
    const [run] = await runOnPixels(graph.model, path, graph.size, [pixels]);
    const [wanted] = await runOnPixels(plain.model, path, graph.size, [pixels]);
    for (const tap of plain.taps) expect(run[tap].shape, tap).to.deep.equal(wanted[tap].shape);
    for (const tap of deviations) {
      expect(run[tap].shape, tap).to.deep.equal(wanted[tap.replace('[deviation]', '')].shape);
      expect((run[tap].data as Float32Array).every((value) => value >= 0 && Number.isFinite(value))).to.equal(
        true,
      );
    }
  });
});
