import { expect } from 'chai';
import fc from 'fast-check';
import sharp, { type JpegOptions } from 'sharp';
import { decodeJpeg } from '../../../data/jpeg/decode-jpeg.ts';
import { jpegFrame, jpegHeaders } from '../../../data/jpeg/headers.ts';

/** An image of waves and noise, by a seed. */
function encoded(height: number, width: number, seed: number, options: JpegOptions): Promise<Buffer> {
  const sample = (_: unknown, i: number) => 128 + 90 * Math.sin(i / (seed + 3)) + ((i * i * (seed + 7)) % 23);
  const pixels = Uint8Array.from({ length: 3 * height * width }, sample);
  return sharp(pixels, { raw: { height, width, channels: 3 } })
    .jpeg(options)
    .toBuffer();
}

const libvips = (file: Uint8Array) => sharp(file).raw().toBuffer();

describe('JPEG', () => {
  it('is decoded to the bytes of libjpeg-turbo, whatever its size, quality and sampling', async () => {
    const size = fc.integer({ min: 1, max: 70 });
    const options: fc.Arbitrary<JpegOptions> = fc.record({
      quality: fc.integer({ min: 1, max: 100 }),
      chromaSubsampling: fc.constantFrom('4:2:0', '4:4:4'),
      optimiseCoding: fc.boolean(),
    });
    const run = async (height: number, width: number, seed: number, how: JpegOptions) => {
      const file = await encoded(height, width, seed, how);
      const decoded = decodeJpeg(file);
      // Colours of so narrow an image are only repeated.
      if (width <= 4 && how.chromaSubsampling === '4:2:0') expect(decoded).to.equal(undefined);
      else expect((await libvips(file)).equals(decoded!.pixels)).to.equal(true);
    };
    await fc.assert(fc.asyncProperty(size, size, fc.nat(20), options, run), { numRuns: 200 });
  });

  it('of grey has its one sample in each colour', async () => {
    const file = await sharp(await encoded(33, 21, 1, {}))
      .toColourspace('b-w')
      .jpeg()
      .toBuffer();
    const { pixels } = decodeJpeg(file)!;
    const raw = await sharp(file).toColourspace('b-w').raw().toBuffer();
    expect(raw.length).to.equal(33 * 21);
    expect(pixels).to.deep.equal(
      Uint8Array.from({ length: 3 * raw.length }, (_, i) => raw[Math.floor(i / 3)]),
    );
  });

  it('of other kinds is left to libvips: progressive, CMYK, large', async () => {
    const progressive = await encoded(20, 20, 2, { progressive: true });
    expect([decodeJpeg(progressive), jpegFrame(progressive)]).to.deep.equal([
      undefined,
      { height: 20, width: 20, components: 3 },
    ]);
    const cmyk = await sharp(await encoded(20, 20, 2, {}))
      .toColourspace('cmyk')
      .jpeg()
      .toBuffer();
    expect([decodeJpeg(cmyk), jpegFrame(cmyk)!.components]).to.deep.equal([undefined, 4]);
    const large = await encoded(2100, 2000, 3, {});
    expect([decodeJpeg(large), jpegHeaders(large)!.width]).to.deep.equal([undefined, 2000]);
  });

  it('that is cut short or has bytes too many is not decoded', async () => {
    const file = await encoded(64, 64, 4, {});
    for (let end = 0; end < file.length; end += 7)
      expect(decodeJpeg(file.subarray(0, end)), `${end} bytes`).to.equal(undefined);
    const start = jpegHeaders(file)!.start;
    const longer = Buffer.concat([file.subarray(0, -2), Buffer.alloc(40, 0x55), Buffer.of(0xff, 0xd9)]);
    expect(decodeJpeg(longer)).to.equal(undefined);
    const early = Buffer.concat([file.subarray(0, start + 50), Buffer.of(0xff, 0xd9)]);
    expect(decodeJpeg(early)).to.equal(undefined);
    // What came before changes nothing.
    expect((await libvips(file)).equals(decodeJpeg(file)!.pixels)).to.equal(true);
  });

  it('with damaged tables is not decoded', async () => {
    const file = await encoded(16, 16, 5, {});
    const at = (marker: number) => file.indexOf(Buffer.of(0xff, marker));
    const changed = (place: number, value: number) => {
      const copy = Buffer.from(file);
      copy[place] = value;
      return decodeJpeg(copy);
    };
    // More codes of one bit than there are; a table that does not exist; a scan that is not of the frame's components.
    expect(changed(at(0xc4) + 5, 3)).to.equal(undefined);
    expect(changed(at(0xda) + 6, 0x33)).to.equal(undefined);
    expect(changed(at(0xda) + 5, 9)).to.equal(undefined);
  });
});
