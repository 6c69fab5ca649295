import { DataError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import { isImageName } from '../image-kind.ts';
import { type ByteSource, partOf, readingAhead } from './byte-source.ts';
import { archiveTree, type FileTree, isHidden, memberName } from './file-tree.ts';
import { Names, nameText } from './packed-names.ts';

const BLOCK = 512;
/** A name longer than this is not read. */
const maxNameBytes = 1 << 16;

/**
 * The files in a tar archive (POSIX ustar and pax, GNU, V7), read in place: only the headers are gone through.
 * Links are not followed: one that is named like an image is refused when it is read, and so is a sparse file.
 *
 * @throws DataError where the archive is damaged or cut short, or holds names that lead out of it
 */
export async function openTar(archive: ByteSource): Promise<FileTree> {
  const names = new Names();
  const starts: number[] = [];
  const sizes: number[] = [];
  // What is stored twice is there once when it is unpacked: the last counts.
  const places = new Map<string, number>();
  // A file that is not looked at does not matter: each is judged when it is read.
  const problems = new Map<number, string>();
  for await (const { name, start, size, problem } of members(archive)) {
    if (isHidden(name)) continue;
    const place = places.get(name) ?? names.length;
    if (place === names.length) names.add(name);
    places.set(name, place);
    starts[place] = start;
    sizes[place] = size;
    if (problem) problems.set(place, problem);
    else problems.delete(place);
  }
  return archiveTree(archive, names, async (index) => {
    const where = `${archive.where}: ${printable(names.at(index))}`;
    const problem = problems.get(index);
    if (problem) throw new DataError(where, problem, 'unpack the archive with tar');
    return partOf(archive, starts[index], sizes[index], where);
  });
}

/** Whether these bytes begin a tar archive: a header whose checksum is right. */
export function beginsTar(head: Uint8Array): boolean {
  return head.length >= BLOCK && head[0] !== 0 && hasChecksum(head.subarray(0, BLOCK));
}

interface Member {
  readonly name: string;
  readonly start: number;
  readonly size: number;
  /** Why it is not read. */
  readonly problem?: string;
}

/** What a member says of the next one. */
interface Ahead {
  name?: string;
  size?: number;
  isSparse?: boolean;
}

/** Regular files. What says something about the next header (a long name, pax records) is joined with it. */
async function* members(archive: ByteSource): AsyncGenerator<Member> {
  const ahead = readingAhead(archive);
  let next: Ahead = {};
  for (let position = 0; position < archive.size; ) {
    const header = await ahead.read(position, BLOCK);
    if (header.every((byte) => byte === 0)) return;
    if (!hasChecksum(header)) fail(archive, position, 'there is no tar header');
    const type = String.fromCharCode(header[156] || 0x30);
    const size = next.size ?? number(archive, position, header.subarray(124, 136));
    const start = position + BLOCK;
    if (start + size > archive.size)
      fail(
        archive,
        position,
        `a file of ${size} bytes does not fit into the ${archive.size - start} that follow`,
      );
    const content = () => {
      if (size > maxNameBytes) fail(archive, position, `a name has ${size} bytes`);
      return ahead.read(start, size);
    };
    if (type === 'L') next.name = text(await content());
    else if (type === 'x') next = { ...next, ...pax(archive, position, await content()) };
    // A long link target and records for the whole archive say nothing that is needed here.
    else if (type !== 'K' && type !== 'g') {
      const name = memberName(archive.where, next.name ?? ownName(header));
      const sparse = type === 'S' || next.isSparse ? { problem: 'is a sparse file' } : {};
      if ('07S'.includes(type)) {
        if (!name.endsWith('/')) yield { name, start, size, ...sparse };
      } else if ('12'.includes(type) && isImageName(name))
        yield { name, start, size: 0, problem: 'is a link, which is not followed' };
      next = {};
    }
    position = start + (type === 'S' ? await moreOfMap(ahead, start, header) : 0);
    position += Math.ceil(size / BLOCK) * BLOCK;
  }
}

/** Bytes of the blocks that go on with the map of a sparse file (GNU): a byte in each says whether another follows. */
async function moreOfMap(archive: ByteSource, start: number, header: Uint8Array): Promise<number> {
  let bytes = 0;
  for (let more = header[482] !== 0; more; bytes += BLOCK)
    more = (await archive.read(start + bytes, BLOCK))[504] !== 0;
  return bytes;
}

/** The sum of a header's bytes, its checksum field taken as spaces; old writers summed signed bytes. */
function hasChecksum(header: Uint8Array): boolean {
  let unsigned = 8 * 0x20;
  let signed = unsigned;
  for (let i = 0; i < BLOCK; i++)
    if (i < 148 || i >= 156) {
      unsigned += header[i];
      signed += (header[i] << 24) >> 24;
    }
  const digits = text(header.subarray(148, 156)).trim();
  const sum = /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
  return sum === unsigned || sum === signed;
}

/** Octal digits, or where the first bit is set a big-endian number (GNU, for sizes of 8 GiB and more). */
function number(archive: ByteSource, position: number, field: Uint8Array): number {
  if (field[0] & 0x80) return field.subarray(1).reduce((value, byte) => 256 * value + byte, field[0] & 0x7f);
  const digits = text(field).trim();
  if (!/^[0-7]*$/.test(digits)) fail(archive, position, 'the size in the header is no number');
  return Number.parseInt(digits || '0', 8);
}

/** Path and size among pax records, lines of `LENGTH KEY=VALUE` where LENGTH counts the whole line. */
function pax(archive: ByteSource, position: number, bytes: Uint8Array): Ahead {
  const found: Ahead = {};
  for (let at = 0; at < bytes.length && bytes[at] !== 0; ) {
    const [, digits] = /^(\d{1,7}) /.exec(text(bytes.subarray(at, at + 8))) ?? [];
    const end = at + Number(digits);
    if (!digits || end > bytes.length || end <= at + digits.length)
      fail(archive, position, 'the pax records are damaged');
    const record = Buffer.from(bytes.subarray(at + digits.length + 1, end - 1)).toString('utf8');
    const equals = record.indexOf('=');
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (key === 'path') found.name = value;
    if (key === 'size') {
      if (!/^\d{1,15}$/.test(value)) fail(archive, position, 'the pax records are damaged');
      found.size = Number(value);
    }
    if (key === 'GNU.sparse.name') found.name = value;
    if (key.startsWith('GNU.sparse')) found.isSparse = true;
    at = end;
  }
  return found;
}

function ownName(header: Uint8Array): string {
  const name = text(header.subarray(0, 100));
  // GNU's headers have times where POSIX has the prefix.
  const isPosix = text(header.subarray(257, 263)) === 'ustar' && header[262] === 0;
  const prefix = isPosix ? text(header.subarray(345, 500)) : '';
  return prefix ? `${prefix}/${name}` : name;
}

/** Up to the first zero byte. */
function text(field: Uint8Array): string {
  const end = field.indexOf(0);
  return nameText(end < 0 ? field : field.subarray(0, end));
}

function fail(archive: ByteSource, position: number, problem: string): never {
  throw new DataError(
    archive.where,
    `at byte ${position} ${problem}`,
    'download it again, or unpack it with tar',
  );
}
