import { expect } from 'chai';
import {
  methodsCsv,
  misclassifiedPanels,
  panelsMarkdown,
  panelsText,
  setPanels,
} from '../../src/evaluation/method-panels.ts';
import { type MeasuredSet, type MethodScores, measureMethods } from '../../src/evaluation/method-table.ts';
import { computeMetrics } from '../../src/evaluation/metrics.ts';

const ind = Float64Array.of(0, 1, 2, 3);
const sets: readonly MeasuredSet[] = [
  { name: 'cifar100', kind: 'near', images: 2 },
  { name: 'svhn', kind: 'far', images: 3 },
  { name: 'mnist', kind: 'far', images: 1 },
  { name: 'web', images: 2 },
];
const scores = [
  Float64Array.of(1.5, 9),
  Float64Array.of(9, 8, 7),
  Float64Array.of(2.5),
  Float64Array.of(-1, -2),
];
const isWrong = Uint8Array.of(0, 1, 0, 1);
const methods: readonly MethodScores[] = [
  { name: 'MSP', ind, sets: scores, isWrong },
  { name: 'KNN', ind, sets: [scores[0], scores[2], scores[2], scores[1]], isWrong },
];
const table = measureMethods('cifar10', sets, methods);

describe('a table of methods', () => {
  it('has every metric on all images of every set, and the means of each kind, a set counting as much as another', () => {
    const [msp, knn] = table.methods;
    expect(msp.sets).to.deep.equal(scores.map((ood) => computeMetrics(ind, ood)));
    expect(msp.sets.map(({ auroc }) => auroc)).to.deep.equal([0.75, 1, 0.75, 0]);
    expect(msp.means.far!.auroc).to.equal((1 + 0.75) / 2);
    expect(msp.means.far!.fprAt95Tpr).to.equal((0 + 0.25) / 2);
    expect(Object.keys(msp.means)).to.deep.equal(['near', 'far']);
    expect(knn.means.far!.auroc).to.equal(0.75);
    expect(msp.indImages).to.equal(4);
  });

  it('takes wrongly classified InD images for a set of their own', () => {
    // Scores 1 and 3 are of wrong images, 0 and 2 of right ones.
    expect(table.methods[0].misclassified!.auroc).to.equal(3 / 4);
    const unknown = measureMethods('cifar10', sets, [{ ...methods[0], isWrong: undefined }]);
    expect(unknown.methods[0].misclassified).to.equal(undefined);
    const allRight = measureMethods('cifar10', sets, [{ ...methods[0], isWrong: new Uint8Array(4) }]);
    expect(allRight.methods[0].misclassified).to.equal(undefined);
    expect(misclassifiedPanels(allRight)).to.deep.equal([]);
  });

  it('is shown with near, far and other sets apart, and the best of each column marked', () => {
    const panels = setPanels(table);
    expect(panels.map(({ title, columns }) => [title, ...columns])).to.deep.equal([
      ['Near-OOD sets', 'cifar100'],
      ['Far-OOD sets', 'svhn', 'mnist', 'mean'],
      ['OOD sets', 'web'],
    ]);
    const markdown = panelsMarkdown(panels);
    expect(markdown).to.include('| MSP | **100.0 / 100** | **75.0 / 0** | **87.5 / 50** |');
    expect(markdown).to.include('| KNN | 75.0 / 0 | **75.0 / 0** | 75.0 / 0 |');
    const text = panelsText(panels, (cell) => `<${cell}>`);
    expect(text).to.match(/Far-OOD sets\n[\s\S]*MSP +│ +<\* 100\.0 \/ 100>/);
    expect(text).to.match(/KNN +│ +75\.0 \/ 0 /);
    const [panel] = misclassifiedPanels(table);
    // Risks 0, 1/2, 1/3, 2/4; lower is better, and both methods have the same.
    expect(panel.rows[0].cells).to.deep.equal([
      { text: '75.0', isBest: true },
      { text: '33.33', isBest: true },
    ]);
  });

  it('marks nothing where there is one method', () => {
    const alone = measureMethods('cifar10', sets, methods.slice(0, 1));
    expect(panelsMarkdown(setPanels(alone))).to.not.include('**');
  });

  it('is written as CSV with a row for each set, each mean, and right against wrong', () => {
    const lines = methodsCsv(table).trim().split('\n');
    expect(lines[0]).to.equal(
      'InD,Method,Kind,Set,InD images,Images,FPR-at-95%-TPR (OOD positive),FPR-at-95%-TPR (InD positive),AUROC,AUPR-out,AUPR-in,AURC',
    );
    expect(lines[1]).to.match(/^cifar10,MSP,near,cifar100,4,2,50\.00,50\.00,75\.00,/);
    expect(lines.find((line) => line.startsWith('cifar10,MSP,far,mean'))).to.match(
      /,mean,4,,12\.50,50\.00,87\.50,/,
    );
    expect(lines.find((line) => line.includes('misclassified'))).to.equal(
      'cifar10,MSP,misclassified,cifar10,4,,,,75.00,,,33.33',
    );
    expect(lines).to.have.length(1 + 2 * (4 + 2 + 1));
    expect(new Set(lines.map((line) => line.split(',').length))).to.deep.equal(new Set([12]));
  });
});
