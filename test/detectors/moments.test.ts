import { expect } from 'chai';
import { moments } from '../../src/detectors/moments.ts';

describe('moments', () => {
  it('are mean and population deviation', () => {
    expect(moments([7, 9])).to.deep.equal({ mean: 8, deviation: 1 });
    expect(moments(Float32Array.of(-1, 0, 4, 5))).to.deep.equal({ mean: 2, deviation: Math.sqrt(6.5) });
  });

  it('have a deviation of 1 where values do not vary', () => {
    expect(moments([3, 3, 3])).to.deep.equal({ mean: 3, deviation: 1 });
  });
});
