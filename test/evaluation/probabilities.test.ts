import { expect } from 'chai';
import { probabilitiesOf } from '../../src/evaluation/probabilities.ts';

describe('probabilitiesOf', () => {
  it('is softmax, of logits beyond what exp reaches too', () => {
    const [a, b, c] = probabilitiesOf([0, Math.log(2), Math.log(5)], false);
    expect(a).to.be.closeTo(1 / 8, 1e-15);
    expect(b).to.be.closeTo(2 / 8, 1e-15);
    expect(c).to.be.closeTo(5 / 8, 1e-15);
    const [large, larger] = probabilitiesOf([1000, 1000 + Math.log(3)], false);
    expect(large).to.be.closeTo(0.25, 1e-12);
    expect(larger).to.be.closeTo(0.75, 1e-12);
  });

  it('is a sigmoid of each where classes do not exclude each other', () => {
    const [half, most, none] = probabilitiesOf([0, Math.log(3), -1000], true);
    expect(half).to.equal(0.5);
    expect(most).to.be.closeTo(0.75, 1e-15);
    expect(none).to.equal(0);
  });
});
