import { mkdir, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import sharp, { type Sharp } from 'sharp';
import { decodeImage } from '../../data/decode.ts';
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
    const grey = await pixelsOf(await deep(1).toColourspace('grey16').png().toBuffer());
    expect(grey.filter((_, i) => i % 3 === 0)).to.deep.equal([255, 255, 255, 255, 255, 3]);
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
