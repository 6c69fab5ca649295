import { DataError } from '../../src/common/errors.ts';
import { type ByteSource, partOf } from './byte-source.ts';
import { archiveTree, type FileTree } from './file-tree.ts';
import { Names } from './packed-names.ts';

/*
 * A database of LMDB 0.9 (`data.mdb`; the structures are those of its mdb.c, on 64-bit little-endian machines): pages
 * of one size, of which the first two are meta pages and the others form a B+ tree of nodes, a key and a value each.
 */

const PAGE_HEADER = 16;
const NODE_HEADER = 8;
/** Flags of a page, of a node, and of a database. */
const BRANCH_PAGE = 0x01;
const LEAF_PAGE = 0x02;
const BIG_VALUE = 0x01;
const SUB_DATABASE = 0x02;
const DUPLICATES = 0x04;
const MAX_DEPTH = 32;

/** A tree without a root is empty. */
const NO_PAGE = 2n ** 64n - 1n;

/**
 * The values of an LMDB database by their keys, in the order of keys. Only the tree is read; values lie in the file as
 * they are, in a leaf or in overflow pages, and are read when they are asked for. Nothing is written, locks included.
 *
 * @throws DataError where the file is damaged, or holds several databases or several values a key
 */
export async function openLmdb(file: ByteSource): Promise<FileTree> {
  const names = new Names();
  const starts: number[] = [];
  const sizes: number[] = [];
  const meta = await readMeta(file);
  for await (const { key, start, size } of values(file, meta)) {
    names.add(keyName(key));
    starts.push(start);
    sizes.push(size);
  }
  if (names.length !== meta.entries)
    throw damaged(file, `it has ${names.length} entries where ${meta.entries} are announced`);
  if (names.length === 0) throw new DataError(file.where, 'holds no images: it is an empty database');
  return archiveTree(file, names, async (index) =>
    partOf(file, starts[index], sizes[index], `${file.where}: ${names.at(index)}`),
  );
}

/** Whether these bytes begin a database: the magic number of the first meta page. */
export function beginsLmdb(head: Uint8Array): boolean {
  return head.length >= PAGE_HEADER + 4 && Buffer.from(head).readUInt32LE(PAGE_HEADER) === 0xbeefc0de;
}

interface Meta {
  readonly pageSize: number;
  readonly entries: number;
  /** The page that the tree begins with, undefined where it is empty. */
  readonly root: number | undefined;
  readonly transaction: bigint;
}

/** Two meta pages are written in turn: that of the last transaction counts. */
async function readMeta(file: ByteSource): Promise<Meta> {
  const first = await metaAt(file, 0);
  const second = await metaAt(file, first.pageSize);
  return first.transaction >= second.transaction ? first : second;
}

async function metaAt(file: ByteSource, position: number): Promise<Meta> {
  const bytes = Buffer.from(await file.read(position, PAGE_HEADER + 136));
  const meta = bytes.subarray(PAGE_HEADER);
  if (meta.readUInt32LE(0) !== 0xbeefc0de) throw damaged(file, `there is no meta page at byte ${position}`);
  const version = meta.readUInt32LE(4);
  if (version !== 1) throw new DataError(file.where, `is LMDB of version ${version}; only version 1 is read`);
  // The free list's record comes first, the main database's follows.
  const pageSize = meta.readUInt32LE(24);
  const flags = meta.readUInt16LE(76);
  const entries = meta.readBigUInt64LE(104);
  const root = meta.readBigUInt64LE(112);
  if (pageSize < 256 || pageSize > 65536 || pageSize & (pageSize - 1))
    throw damaged(file, `its pages claim to have ${pageSize} bytes`);
  if (flags & DUPLICATES)
    throw new DataError(file.where, 'keeps several values a key', 'write one image a key');
  if (entries > file.size / NODE_HEADER) throw damaged(file, `it claims ${entries} entries`);
  return {
    pageSize,
    entries: Number(entries),
    root: root === NO_PAGE ? undefined : pageNumber(file, pageSize, root),
    transaction: meta.readBigUInt64LE(128),
  };
}

interface Value {
  readonly key: Buffer;
  readonly start: number;
  readonly size: number;
}

async function* values(file: ByteSource, { pageSize, root }: Meta): AsyncGenerator<Value> {
  // In a tree a page is reached once: more pages than there are means that they lead round in circles.
  let left = Math.floor(file.size / pageSize);
  async function* below(number: number, depth: number): AsyncGenerator<Value> {
    if (left-- === 0 || depth === MAX_DEPTH) throw damaged(file, `page ${number} is reached by two ways`);
    const page = Buffer.from(await file.read(number * pageSize, pageSize));
    const flags = page.readUInt16LE(10);
    if (!(flags & BRANCH_PAGE) && !(flags & LEAF_PAGE))
      throw damaged(file, `page ${number} is neither branch nor leaf`);
    for (const node of nodes(file, page, number))
      if (flags & BRANCH_PAGE) yield* below(childOf(file, pageSize, page, node), depth + 1);
      else yield leafValue(file, pageSize, page, number, node);
  }
  if (root !== undefined) yield* below(root, 0);
}

/** Where the nodes of a page begin: a list of 16-bit offsets behind the page's header. */
function nodes(file: ByteSource, page: Buffer, number: number): number[] {
  const end = page.readUInt16LE(12);
  if (end < PAGE_HEADER || end > page.length || end % 2)
    throw damaged(file, `page ${number} has ${end} bytes of header`);
  const offsets = Array.from({ length: (end - PAGE_HEADER) / 2 }, (_, i) =>
    page.readUInt16LE(PAGE_HEADER + 2 * i),
  );
  const wrong = offsets.find((offset) => offset < end || offset + NODE_HEADER > page.length);
  if (wrong !== undefined) throw damaged(file, `page ${number} has a node at ${wrong}`);
  return offsets;
}

/** A branch's node holds the number of a page in 48 bits. */
function childOf(file: ByteSource, pageSize: number, page: Buffer, node: number): number {
  return pageNumber(file, pageSize, BigInt(page.readUIntLE(node, 6)));
}

function leafValue(file: ByteSource, pageSize: number, page: Buffer, number: number, node: number): Value {
  const size = page.readUInt32LE(node);
  const flags = page.readUInt16LE(node + 4);
  const data = node + NODE_HEADER + page.readUInt16LE(node + 6);
  if (flags & (SUB_DATABASE | DUPLICATES))
    throw new DataError(file.where, 'holds several databases', 'write the images into one without a name');
  if (data + (flags & BIG_VALUE ? 8 : size) > page.length)
    throw damaged(file, `a value on page ${number} does not fit into it`);
  const key = page.subarray(node + NODE_HEADER, data);
  if (!(flags & BIG_VALUE)) return { key, start: number * pageSize + data, size };
  const first = pageNumber(file, pageSize, page.readBigUInt64LE(data));
  const start = first * pageSize + PAGE_HEADER;
  if (start + size > file.size)
    throw damaged(file, `the overflow pages at ${first} do not hold a value of ${size} bytes`);
  return { key, start, size };
}

function pageNumber(file: ByteSource, pageSize: number, number: bigint): number {
  if (number < 2n || (number + 1n) * BigInt(pageSize) > BigInt(file.size))
    throw damaged(file, `it points to page ${number}, which it does not have`);
  return Number(number);
}

/** Keys are mostly text; another one is shown by its bytes. */
function keyName(key: Buffer): string {
  const text = key.toString('utf8');
  return /^[^\p{C}\ufffd]+$/u.test(text) ? text : `0x${key.toString('hex')}`;
}

function damaged(file: ByteSource, problem: string): DataError {
  return new DataError(file.where, `is a damaged LMDB database: ${problem}`, 'download it again');
}
