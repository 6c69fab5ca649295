import { expect } from 'chai';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import type { GuardScores } from '../../src/evaluation/guard-scores.ts';
import {
  fpr95Convention,
  layerCsv,
  summaryCsv,
  summaryJson,
  summaryTable,
} from '../../src/evaluation/tables.ts';

const set = (name: string, first: number[], second: number[]) => ({
  name,
  count: first.length,
  layers: [Float64Array.from(first), Float64Array.from(second)],
  baselines: { energy: Float64Array.from(first) },
});
const layers = [
  { name: 'features.0', index: 0 },
  { name: 'features.7', index: 2 },
];
const evaluation = evaluate(
  layers,
  set('cifar10', [-2, -1, 3], [-3, -2, -1]),
  [set('tiny, jpeg', [-1.5, 2, 4, 5], [1, 2, 3, 4]), set('svhn', [4, 5], [-3, -2])],
  { maxOod: 3, seed: 1 },
);

describe('tables', () => {
  it('write the CSV of an OOD set in the original’s columns', () => {
    expect(layerCsv(evaluation.sets[1])).to.equal(
      [
        'Layer,FPR-at-95%-TPR,AUROC,AUPR-out,AUPR-in,InD-correct,OOD-correct,Max-score-counts(ID/OOD)',
        '1,0.00,100.00,100.00,100.00,2,2,2/2',
        '3,100.00,50.00,62.50,62.50,2,0,0/0',
        'Best layer:',
        '1,0.00,100.00,100.00,100.00,2,2,2/2',
        'LA-OOD,0.00,100.00,100.00,100.00',
        'energy,0.00,100.00,100.00,100.00',
        '',
      ].join('\n'),
    );
  });

  it('write the summary CSV with both conventions and the counts', () => {
    const lines = summaryCsv(evaluation).split('\n');
    expect(lines[0]).to.equal(
      'InD,OOD,InD images,OOD images,Method,FPR-at-95%-TPR (OOD positive),FPR-at-95%-TPR (InD positive),AUROC,AUPR-out,AUPR-in',
    );
    expect(lines[1]).to.match(/^cifar10,"tiny, jpeg",3,3,best method: energy,/);
    expect(lines[2]).to.match(/^cifar10,"tiny, jpeg",3,3,LA-OOD,/);
    expect(lines[3]).to.match(/^cifar10,"tiny, jpeg",3,3,best layer: features.7,0.00,0.00,100.00,/);
    // Of all sets joined there is no best method.
    expect(lines).to.have.length(1 + 2 * 4 + 3 + 1);
    const withIntervals = evaluate(layers, set('a', [0, 1], [0, 1]), [set('b', [1, 2], [1, 2])], {
      bootstrap: { resamples: 9 },
    });
    const rows = summaryCsv(withIntervals)
      .trim()
      .split('\n')
      .map((line) => line.split(','));
    expect(rows[0].slice(10, 12)).to.deep.equal([
      'FPR-at-95%-TPR (OOD positive) low',
      'FPR-at-95%-TPR (OOD positive) high',
    ]);
    expect(rows.map((row) => row.length)).to.deep.equal([20, 20, 20, 20, 20]);
    // The best method and the best layer have none.
    for (const row of [1, 3]) expect(rows[row].slice(10).join('')).to.equal('');
  });

  it('write JSON in full precision', () => {
    const { fpr95, ...rest } = JSON.parse(summaryJson(evaluation));
    expect(fpr95).to.include('OOD is the positive class');
    expect(rest).to.deep.equal(JSON.parse(JSON.stringify(evaluation)));
    expect(rest.sets[0].selection).to.deep.equal({ from: 4, kept: 3, seed: 1 });
    expect(rest.sets[2].laOod.metrics.auroc).to.equal(evaluation.sets[2].laOod.metrics.auroc);
  });

  it('print a table that says the FPR95 convention and the share InD : OOD', () => {
    const text = summaryTable(evaluation);
    expect(text).to.include('OOD pos.: OOD is the positive class (OpenOOD, LA-OOD)');
    expect(text).to.include('InD pos.: InD is the positive class (ODIN, Energy)');
    for (const counts of ['3 : 3', '2 : 2', '3 : 5']) expect(text).to.include(counts);
    expect(text).to.include('tiny, jpeg: 3 of 4 images, chosen at random (seed 1).');
    expect(text).to.not.include('\u001b');
    expect(Math.max(...text.split('\n').map((line) => line.length))).to.be.below(120);
  });

  it('print intervals below what they are of, and no precision beside other counts of images', () => {
    const scores = (...values: number[]) => Float64Array.from(values);
    const guard: GuardScores = {
      method: 'content',
      calibration: {
        ...{ threshold: 0.5, rate: 0.05, upperBound: 0.1, confidence: 0.95, count: 2 },
        interval: { low: 0, high: 0.1 },
      },
      ind: { ood: scores(0, 1), content: scores(0, 1) },
      sets: new Map([['b', { ood: scores(1, 2), content: scores(2, 3) }]]),
    };
    const inputs = [layers, set('a', [0, 1], [0, 1]), [set('b', [1, 2], [2, 3])]] as const;
    const guarded = evaluate(...inputs, { guard, bootstrap: { resamples: 99 } });
    const text = summaryTable(guarded);
    const cells = text
      .split('\n')
      .filter((line) => line.startsWith('│'))
      .map((line) => line.split('│').map((cell) => cell.trim()));
    expect(cells.slice(0, 2)).to.deep.equal([
      ['', 'OOD set', 'score', 'FPR95', 'FPR95', 'AUROC', 'AUPR-out', 'AUPR-in', ''],
      ['', 'InD : OOD', '', 'OOD pos.', 'InD pos.', '', '', '', ''],
    ]);
    const rowOf = (name: string) => cells.find(([, , cell]) => cell.startsWith(name))!;
    expect(rowOf('guard: content').slice(3)).to.deep.equal(['0.00', '0.00', '100.00', '–', '–', '']);
    expect(rowOf('best method').slice(-3)).to.deep.equal(['–', '–', '']);
    expect(rowOf('energy').slice(5)).to.deep.equal(['87.50', '91.67', '91.67', '']);
    const below = cells[cells.indexOf(rowOf('LA-OOD')) + 1];
    expect(below[2]).to.equal('');
    for (const cell of below.slice(3, -1)) expect(cell).to.match(/^\d+\.\d\d–\d+\.\d\d$/);
    expect(text).to.include(
      'guard: guarded.onnx, its decision and its answers, on all OOD images and on all 2 InD images',
    );
    expect(summaryTable(evaluate(...inputs))).not.to.include('guard');
  });

  it('say how the original reads the false positive rate, where it is asked for', () => {
    expect(fpr95Convention({ compat: 'original' })[0]).to.include('interpolated as the original LA-OOD does');
    expect(fpr95Convention({})[0]).to.include('at the first operating point where it is reached');
  });
});
