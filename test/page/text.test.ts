import { expect } from 'chai';
import { megabytes, milliseconds, percent, plural, score } from '../../src/page/text.ts';

describe('numbers on the page', () => {
  it('have no more digits than they need', () => {
    expect([0.05, 0.002, 0.99834, 1, 0].map(percent)).to.deep.equal([
      '5 %',
      '0.2 %',
      '99.83 %',
      '100 %',
      '0 %',
    ]);
    expect([0.04, 9.96, 10.4, 1234.5].map(milliseconds)).to.deep.equal([
      '0.0 ms',
      '10.0 ms',
      '10 ms',
      '1235 ms',
    ]);
    expect(megabytes(1_349_999)).to.equal('1.3 MB');
    expect([0, 1, 2, 12_345].map((count) => plural(count, 'image'))).to.deep.equal([
      '0 images',
      '1 image',
      '2 images',
      '12,345 images',
    ]);
  });

  it('are scores with a true minus, or no number', () => {
    expect([1.23456, -0.5, Number.NaN].map(score)).to.deep.equal(['1.235', '−0.500', 'no number']);
  });
});
