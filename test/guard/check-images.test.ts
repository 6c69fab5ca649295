import { expect } from 'chai';
import { sha256 } from '../../src/common/files.ts';
import { checkImages } from '../../src/guard/check-images.ts';

describe('check images', () => {
  it('are the same everywhere, of the size asked for', () => {
    const images = checkImages({ height: 5, width: 7 });
    expect(images.map(({ length }) => length)).to.deep.equal([105, 105, 105, 105]);
    // Written down once: a page of this version asks what an older guard.json answers.
    expect(sha256(Buffer.concat(images))).to.equal(
      '690c90044a9de8c579d749385fbd2a7722a96a2165115d9519ad2fc82163636c',
    );
  });

  it('go from nearly flat to nearly all of the range', () => {
    const ranges = checkImages({ height: 32, width: 32 }).map((pixels) => [
      Math.min(...pixels),
      Math.max(...pixels),
    ]);
    expect(ranges).to.deep.equal([
      [124, 132],
      [104, 152],
      [68, 188],
      [8, 248],
    ]);
  });
});
