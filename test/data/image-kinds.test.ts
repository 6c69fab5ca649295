import { mkdir, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import sharp, { type Sharp } from 'sharp';
import { decodeImage, imageSize } from '../../data/decode.ts';
import { openImageSet } from '../../data/open.ts';
import { DataError } from '../../src/common/errors.ts';
import { temporaryFolder } from './images.ts';
import { rejection } from './rejection.ts';

/** A 2 × 1 GIF with the palette red, green, blue, white; its pixels are indices 1 and `second`. */
function gif(second: number, control: readonly number[] = []): Uint8Array {
  const colors = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255];
  // Codes of three bits from the lowest bit on: clear (4), 1, the second index, end (5).
  const codes = 4 | (1 << 3) | (second << 6) | (5 << 9);
  const head = [...Buffer.from('GIF89a'), 2, 0, 1, 0, 0x81, 0, 0, ...colors, ...control];
  return Uint8Array.from([...head, 0x2c, 0, 0, 0, 0, 2, 0, 1, 0, 0, 2, 2, codes & 255, codes >> 8, 0, 0x3b]);
}

interface BmpHeader {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly compression?: number;
  /** Blue, green, red and nothing. */
  readonly palette?: readonly (readonly number[])[];
  readonly masks?: readonly number[];
}

/** A BMP with the header of Windows 3. */
function bmp(
  { width, height, bits, compression = 0, palette = [], masks = [] }: BmpHeader,
  data: readonly number[],
) {
  const head = Buffer.alloc(54);
  head.write('BM');
  head.writeUInt32LE(54 + 4 * (palette.length + masks.length), 10);
  head.writeUInt32LE(40, 14);
  head.writeInt32LE(width, 18);
  head.writeInt32LE(height, 22);
  head.writeUInt16LE(1, 26);
  head.writeUInt16LE(bits, 28);
  head.writeUInt32LE(compression, 30);
  head.writeUInt32LE(palette.length, 46);
  const words = Buffer.alloc(4 * masks.length);
  for (const [i, mask] of masks.entries()) words.writeUInt32LE(mask, 4 * i);
  return Buffer.concat([head, words, Buffer.from(palette.flat()), Buffer.from(data)]);
}

/** A TIFF of these tags, with four bytes of samples at byte 8. */
function tinyTiff(tags: Readonly<Record<number, number>>): Buffer {
  const entries = Object.entries(tags).map(([tag, value]) => {
    const entry = Buffer.alloc(12);
    entry.writeUInt16LE(Number(tag), 0);
    entry.writeUInt16LE(3, 2);
    entry.writeUInt32LE(1, 4);
    entry.writeUInt16LE(value, 8);
    return entry;
  });
  const head = Buffer.from([0x49, 0x49, 42, 0, 12, 0, 0, 0, 0, 0, 0x80, 0x3f, entries.length, 0]);
  return Buffer.concat([head, ...entries, Buffer.alloc(4)]);
}

/** 8 × 8 pixels of cyan 255, magenta 128, yellow 0, key 51, as Pillow writes them. */
const cmykJpeg = [
  '/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB',
  'AQEBAQEBAQEBAQEB/8AAFAgACAAIBEMRAE0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAoEC//EABQQAQAAAAAAAAAAAAAA',
  'AAAAAAD/2gAOBEMATQBZAEsAAD8Az/05/BMD/9k=',
].join('');

const transparent2 = [0x21, 0xf9, 4, 1, 0, 0, 2, 0];
const pixelsOf = async (bytes: Uint8Array) => [...(await decodeImage(bytes, 'image')).pixels];

/** A row of pixels as an image to be encoded. */
function row(channels: 1 | 2 | 3 | 4, samples: readonly number[]): Sharp {
  const raw = { width: samples.length / channels, height: 1, channels } as const;
  return sharp(Uint8Array.from(samples), { raw });
}

describe('Image files', () => {
  const folder = temporaryFolder();

  it('lie on a background where one is asked for, as Pillow pastes them', async () => {
    const png = await row(4, [10, 20, 30, 255, 10, 20, 30, 0, 200, 100, 0, 128]).png().toBuffer();
    const { pixels } = await decodeImage(png, 'image', { background: [255, 255, 250] });
    expect([...pixels]).to.deep.equal([10, 20, 30, 255, 255, 250, 227, 177, 125]);
    await writeFile(folder.at('transparent.png'), png);
    const set = await openImageSet(folder.at('transparent.png'));
    const read = await set.read(0, 1, { height: 1, width: 3, background: [255, 255, 250] });
    expect([...read]).to.deep.equal([...pixels]);
  });

  it('become RGB: grey, palette and transparent ones', async () => {
    const color = [10, 20, 30, 200, 100, 0];
    expect(await pixelsOf(await row(1, [7, 200]).toColourspace('b-w').png().toBuffer())).to.deep.equal([
      7, 7, 7, 200, 200, 200,
    ]);
    expect(await pixelsOf(await row(4, [10, 20, 30, 0, 200, 100, 0, 9]).png().toBuffer())).to.deep.equal(
      color,
    );
    expect(await pixelsOf(await row(3, color).png({ palette: true }).toBuffer())).to.deep.equal(color);
    const webp = row(4, [10, 20, 30, 0, 200, 100, 0, 9]).webp({ lossless: true, exact: true });
    expect(await pixelsOf(await webp.toBuffer())).to.deep.equal(color);
  });

  it('of 16 bits keep the upper byte of a colour, and grey up to 255, as Pillow does', async () => {
    const samples = Uint16Array.of(0x1234, 0x00ff, 0xffff, 0x0100, 0x7f00, 3);
    const deep = (channels: 1 | 3) =>
      sharp(samples, {
        raw: { width: samples.length / channels, height: 1, channels, depth: 'ushort' } as never,
      });
    expect(await pixelsOf(await deep(3).toColourspace('rgb16').png().toBuffer())).to.deep.equal([
      0x12, 0, 0xff, 1, 0x7f, 0,
    ]);
    const gray = await pixelsOf(await deep(1).toColourspace('grey16').png().toBuffer());
    expect(gray.filter((_, i) => i % 3 === 0)).to.deep.equal([255, 255, 255, 255, 255, 3]);
  });

  it('of CMYK lose as much light as ink and key take', async () => {
    const jpeg = Buffer.from(cmykJpeg, 'base64');
    const [red, green, blue] = await pixelsOf(jpeg);
    expect([red, green, blue]).to.deep.equal([0, 102, 204]);
  });

  it('GIF: the first frame, in which a transparent pixel has the colour of its index', async () => {
    expect(await pixelsOf(gif(2))).to.deep.equal([0, 255, 0, 0, 0, 255]);
    expect(await pixelsOf(gif(2, transparent2))).to.deep.equal([0, 255, 0, 0, 0, 255]);
    const animated = await sharp(
      [gif(3), gif(0)].map((frame) => Buffer.from(frame)),
      { join: { animated: true } },
    )
      .gif()
      .toBuffer();
    expect(await pixelsOf(animated)).to.deep.equal([0, 255, 0, 255, 255, 255]);
  });

  it('GIF: cut short, damaged or huge are refused', async () => {
    const refusal = async (bytes: Uint8Array) =>
      (await rejection(decodeImage(bytes, 'a.gif'), DataError)).message;
    const whole = gif(2);
    for (let length = 6; length < whole.length - 3; length++)
      expect(await refusal(whole.subarray(0, length))).to.match(
        /^a\.gif: cannot be decoded \(GIF [^\n]*\); replace/,
      );
    const ends = Uint8Array.from(whole);
    ends.set([4 | (1 << 3) | ((5 << 6) & 255), (5 << 6) >> 8], whole.length - 4);
    expect(await refusal(ends)).to.match(/GIF is cut short/);
    expect(await refusal(gif(7))).to.match(/GIF is damaged/);
    const huge = Uint8Array.from(whole);
    huge.set([0xff, 0xff, 0xff, 0xff], 6);
    expect(await refusal(huge)).to.match(/GIF of 65535 × 65535 pixels/);
  });

  it('GIF: a later frame that is damaged does not matter, and a screen is not larger than its bytes', async () => {
    const whole = gif(2);
    const later = Buffer.concat([whole.subarray(0, -1), Buffer.of(0x2c, 0, 0)]);
    expect(await pixelsOf(later)).to.deep.equal(await pixelsOf(whole));
    expect(await imageSize(later, 'later.gif')).to.deep.equal({ height: 1, width: 2 });
    const bomb = Uint8Array.from(whole);
    // The screen: 5,000 × 30,000 pixels in 40 bytes.
    bomb.set([5000 & 255, 5000 >> 8, 30000 & 255, 30000 >> 8], 6);
    expect((await rejection(decodeImage(bomb, 'bomb.gif'), DataError)).message).to.match(
      /^bomb\.gif: cannot be decoded \(5000 × 30000 pixels in \d+ bytes are a decompression bomb\)/,
    );
  });

  it('BMP: indices, run lengths, 16 and 32 bits, from below and from above', async () => {
    const palette = [
      [0, 0, 255, 0],
      [0, 255, 0, 0],
      [9, 8, 7, 0],
    ];
    const colors = { red: [255, 0, 0], green: [0, 255, 0], last: [7, 8, 9] };
    const two = { width: 2, height: 2, bits: 8, palette };
    const [red, green, last] = Object.values(colors);
    const rows = [0, 1, 0, 0, 2, 0, 0, 0];
    expect(await pixelsOf(bmp(two, rows))).to.deep.equal([...last, ...red, ...red, ...green]);
    expect(await pixelsOf(bmp({ ...two, height: -2 }, rows))).to.deep.equal([
      ...red,
      ...green,
      ...last,
      ...red,
    ]);
    // Two of index 1; the row ends; one of index 2 as it is; the image ends.
    const packed = [2, 1, 0, 0, 1, 2, 0, 1];
    expect(await pixelsOf(bmp({ ...two, compression: 1 }, packed))).to.deep.equal([
      ...[...last, ...red],
      ...[...green, ...green],
    ]);
    const halves = [4, 0x12, 0, 1];
    expect(
      await pixelsOf(bmp({ ...two, width: 4, height: 1, bits: 4, compression: 2 }, halves)),
    ).to.deep.equal([...[...green, ...last], ...[...green, ...last]]);
    const one = { width: 1, height: 1 };
    expect(await pixelsOf(bmp({ ...one, bits: 16 }, [0x1f, 0x7c, 0, 0]))).to.deep.equal([255, 0, 255]);
    expect(await pixelsOf(bmp({ ...one, bits: 32 }, [1, 2, 3, 4]))).to.deep.equal([3, 2, 1]);
    const masks = [0xf800, 0x07e0, 0x001f];
    const green6 = bmp({ ...one, bits: 16, compression: 3, masks }, [0xe0, 0x07, 0, 0]);
    expect(await pixelsOf(green6)).to.deep.equal([0, 255, 0]);
    for (const [bytes, message] of [
      [bmp({ ...one, bits: 24 }, [1, 2]), /BMP is cut short/],
      [bmp({ ...one, bits: 24, compression: 4 }, []), /BMP of compression 4/],
      [bmp({ width: 60_000, height: 60_000, bits: 1 }, []), /BMP of 60000 × 60000 pixels/],
    ] as const)
      expect((await rejection(decodeImage(bytes, 'a.bmp'), DataError)).message).to.match(message);
  });

  it('TIFF: as it lies, and refused where Pillow reads it otherwise', async () => {
    const tiff = await row(3, [1, 2, 3, 40, 50, 60])
      .withMetadata({ orientation: 6 })
      .tiff({ compression: 'none' })
      .toBuffer();
    const { height, width, pixels } = await decodeImage(tiff, 'a.tif');
    expect([height, width, [...pixels]]).to.deep.equal([2, 1, [1, 2, 3, 40, 50, 60]]);
    expect(await imageSize(tiff, 'a.tif')).to.deep.equal({ height: 2, width: 1 });
    // One grey pixel, a float of 32 bits.
    const float = tinyTiff({
      256: 1,
      257: 1,
      258: 32,
      259: 1,
      262: 1,
      273: 8,
      277: 1,
      278: 1,
      279: 4,
      339: 3,
    });
    expect((await rejection(decodeImage(float, 'f.tif'), DataError)).message).to.match(
      /TIFF of .* sample format 3, .* is not read: save it as 8-bit RGB/,
    );
  });

  it('AVIF: read, up to what libraries differ by', async () => {
    const avif = await sharp({ create: { width: 16, height: 8, channels: 3, background: '#336699' } })
      .avif({ quality: 90 })
      .toBuffer();
    const { height, width, pixels } = await decodeImage(avif, 'a.avif');
    expect([height, width]).to.deep.equal([8, 16]);
    for (const [c, level] of [0x33, 0x66, 0x99].entries())
      expect(pixels[c]).to.be.within(level - 3, level + 3);
  });

  it('of kinds that are not read are called by their kind', async () => {
    const kinds: [Buffer, RegExp][] = [
      [Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic'), /it is HEIC, not an image that is read/],
      [Buffer.from('8BPS\0\x01'), /it is Photoshop/],
      [Buffer.from('hello'), /it is text/],
      [Buffer.alloc(0), /it is empty/],
    ];
    for (const [bytes, message] of kinds)
      expect((await rejection(decodeImage(bytes, 'a.jpg'), DataError)).message).to.match(message);
  });

  it('are turned as their EXIF orientation says where that is asked for', async () => {
    await mkdir(folder.at('turned'));
    const png = await row(3, [1, 2, 3, 40, 50, 60]).withMetadata({ orientation: 6 }).png().toBuffer();
    await writeFile(folder.at('turned/a.png'), png);
    const asStored = await openImageSet(folder.at('turned'));
    expect([...(await asStored.read(0, 1, { height: 1, width: 2 }))]).to.deep.equal([1, 2, 3, 40, 50, 60]);
    const turned = await openImageSet(folder.at('turned'), { orient: true });
    expect([...(await turned.read(0, 1, { height: 2, width: 1 }))]).to.deep.equal([1, 2, 3, 40, 50, 60]);
  });

  it('of 20,000 × 20,000 pixels are refused before they are decoded', async () => {
    const jpeg = await row(3, [1, 2, 3]).jpeg().toBuffer();
    // Height and width stand five bytes behind the marker of the frame.
    jpeg.writeUInt32BE(20_000 * 65536 + 20_000, jpeg.indexOf(Buffer.of(0xff, 0xc0)) + 5);
    const png = await row(3, [1, 2, 3]).png().toBuffer();
    png.writeUInt32BE(20_000, 16);
    png.writeUInt32BE(20_000, 20);
    for (const bytes of [jpeg, png])
      expect((await rejection(decodeImage(bytes, 'large'), DataError)).message).to.match(
        /^large: cannot be decoded \([^\n]+\); replace the image/,
      );
  });

  it('one by itself is a set', async () => {
    const file = folder.at('one.png');
    await writeFile(file, await row(3, [1, 2, 3]).png().toBuffer());
    const set = await openImageSet(file);
    expect([set.name, set.length, set.imageName(0)]).to.deep.equal(['one.png', 1, 'one.png']);
    expect([...(await set.read(0, 1, { height: 1, width: 1 }))]).to.deep.equal([1, 2, 3]);
  });
});
