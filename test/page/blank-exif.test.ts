import { expect } from 'chai';
import sharp from 'sharp';
import { blankExif } from '../../src/browser/blank-exif.ts';

describe('EXIF data', () => {
  // Wider than high: an image that was turned has another shape.
  const stored = sharp({ create: { width: 12, height: 8, channels: 3, background: '#c84010' } });

  for (const format of ['jpeg', 'png', 'webp'] as const)
    it(`is blanked in a ${format} file, and nothing else is`, async () => {
      const bytes = await stored.clone().toFormat(format).withMetadata({ orientation: 6 }).toBuffer();
      const before = await shape(bytes);
      expect(before).to.deep.equal({ orientation: 6, turned: [8, 12] });
      const pixels = await sharp(bytes).raw().toBuffer();

      const blanked = Uint8Array.from(bytes);
      blankExif(blanked);
      expect(await shape(blanked)).to.deep.equal({ orientation: undefined, turned: [12, 8] });
      expect((await sharp(blanked).raw().toBuffer()).equals(pixels)).to.equal(true);
      const changed = Array.from(bytes).flatMap((byte, i) => (byte === blanked[i] ? [] : [blanked[i]]));
      expect(changed)
        .to.have.length.above(10)
        .and.satisfy((all: number[]) => all.every((byte) => byte === 0));
    });

  it('is missed nowhere, and nothing is touched, where there is none', async () => {
    for (const format of ['jpeg', 'png', 'webp'] as const) {
      const bytes = Uint8Array.from(await stored.clone().toFormat(format).toBuffer());
      const before = bytes.slice();
      blankExif(bytes);
      expect(bytes).to.deep.equal(before);
    }
  });
});

/** The orientation that a file states, and the size of its image turned by it. */
async function shape(bytes: Uint8Array): Promise<{ orientation?: number; turned: number[] }> {
  const { orientation } = await sharp(bytes).metadata();
  const { info } = await sharp(bytes).rotate().raw().toBuffer({ resolveWithObject: true });
  return { orientation, turned: [info.width, info.height] };
}
