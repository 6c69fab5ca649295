import { expect } from 'chai';
import { CALIBRATION } from '../../src/detectors/decision-model.ts';
import { tensorFromProto } from '../../src/graph/tensor.ts';
import { conformalPValues, readModel, type ScoredImage } from '../../src/index.ts';

/** A row of `la-ood score --output scores.csv`, as the recipes write it. */
export interface Row {
  readonly set: string;
  readonly image: string;
  readonly label: number;
  readonly class: string;
  readonly ood_score: number;
  readonly p_value: number;
  readonly is_ood: boolean;
  readonly content_p_value: number;
  readonly conditions_p_value: number;
  readonly condition: string;
  readonly reason: string;
}

/** Two builds of onnxruntime, and batches of other images. */
const TOLERANCE = 1e-4;

/** A few ranks among some hundred calibration images. */
const RANKS = 0.01;

/** Compares rows, in whatever order, with what `la-ood score` says. */
export async function expectSameRows(
  rows: readonly Row[],
  expected: readonly ScoredImage[],
  model: string,
): Promise<void> {
  const { calibration, threshold } = await calibrationOf(model);
  const sorted = [...rows].sort((a, b) => (a.image < b.image ? -1 : 1));
  const theirs = [...expected].sort((a, b) => (a.image < b.image ? -1 : 1));
  expect(sorted.map(({ image }) => image)).to.deep.equal(theirs.map(({ image }) => image));
  // How far a score may be off, and the p-values that scores so far apart have.
  const near = theirs.map(({ score }) => TOLERANCE * Math.max(1, Math.abs(score)));
  const least = conformalPValues(
    calibration,
    Float64Array.from(theirs, ({ score }, i) => score + near[i]),
  );
  const most = conformalPValues(
    calibration,
    Float64Array.from(theirs, ({ score }, i) => score - near[i]),
  );
  for (const [i, { set, image, label, className, score, isOod, ...explained }] of theirs.entries()) {
    const row = sorted[i];
    expect([row.set, row.label, row.class], image).to.deep.equal([set, label, className ?? '']);
    // Scores that are next to each other may change places, on another build of onnxruntime.
    expect(row.content_p_value, image).to.be.closeTo(explained.contentPValue!, RANKS);
    expect(row.conditions_p_value, image).to.be.closeTo(explained.conditionsPValue!, RANKS);
    expect(row.ood_score, image).to.be.closeTo(score, near[i]);
    expect(row.p_value, image).to.be.within(least[i] * (1 - 1e-6), most[i] * (1 + 1e-6));
    if (Math.abs(score - threshold) <= near[i]) continue;
    expect(row.is_ood, image).to.equal(isOod);
    if (row.condition !== (explained.condition ?? '')) continue;
    expect(row.reason, image).to.equal(explained.reason);
  }
}

async function calibrationOf(path: string): Promise<{ calibration: Float32Array; threshold: number }> {
  const { graph } = await readModel(path);
  const values = (name: string) =>
    tensorFromProto(graph.initializer.find((tensor) => tensor.name === name)!, path).data as Float32Array;
  return { calibration: values(CALIBRATION), threshold: values('threshold')[0] };
}
