import { expect } from 'chai';
import { RandomState } from '../../src/common/random.ts';
import { fitAggregation, maximum } from '../../src/detectors/layer-aggregation.ts';
import { moments } from '../../src/detectors/moments.ts';
import { fitLimits, stageScores } from '../../src/detectors/stage-scales.ts';

describe('The scales of stages', () => {
  const [images, detectors] = [400, 3];
  const random = new RandomState(1);
  const scores = Float32Array.from(
    { length: images * detectors },
    (_, at) => (at % detectors === 0 ? 5 : 1) * random.normal(),
  );
  const counts = [1, 2, 3];

  it('let no stage call more images OOD than its part: a quarter for all early ones, the rest for the last', () => {
    for (const kind of ['max', 'mean'] as const) {
      const aggregation = fitAggregation(kind, scores, detectors);
      const limits = fitLimits(scores, aggregation, counts, 0.2);
      const found = stageScores(scores, aggregation, counts, limits);
      expect(found).to.have.length(images * 3);
      const exceeding = counts.map(
        (_, stage) => found.filter((score, at) => at % 3 === stage && score > 0).length,
      );
      expect(exceeding, kind).to.deep.equal([10, 10, 60]);
    }
    const alone = fitLimits(scores, maximum, [detectors], 0.2);
    expect(stageScores(scores, maximum, [detectors], alone).filter((score) => score > 0)).to.have.length(80);
  });

  it('are how far a stage’s score is above its limit, in its deviations', () => {
    const limits = fitLimits(scores, maximum, counts, 0.2);
    const found = stageScores(scores, maximum, counts, limits);
    for (const [stage, count] of counts.entries()) {
      const own = Array.from({ length: images }, (_, i) =>
        Math.max(...scores.subarray(i * detectors, i * detectors + count)),
      );
      const { deviation } = moments(own);
      expect(limits[stage].spread).to.equal(deviation);
      for (const [i, score] of own.entries())
        expect(found[3 * i + stage]).to.be.closeTo((score - limits[stage].limit) / deviation, 1e-12);
    }
  });
});
