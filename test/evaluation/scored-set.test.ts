import { expect } from 'chai';
import { FeatureError } from '../../src/common/errors.ts';
import {
  checkSet,
  firstOf,
  joined,
  maximumOverLayers,
  type ScoredSet,
  selectOf,
} from '../../src/evaluation/scored-set.ts';

const layers = [
  { name: 'conv1', index: 0 },
  { name: 'conv3', index: 2 },
];

function set(name: string, first: number[], second: number[], msp?: number[]): ScoredSet {
  return {
    name,
    count: first.length,
    layers: [Float64Array.from(first), Float64Array.from(second)],
    ...(msp && { baselines: { MSP: Float64Array.from(msp) } }),
  };
}
const plain = ({ name, count, layers, baselines }: ScoredSet) => ({
  name,
  count,
  layers: layers.map((scores) => [...scores]),
  msp: baselines?.MSP && [...baselines.MSP],
});

describe('checkSet', () => {
  const refused = (wrong: ScoredSet, message: string, baselines = ['MSP']) =>
    expect(() => checkSet(wrong, layers, baselines)).to.throw(FeatureError, message);

  it('takes scores of every image by every layer and baseline', () => {
    checkSet(set('a', [1, 2], [3, 4], [5, 6]), layers, ['MSP']);
    checkSet(set('a', [1, 2], [3, 4]), layers, []);
  });

  it('refuses sets that are empty, and scores that are too many, too few or no numbers', () => {
    refused(set('a', [], [], []), 'a: holds no images');
    refused(
      { ...set('a', [1], [2], [3]), layers: [Float64Array.of(1)] },
      'a: has scores of 1 layers, not of 2',
    );
    refused(set('a', [1, 2], [3], [5, 6]), 'a: layer 2 (conv3): 1 scores for 2 images');
    refused(set('a', [1, 2], [3, Number.NaN], [5, 6]), 'layer 2 (conv3): the score of image 1 is NaN');
    refused(set('a', [-Infinity, 2], [3, 4], [5, 6]), 'layer 0 (conv1): the score of image 0 is -Infinity');
    refused(set('a', [1, 2], [3, 4]), 'a: MSP: 0 scores for 2 images');
    refused(set('a', [1, 2], [3, 4], [5, 6]), 'a: energy: 0 scores for 2 images', ['MSP', 'energy']);
  });
});

describe('maximumOverLayers', () => {
  it('is the highest score of each image, of the first layer where several have it', () => {
    const { scores, byLayer } = maximumOverLayers(set('a', [1, 5, -3, 2], [2, 4, -3, 1]));
    expect([...scores]).to.deep.equal([2, 5, -3, 2]);
    expect([...byLayer]).to.deep.equal([3, 1]);
  });

  it('leaves the scores as they are', () => {
    const own = set('a', [1], [2]);
    maximumOverLayers(own);
    expect([...own.layers[0]]).to.deep.equal([1]);
  });
});

describe('parts of a set', () => {
  const whole = set('a', [1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]);

  it('are its first images', () => {
    const two = {
      name: 'a',
      count: 2,
      layers: [
        [1, 2],
        [5, 6],
      ],
      msp: [9, 10],
    };
    expect(plain(firstOf(whole, 2))).to.deep.equal(two);
    expect(firstOf(whole, 4)).to.equal(whole);
  });

  it('are images chosen at random, each once and the same in every layer, by the seed', () => {
    const chosen = plain(selectOf(whole, 3, 1));
    expect(chosen.count).to.equal(3);
    expect(new Set(chosen.layers[0]).size).to.equal(3);
    expect(chosen.layers[1]).to.deep.equal(chosen.layers[0].map((score) => score + 4));
    expect(chosen.msp).to.deep.equal(chosen.layers[0].map((score) => score + 8));
    expect(plain(selectOf(whole, 3, 1))).to.deep.equal(chosen);
    const seeds = Array.from({ length: 10 }, (_, seed) => String(plain(selectOf(whole, 4, seed)).layers[0]));
    expect(new Set(seeds).size).to.be.greaterThan(3);
  });

  it('are joined one after the other, with what all of them have', () => {
    const all = joined('all', [set('b', [0], [1], [2]), whole]);
    expect(plain(all)).to.deep.equal({
      name: 'all',
      count: 5,
      layers: [
        [0, 1, 2, 3, 4],
        [1, 5, 6, 7, 8],
      ],
      msp: [2, 9, 10, 11, 12],
    });
  });
});
