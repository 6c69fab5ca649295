import { expect } from 'chai';
import { reasonOf } from '../../src/evaluation/reason.ts';

const isOod = true;

describe('reasonOf', () => {
  it('names the questions that an image fails, and how its conditions are', () => {
    const unlike = 'unlike what it was taught';
    const usual = { isOod, contentPValue: 0.5, conditionsPValue: 0.5 };
    expect(reasonOf({ ...usual, contentPValue: 0.01 }, 0.05)).to.equal(unlike);
    expect(reasonOf({ ...usual, conditionsPValue: 0.01 }, 0.05)).to.equal('unusual conditions');
    const blurrier = { ...usual, conditionsPValue: 0.01, condition: 'blurrier' };
    expect(reasonOf(blurrier, 0.05)).to.equal('blurrier than its training images');
    expect(reasonOf({ ...blurrier, contentPValue: 0.01 }, 0.05)).to.equal(
      `${unlike}; blurrier than its training images`,
    );
  });

  it('takes a p-value of the rate for failed, as float32 has it too', () => {
    expect(reasonOf({ isOod, contentPValue: Math.fround(0.05) }, 0.05)).to.equal('unlike what it was taught');
    expect(reasonOf({ isOod, contentPValue: 0.0501 }, 0.05)).to.equal(
      'content and conditions are both a little unusual',
    );
  });

  it('says nothing of questions that a guard does not answer, nor of InD images', () => {
    expect(reasonOf({ isOod }, 0.05)).to.equal('content and conditions are both a little unusual');
    expect(reasonOf({ isOod: false, contentPValue: 0, conditionsPValue: 0 }, 0.05)).to.equal('');
  });
});
