import { expect } from 'chai';
import fc from 'fast-check';
import { hasWildcards, wildcards } from '../../src/common/wildcards.ts';

describe('wildcards', () => {
  it('leave every other character what it is', () => {
    const plain = fc.string({ unit: 'grapheme' }).filter((text) => !hasWildcards(text));
    fc.assert(
      fc.property(plain, plain, (text, other) => {
        for (const of of ['names', 'paths'] as const) {
          expect(wildcards(text, of).test(text)).to.equal(true);
          expect(wildcards(text, of).test(`${text}x`)).to.equal(false);
          expect(wildcards(`${text}*`, 'names').test(text + other)).to.equal(true);
        }
      }),
    );
  });

  it('stay within a folder, but for **', () => {
    const fitting = (pattern: string, of: 'names' | 'paths' = 'paths') =>
      ['a.jpg', 'x/a.jpg', 'x/y/a.jpg', 'x/photos (1)/a.jpg'].filter((path) =>
        wildcards(pattern, of).test(path),
      );
    expect(fitting('*.jpg')).to.deep.equal(['a.jpg']);
    expect(fitting('x/*/?.jpg')).to.deep.equal(['x/y/a.jpg', 'x/photos (1)/a.jpg']);
    expect(fitting('x/photos (1)/*')).to.deep.equal(['x/photos (1)/a.jpg']);
    expect(fitting('**/a.jpg')).to.have.length(4);
    expect(fitting('x*a.jpg')).to.deep.equal([]);
    expect(fitting('x*a.jpg', 'names')).to.have.length(3);
  });
});
