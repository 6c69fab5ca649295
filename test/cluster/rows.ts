import { expect } from 'chai';
import { CALIBRATION } from '../../src/detectors/calibration-name.ts';
import { tensorFromProto } from '../../src/graph/tensor-proto.ts';
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

/** How far a p-value may be off on another build of onnxruntime, if that is more than a rank. */
const P_VALUE = 0.005;

/** Compares rows, in whatever order, with what `la-ood score` says. */
export async function expectSameRows(
  rows: readonly Row[],
  expected: readonly ScoredImage[],
  model: string,
): Promise<void> {
  const { calibration, threshold } = await calibrationOf(model);
  const near = Math.max(P_VALUE, 1 / (calibration.length + 1)) * (1 + 1e-6);
  const [boundary] = conformalPValues(calibration, Float64Array.of(threshold));
  const sorted = [...rows].sort((a, b) => (a.image < b.image ? -1 : 1));
  const theirs = [...expected].sort((a, b) => (a.image < b.image ? -1 : 1));
  expect(sorted.map(({ image }) => image)).to.deep.equal(theirs.map(({ image }) => image));
  const own = conformalPValues(
    calibration,
    Float64Array.from(sorted, ({ ood_score }) => ood_score),
  );
  for (const [i, { set, image, label, className, pValue, isOod, ...explained }] of theirs.entries()) {
    const row = sorted[i];
    expect([row.set, row.label, row.class], image).to.deep.equal([set, label, className ?? '']);
    expect(row.content_p_value, image).to.be.closeTo(explained.contentPValue!, near);
    expect(row.conditions_p_value, image).to.be.closeTo(explained.conditionsPValue!, near);
    expect(row.p_value, image).to.be.closeTo(pValue, near);
    // Content is made of ranks, so that a score may move by one; its p-value is its own all the same.
    expect(row.p_value, image).to.be.closeTo(own[i], 1e-6);
    if (Math.abs(pValue - boundary) <= near) continue;
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
