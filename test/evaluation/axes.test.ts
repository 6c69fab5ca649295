import { expect } from 'chai';
import fc from 'fast-check';
import { linePath, roundMarks, short, xAxis, xOf, yAxis, yOf } from '../../src/evaluation/axes.ts';

const plot = { left: 50, top: 20, width: 100, height: 40, x: [1, 5], y: [-1, 1] } as const;

describe('places in a plot', () => {
  it('go from left to right, and up', () => {
    expect([1, 3, 5].map((value) => xOf(plot, value))).to.deep.equal([50, 100, 150]);
    expect([-1, 0, 1].map((value) => yOf(plot, value))).to.deep.equal([60, 40, 20]);
  });

  it('are in the middle, and at the bottom, where all values are one', () => {
    expect(xOf({ ...plot, x: [3, 3] }, 3)).to.equal(100);
    expect(yOf({ ...plot, y: [3, 3] }, 3)).to.equal(60);
  });

  it('are written to a tenth of a pixel', () => {
    expect([1, 1.04, 1.05, -0.26].map(short)).to.deep.equal(['1', '1', '1.1', '-0.3']);
    expect(
      linePath([
        [1, 2],
        [3.33, 4],
        [5, 6.66],
      ]),
    ).to.equal('M1 2L3.3 4L5 6.7');
    expect(linePath([])).to.equal('');
  });
});

describe('axes', () => {
  it('have a line and a label to the left for each mark', () => {
    const drawn = yAxis(plot, [{ value: 0, label: 'a < b' }]);
    expect(drawn).to.include('x1="50" x2="150" y1="40.0" y2="40.0"');
    expect(drawn).to.include('<text x="44.0" y="44" text-anchor="end">a &lt; b</text>');
  });

  it('keep the labels of both ends within the plot', () => {
    const marks = [1, 3, 5].map((value) => ({ value, label: String(value) }));
    expect(xAxis(plot, marks).match(/x="[^"]+" y="76" text-anchor="\w+"/g)).to.deep.equal([
      'x="50.0" y="76" text-anchor="start"',
      'x="100.0" y="76" text-anchor="middle"',
      'x="150.0" y="76" text-anchor="end"',
    ]);
  });
});

describe('roundMarks', () => {
  it('are round, and told apart by their digits', () => {
    const labels = (low: number, high: number, wanted?: number) =>
      roundMarks([low, high], wanted).map(({ label }) => label);
    expect(labels(0, 100)).to.deep.equal(['0', '50', '100']);
    expect(labels(0, 100, 5)).to.deep.equal(['0', '20', '40', '60', '80', '100']);
    expect(labels(-0.21, 0.19)).to.deep.equal(['−0.2', '−0.1', '0.0', '0.1']);
    expect(labels(1234, 1236)).to.deep.equal(['1234.0', '1234.5', '1235.0', '1235.5', '1236.0']);
    expect(labels(3, 3)).to.deep.equal(['3.00']);
  });

  it('lie within the range, not more of them than are wanted and one', () => {
    const value = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(
        value,
        fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
        fc.integer({ min: 1, max: 9 }),
        (low, size, wanted) => {
          const high = low + size;
          const rounding = 1e-9 * Math.max(Math.abs(low), Math.abs(high));
          const marks = roundMarks([low, high], wanted);
          expect(marks.length).to.be.at.most(wanted + 1);
          for (const { value, label } of marks) {
            expect(value).to.be.within(low - rounding, high + rounding);
            expect(Number(label.replace('−', '-'))).to.be.closeTo(value, 1e-9 * Math.max(1, Math.abs(value)));
          }
          expect(new Set(marks.map(({ label }) => label)).size).to.equal(marks.length);
        },
      ),
    );
  });
});
