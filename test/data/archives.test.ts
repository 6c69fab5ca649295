import { mkdir, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { memorySource } from '../../data/files/byte-source.ts';
import { gunzip } from '../../data/files/inflate.ts';
import { openImageSet } from '../../data/open.ts';
import { DataError } from '../../src/common/errors.ts';
import { lmdb, type Member, png, tar, tarSum, zip } from './files.ts';
import { temporaryFolder } from './images.ts';
import { rejection } from './rejection.ts';

const size = { height: 1, width: 1 };

describe('Archives', () => {
  const folder = temporaryFolder();
  let members: Member[];

  before(async () => {
    const colors = [1, 2, 3, 4].map((i) => png(10 * i, 0, i));
    const [a, b, c, d] = await Promise.all(colors);
    members = [
      { name: './set/b/2.png', bytes: c },
      { name: './set/a/2.png', bytes: b },
      { name: './set/a/1.png', bytes: a },
      { name: './set/b/10.png', bytes: d },
      { name: './set/readme.txt', bytes: Buffer.from('read me') },
      { name: './set/a/._1.png', bytes: Buffer.from('hidden') },
    ];
  });

  const write = async (name: string, bytes: Uint8Array) => {
    await writeFile(folder.at(name), bytes);
    return folder.at(name);
  };
  const refusal = async (name: string, bytes: Uint8Array) =>
    (await rejection(readAll(await write(name, bytes)), DataError)).message;

  it('of every kind are the folder that was packed', async () => {
    const packed = {
      'plain.tar': tar(members),
      'packed.tar.gz': gzipSync(tar(members)),
      'two.tgz': Buffer.concat([
        gzipSync(tar(members).subarray(0, 700)),
        gzipSync(tar(members).subarray(700)),
      ]),
      'stored.zip': await zip(members, false),
      'deflated.zip': await zip(members),
    };
    for (const [name, bytes] of Object.entries(packed)) {
      const set = await openImageSet(await write(name, bytes));
      const all = [0, 1, 2, 3];
      expect(set.name, name).to.equal(name.split('.')[0]);
      expect(all.map(set.imageName)).to.deep.equal(
        ['a/1', 'a/2', 'b/10', 'b/2'].map((at) => `set/${at}.png`),
      );
      expect(set.classes).to.deep.equal(['a', 'b']);
      expect(all.map(set.label)).to.deep.equal([0, 0, 1, 1]);
      expect([...(await set.read(0, 4, size))]).to.deep.equal([10, 0, 1, 20, 0, 2, 40, 0, 4, 30, 0, 3]);
      expect(await set.fingerprint()).to.match(/^[0-9a-f]{64}$/);
    }
  });

  it('have parts', async () => {
    const parts = members.map((member) => ({ ...member, name: member.name.replace('set/', 'set/test/') }));
    const train = { name: 'set/train/a/1.png', bytes: members[0].bytes };
    const path = await write('parts.zip', await zip([...parts, train]));
    const set = await openImageSet(`${path}:test`);
    expect([set.name, set.length]).to.deep.equal(['parts_test', 4]);
    expect(set.imageName(0)).to.equal('a/1.png');
    expect((await rejection(openImageSet(path), DataError)).message).to.match(
      /holds the parts test, train of a set, not classes; say .*parts\.zip:test$/,
    );
    expect((await rejection(openImageSet(`${path}:val`), DataError)).message).to.match(/val: no such file/);
  });

  it('whose names lead out of them are refused', async () => {
    const [{ bytes }] = members;
    for (const name of ['../a.png', 'a/../../b.png', '/etc/a.png', 'C:\\a.png', 'a\\..\\..\\b.png'])
      expect(await refusal('out.tar', tar([{ name, bytes }]))).to.match(
        /which leads out of it; do not trust/,
      );
    // yazl writes no such name: it is put there afterwards.
    const honest = (await zip([{ name: 'xx/a.png', bytes }], false)).toString('latin1');
    const hostile = Buffer.from(honest.replaceAll('xx/a.png', '../a.png'), 'latin1');
    expect(await refusal('out.zip', hostile)).to.match(
      /out\.zip: is a damaged zip archive \(invalid relative path/,
    );
  });

  it('with links for images name them when they are read, other links are passed over', async () => {
    const link = (name: string, type: string) => ({ name, type, bytes: new Uint8Array() });
    for (const type of ['1', '2']) {
      const linked = await openImageSet(
        await write('link.tar', tar([...members, link('set/a/3.png', type)])),
      );
      expect((await rejection(linked.read(0, linked.length, size), DataError)).message).to.match(
        /set\/a\/3\.png: is a link, which is not followed/,
      );
    }
    const set = await openImageSet(await write('link.tar', tar([...members, link('set/latest', '2')])));
    expect(set.length).to.equal(4);
  });

  it('hold what is stored twice once: the last', async () => {
    const [first, second] = [members[0], { ...members[1], name: members[0].name.replace('./', '') }];
    for (const [name, bytes] of [
      ['twice.tar', tar([first, second])],
      ['twice.zip', await zip([{ ...first, name: second.name }, second])],
    ] as const) {
      const set = await openImageSet(await write(name, bytes));
      expect(set.length, name).to.equal(1);
      expect([...(await set.read(0, 1, size))], name).to.deep.equal([20, 0, 2]);
    }
  });

  it('are judged file by file, when one is read', async () => {
    const archive = await zip([...members.map((member) => ({ ...member, name: member.name.slice(2) }))]);
    const at = archive.lastIndexOf('set/readme.txt') - 46;
    // Compressed by LZMA.
    archive.writeUInt16LE(14, at + 10);
    const set = await openImageSet(await write('lzma.zip', archive));
    expect(await set.read(0, 4, size)).to.have.length(12);
    expect(set.leftOut).to.deep.equal([{ name: 'set/readme.txt', kind: 'is compressed by method 14' }]);
    const sparse = tar([...members, { name: 'set/hole.bin', type: 'S', bytes: new Uint8Array() }]);
    expect((await openImageSet(await write('sparse.tar', sparse))).leftOut).to.deep.include({
      name: 'set/hole.bin',
      kind: 'is a sparse file',
    });
  });

  it('may have something behind their end', async () => {
    const archive = await zip(members.map((member) => ({ ...member, name: member.name.slice(2) })));
    const set = await openImageSet(await write('behind.zip', Buffer.concat([archive, Buffer.from('\n')])));
    expect(set.length).to.equal(4);
  });

  it('hold images without an ending, told by their first bytes', async () => {
    const bare = members.slice(0, 4).map(({ name, bytes }) => ({ name: name.slice(2, -4), bytes }));
    for (const [name, bytes] of [
      ['bare.tar', tar(bare)],
      ['bare.zip', await zip(bare)],
    ] as const)
      expect((await openImageSet(await write(name, bytes))).length, name).to.equal(4);
  });

  it('whose names are no UTF-8 keep them apart', async () => {
    const latin1 = tar(members.slice(0, 2).map(({ bytes }) => ({ name: 'x?.png', bytes })));
    for (const byte of [0xe9, 0xe8]) {
      const header = latin1.indexOf('x?.png');
      latin1[header + 1] = byte;
      latin1.write('        ', header + 148);
      latin1.write(
        `${tarSum(latin1.subarray(header, header + 512))
          .toString(8)
          .padStart(6, '0')}\0 `,
        header + 148,
      );
    }
    const set = await openImageSet(await write('latin1.tar', latin1));
    expect([0, 1].map(set.imageName).sort()).to.deep.equal(['x\\xe8.png', 'x\\xe9.png']);
  });

  it('that are cut short or damaged are named', async () => {
    const plain = tar(members);
    expect(await refusal('cut.tar', plain.subarray(0, 2600))).to.match(/cut\.tar: /);
    const bad = Buffer.from(plain);
    bad[1024 + 130] ^= 1;
    expect(await refusal('sum.tar', bad)).to.match(/sum\.tar: at byte 1024 there is no tar header/);
    const huge = Buffer.from(plain.subarray(0, 512));
    huge.write('77777777777', 124);
    huge.write('        ', 148);
    huge.write(`${tarSum(huge).toString(8).padStart(6, '0')}\0 `, 148);
    expect(await refusal('huge.tar', huge)).to.match(/a file of 8589934591 bytes does not fit/);
    const packed = gzipSync(plain);
    expect(await refusal('cut.tgz', packed.subarray(0, -12))).to.match(
      /cut\.tgz: is damaged: it cannot be unpacked/,
    );
    packed[packed.length - 6] ^= 1;
    expect(await refusal('sum.tgz', packed)).to.match(
      /sum\.tgz: is damaged: it cannot be unpacked \(incorrect data/,
    );
  });

  it('with a wrong CRC-32, a method that is not read, or a bomb are refused', async () => {
    const stored = await zip(members.slice(0, 1), false);
    const damaged = Buffer.from(stored);
    damaged[90] ^= 1;
    expect(await refusal('crc.zip', damaged)).to.match(/set\/b\/2\.png: is damaged: its CRC-32 is wrong/);
    const deflated = await zip(members.slice(0, 1));
    const directory = deflated.indexOf('PK\x01\x02', 0, 'latin1');
    const patched = (offset: number, value: number, bytes: number) => {
      const copy = Buffer.from(deflated);
      copy.writeUIntLE(value, directory + offset, bytes);
      return copy;
    };
    expect(await refusal('method.zip', patched(10, 12, 2))).to.match(/is compressed by method 12/);
    expect(await refusal('secret.zip', patched(8, 1, 2))).to.match(/is encrypted/);
    expect(await refusal('bomb.zip', patched(24, 2 ** 31, 4))).to.match(
      /claims to unpack .* which is a zip bomb/,
    );
  });

  it('that unpack to more than fits into memory are told to be gunzipped', async () => {
    const bomb = memorySource('a.tar.gz', [gzipSync(new Uint8Array(1 << 22))]);
    const message =
      'a.tar.gz: unpacks to more than 1 MiB, which is too much to keep in memory; gunzip it first: what comes out is read in place';
    expect((await rejection(gunzip(bomb, 1 << 20), DataError)).message).to.equal(message);
    const packed = memorySource('a.tar.gz', [new Uint8Array(2 ** 20 + 1)]);
    expect((await rejection(gunzip(packed, 1 << 20), DataError)).message).to.equal(message);
  });

  it('compressed otherwise say how to unpack them', async () => {
    const xz = Buffer.from('fd377a585a0000', 'hex');
    expect(await refusal('a.tar.xz', xz)).to.match(/a way that is not read; unpack it with xz -d$/);
  });

  it('without images say so', async () => {
    expect(await refusal('none.tar', tar(members.slice(4)))).to.match(/none\.tar: holds no images/);
    expect(await refusal('none.zip', await zip([]))).to.match(/none\.zip: holds no images/);
  });
});

describe('LMDB', () => {
  const folder = temporaryFolder();

  it('gives its values in the order of keys, those on overflow pages too', async () => {
    const values = await Promise.all([png(1, 2, 3), png(4, 5, 6, 16), png(7, 8, 9)]);
    const padded = Buffer.concat([values[1], Buffer.alloc(9000)]);
    const entries = ['0a', '0b', '0c'].map((key, i) => ({ key, value: i === 1 ? padded : values[i] }));
    await mkdir(folder.at('test_lmdb'));
    await writeFile(folder.at('test_lmdb/data.mdb'), lmdb(entries));
    for (const path of ['test_lmdb', 'test_lmdb/data.mdb']) {
      const set = await openImageSet(folder.at(path));
      expect([0, 1, 2].map(set.imageName)).to.deep.equal(['0a', '0b', '0c']);
      expect([...(await set.read(0, 3, size))]).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(set.classes).to.equal(undefined);
    }
  });

  it('that leads round in circles, points outside itself or is empty is refused', async () => {
    const value = await png(1, 2, 3);
    const whole = lmdb([
      { key: 'a', value },
      { key: 'b', value },
    ]);
    const refusal = async (change: (bytes: Buffer) => void) => {
      const bytes = Buffer.from(whole);
      change(bytes);
      await writeFile(folder.at('bad.mdb'), bytes);
      return (await rejection(readAll(folder.at('bad.mdb')), DataError)).message;
    };
    const branch = 4 * 4096;
    const child = branch + whole.readUInt16LE(branch + 16);
    expect(await refusal((bytes) => bytes.writeUInt32LE(4, child))).to.match(/page 4 is reached by two ways/);
    expect(await refusal((bytes) => bytes.writeUInt32LE(99, child))).to.match(
      /points to page 99, which it does not/,
    );
    expect(await refusal((bytes) => bytes.writeBigUInt64LE(3n, 4096 + 120))).to.match(
      /2 entries where 3 are/,
    );
    expect(await refusal((bytes) => bytes.writeUInt16LE(4, 4096 + 92))).to.match(
      /keeps several values a key/,
    );
    const leaf = 2 * 4096;
    const node = leaf + whole.readUInt16LE(leaf + 16);
    expect(await refusal((bytes) => bytes.writeUInt32LE(9000, node))).to.match(/page 2 does not fit into it/);
    await writeFile(folder.at('empty.mdb'), lmdb([]));
    expect((await rejection(readAll(folder.at('empty.mdb')), DataError)).message).to.match(/holds no images/);
  });
});

async function readAll(path: string): Promise<Uint8Array> {
  const set = await openImageSet(path);
  return set.read(0, set.length, size);
}
