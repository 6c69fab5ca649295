import { once } from 'node:events';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { ZipFile } from 'yazl';
import type { Image } from '../../data/image-set.ts';

/** Files that hold images, as their writers would make them; parity tests have those of the real writers. */

export interface Member {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The type of a tar member, `0` (a file) if not given. */
  readonly type?: string;
}

/** A PNG of one colour. */
export function png(r: number, g: number, b: number, side = 4): Promise<Buffer> {
  const create = { width: side, height: side, channels: 3, background: { r, g, b } } as const;
  return sharp({ create }).png().toBuffer();
}

/** An image as a BMP of 24 bits, its rows from the top; its width is a multiple of four. */
export function bmp({ height, width, pixels }: Image): Buffer {
  const file = Buffer.alloc(54 + pixels.length);
  file.write('BM');
  for (const [at, value] of [
    [2, file.length],
    [10, 54],
    [14, 40],
    [18, width],
    [22, -height],
  ])
    file.writeInt32LE(value, at);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(24, 28);
  for (let i = 0; i < pixels.length; i += 3) for (let c = 0; c < 3; c++) file[54 + i + c] = pixels[i + 2 - c];
  return file;
}

/** A tar archive (POSIX ustar). */
export function tar(members: readonly Member[]): Buffer {
  const parts = members.flatMap(({ name, bytes, type = '0' }) => {
    const header = Buffer.alloc(512);
    header.write(name);
    header.write('0000644\0', 100);
    header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write(`        ${type}`, 148);
    header.write('ustar\x0000', 257);
    header.write(`${tarSum(header).toString(8).padStart(6, '0')}\0 `, 148);
    return [header, bytes, Buffer.alloc(-bytes.length & 511)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** The checksum of a header whose checksum field is blank. */
export function tarSum(header: Uint8Array): number {
  return header.reduce((sum, byte) => sum + byte);
}

/** A zip archive. */
export async function zip(members: readonly Member[], compress = true): Promise<Buffer> {
  const file = new ZipFile();
  for (const { name, bytes } of members)
    file.addBuffer(Buffer.from(bytes), name, { compress, mtime: new Date(0) });
  file.end();
  const chunks: Buffer[] = [];
  file.outputStream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(file.outputStream, 'end');
  return Buffer.concat(chunks);
}

/** What `numpy.save` writes for uint8. */
export function npy(shape: readonly number[], bytes: Uint8Array, descr = '|u1', fortran = 'False'): Buffer {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dict = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (${sizes}), }`;
  const header = `${dict.padEnd(-(dict.length + 11) & 63 ? dict.length + (-(dict.length + 11) & 63) : dict.length)}\n`;
  const head = Buffer.alloc(10);
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(header.length, 8);
  return Buffer.concat([head, Buffer.from(header), bytes]);
}

/** An IDX file of bytes. */
export function idx(shape: readonly number[], bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head.writeUInt16BE(0x0800 + shape.length, 2);
  shape.forEach((size, i) => {
    head.writeUInt32BE(size, 4 + 4 * i);
  });
  return Buffer.concat([head, bytes]);
}

/** A MAT-file of level 5 with arrays of bytes; with compressed elements unless told otherwise. */
export function mat(
  arrays: Readonly<Record<string, { shape: readonly number[]; bytes: Uint8Array }>>,
  compress = true,
): Buffer {
  const header = Buffer.alloc(128, ' ');
  header.write('MATLAB 5.0 MAT-file');
  header.write('\0\x01IM', 124);
  const elements = Object.entries(arrays).map(([name, { shape, bytes }]) => {
    const dimensions = Buffer.from(Int32Array.from(shape).buffer);
    const parts = [element(6, Buffer.from([9, 0, 0, 0, 0, 0, 0, 0])), element(5, dimensions)];
    const matrix = element(14, Buffer.concat([...parts, element(1, Buffer.from(name)), element(2, bytes)]));
    if (!compress) return matrix;
    const packed = deflateSync(matrix);
    return Buffer.concat([Buffer.from(Uint32Array.of(15, packed.length).buffer), packed]);
  });
  return Buffer.concat([header, ...elements]);
}

function element(type: number, bytes: Uint8Array): Buffer {
  const tag = Buffer.from(Uint32Array.of(type, bytes.length).buffer);
  return Buffer.concat([tag, bytes, Buffer.alloc(-bytes.length & 7)]);
}

/** An LMDB database: one leaf a value under one branch, values of more than 2,000 bytes on overflow pages. */
export function lmdb(entries: readonly { key: string; value: Uint8Array }[]): Buffer {
  const pages: Buffer[] = [];
  const page = (flags: number, content: Uint8Array = new Uint8Array()) => {
    const count = Math.max(1, Math.ceil((16 + content.length) / 4096));
    const bytes = Buffer.alloc(4096 * count);
    const number = pages.length;
    bytes.writeBigUInt64LE(BigInt(number));
    bytes.writeUInt16LE(flags, 10);
    if (flags === 4) bytes.writeUInt32LE(count, 12);
    bytes.set(content, 16);
    for (let i = 0; i < count; i++) pages.push(bytes.subarray(4096 * i, 4096 * (i + 1)));
    return number;
  };
  page(8);
  page(8);
  const leaves = entries.map(({ key, value }) => {
    const isBig = value.length > 2000;
    const data = isBig ? Buffer.alloc(8) : value;
    if (isBig) (data as Buffer).writeBigUInt64LE(BigInt(page(4, value)));
    return { key, page: nodePage(page, 2, [lmdbNode(value.length, isBig ? 1 : 0, key, data)]) };
  });
  const children = leaves.map(({ key, page: number }, i) => lmdbNode(number, 0, i === 0 ? '' : key));
  const root = entries.length === 0 ? 2n ** 64n - 1n : BigInt(nodePage(page, 1, children));
  for (const transaction of [0, 1]) {
    const meta = pages[transaction];
    meta.writeUInt32LE(0xbeefc0de, 16);
    meta.writeUInt32LE(1, 20);
    meta.writeUInt32LE(4096, 40);
    // The older one knows of no entries yet.
    meta.writeBigUInt64LE(transaction ? BigInt(entries.length) : 0n, 120);
    meta.writeBigUInt64LE(transaction ? root : 2n ** 64n - 1n, 128);
    meta.writeBigUInt64LE(BigInt(transaction), 144);
  }
  return Buffer.concat(pages);
  function nodePage(write: typeof page, flags: number, nodes: readonly Buffer[]): number {
    const content = Buffer.alloc(4096 - 16);
    let end = content.length;
    nodes.forEach((node, i) => {
      end -= node.length;
      node.copy(content, end);
      content.writeUInt16LE(end + 16, 2 * i);
    });
    const number = write(flags, content);
    pages[number].writeUInt16LE(16 + 2 * nodes.length, 12);
    pages[number].writeUInt16LE(end + 16, 14);
    return number;
  }
}

function lmdbNode(
  sizeOrPage: number,
  flags: number,
  key: string,
  data: Uint8Array = new Uint8Array(),
): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(sizeOrPage);
  head.writeUInt16LE(flags, 4);
  head.writeUInt16LE(key.length, 6);
  const node = Buffer.concat([head, Buffer.from(key), data]);
  return Buffer.concat([node, Buffer.alloc(node.length & 1)]);
}

/** Three PNG of 2 × 3 pixels (9, 89, 169) labelled 2, 0, 1, in row groups of two and one, as pyarrow writes them with Snappy. */
export const parquet = Buffer.from(
  [
    'UEFSMRUAFdQCFewBLBUEFQAVBhUGHAAAAKoBiAIAAAAEAk4AAACJUE5HDQoaCgAAAA1JSERSAAAAAwAAAAIIASNMEhbxTQAAABVJ',
    'REFUeJxj5OTkZGAFAVxigAEAAiIAH5M77/sAAAAASUVORK5CYIK+UgAIjIyMHVJMEwIBD2hC1MAAAAAASUVORK5CYIIVABUsFS4s',
    'FQQVABUGFQYcAAAAFhQCAAAABAEBBiwAAAAAAAAAAAAAAAAVABWyARWwASwVAhUAFQYVBhwAAABZiAIAAAACAk8AAACJUE5HDQoa',
    'CgAAAA1JSERSAAAAAwAAAAIIASNMEhbxTQAAABZJREFUeJxjXLlyJQMFAWATAwwAACPiAf/F/ADkAAAAAElFTkSuQmCCFQAVHBUg',
    'LBUCFQAVBhUGHAAAAA40AgAAAAIBAQAAAAAAAAAVBBlMNQAYBnNjaGVtYRUEADUCGAVpbWFnZRUCABUMJQIYBWJ5dGVzABUEJQIY',
    'BWxhYmVsABYGGSwZLCYAHBUMGSUGABkoBWltYWdlBWJ5dGVzFQIWBBb+AhaWAiYISRwVABUAFQIAPBa4AhkGGTYAAAQAAAAmABwV',
    'BBklBgAZGAVsYWJlbBUCFgQWUhZUJp4CSRwVABUAFQIAPCkGGSYABAAAABbQAxYEJggW6gIAGSwmABwVDBklBgAZKAVpbWFnZQVi',
    'eXRlcxUCFgIW3AEW2gEm8gJJHBUAFQAVAgA8Fp4BGQYZNgAAAgAAACYAHBUEGSUGABkYBWxhYmVsFQIWAhZCFkYmzARJHBUAFQAV',
    'AgA8KQYZJgACAAAAFp4CFgIm8gIWoAIAKCBwYXJxdWV0LWNwcC1hcnJvdyB2ZXJzaW9uIDI2LjAuMRksHAAAHAAAAFIBAABQQVIx',
  ].join(''),
  'base64',
);
