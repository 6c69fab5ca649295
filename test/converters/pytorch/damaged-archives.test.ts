import { expect } from 'chai';
import { readCheckpoint } from '../../../converters/pytorch/read-checkpoint.ts';
import { PickleAssembler } from '../../../src/common/pickle/assembler.ts';
import {
  checkpointOf,
  expectRefused,
  legacyCheckpoint,
  soundCheckpoint,
  stateDictPickle,
  temporaryFile,
  twoFloats,
  zip,
} from './fixtures.ts';

const CENTRAL = 'PK\x01\x02';

/** Numbers as in the list of bad inputs. */
describe('checkpoint archives', () => {
  it('1: refuses an empty file', () => expectRefused('', /is empty; download/));

  it('2: refuses a truncated zip, wherever it ends', async () => {
    const bytes = await soundCheckpoint();
    for (const length of [10, 60, 300, bytes.length - 30, bytes.length - 1])
      await expectRefused(
        bytes.subarray(0, length),
        /damaged zip archive|differs|beyond/,
        /download or copy it again/,
      );
  });

  it('3: refuses a web page and other files, saying what they are', async () => {
    await expectRefused('\n<!DOCTYPE html><html>', /is a web page/);
    await expectRefused('GIF89a.............', /begins with the bytes 47494638/);
    await expectRefused(Buffer.from('1f8b0800', 'hex'), /is compressed; unpack it/);
  });

  it('4: refuses a Git LFS pointer', () =>
    expectRefused(
      'version https://git-lfs.github.com/spec/v1\noid sha256:00\n',
      /Git LFS pointer.*git lfs pull/,
    ));

  it('5: reads a torch file named .h5, and refuses HDF5 named .pt', async () => {
    const path = await temporaryFile(await soundCheckpoint(), 'weights.h5');
    expect([...(await readCheckpoint(path)).stateDict.keys()]).to.deep.equal(['weight']);
    await expectRefused(Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'), /is an HDF5 file/);
  });

  it('6: reads the legacy format, tensors of version 1 too', async () => {
    const pickle = stateDictPickle({ weight: { legacy: true }, part: { shape: [1], offset: 1 } });
    const { stateDict, format } = await readCheckpoint(await temporaryFile(legacyCheckpoint(pickle)));
    expect(format).to.equal('legacy');
    expect([...stateDict]).to.deep.equal([
      ['weight', { dtype: 'float32', shape: [2], data: Float32Array.of(1, -2) }],
      ['part', { dtype: 'float32', shape: [1], data: Float32Array.of(-2) }],
    ]);
  });

  it('6: refuses the tar format and TorchScript, saying how to convert them', async () => {
    const tar = Buffer.alloc(1024);
    tar.write('ustar', 257);
    await expectRefused(tar, /is a tar archive/);
    const script = await zip([
      ['m/data.pkl', stateDictPickle({})],
      ['m/constants.pkl', stateDictPickle({})],
      ['m/code/m.py', ''],
    ]);
    await expectRefused(
      script,
      /TorchScript.*torch\.onnx\.export\(torch\.jit\.load\(FILE\), …\).*la-ood fit/,
    );
    const program = await zip([['m/serialized_exported_program.json', '{}']]);
    await expectRefused(program, /\.pt2 archive.*torch\.onnx\.export.*la-ood fit/);
  });

  it('7: refuses local headers that disagree with the central directory', async () => {
    const name = await soundCheckpoint();
    name.write('archive/dbta/0', name.indexOf('archive/data/0'));
    await expectRefused(name, /archive\/data\/0 differs between its local header and the central directory/);
    const crc = await soundCheckpoint();
    crc[14] ^= 1;
    await expectRefused(crc, /archive\/data\.pkl differs between/);
    const method = await soundCheckpoint();
    method[8] = 8;
    await expectRefused(method, /differs between/);
  });

  it('7: refuses a data descriptor that disagrees', async () => {
    // An entry whose sizes follow its data, as PyTorch writes all of them.
    const withDescriptor = async (crcOffset: number) => {
      const bytes = await zip([['a/data.pkl', stateDictPickle({})]]);
      const directory = bytes.indexOf(CENTRAL, 0, 'latin1');
      const descriptor = Buffer.concat([Buffer.from('PK\x07\x08', 'latin1'), bytes.subarray(14, 26)]);
      descriptor[4] += crcOffset;
      bytes[6] |= 8;
      bytes[directory + 8] |= 8;
      const end = Buffer.from(bytes.subarray(bytes.length - 22));
      end.writeUInt32LE(directory + descriptor.length, 16);
      return Buffer.concat([bytes.subarray(0, directory), descriptor, bytes.subarray(directory, -22), end]);
    };
    await expectRefused(await withDescriptor(0), /holds no weights/);
    await expectRefused(
      await withDescriptor(1),
      /differs between its data descriptor and the central directory/,
    );
  });

  it('8: refuses duplicate entries', async () => {
    const pickle = stateDictPickle({ weight: {} });
    const bytes = await zip([
      ['a/data.pkl', pickle],
      ['a/data/0', twoFloats],
      ['a/data/0', twoFloats],
    ]);
    await expectRefused(bytes, /has two zip entries named a\/data\/0/);
  });

  it('9: refuses entry names that lead out of the archive', async () => {
    for (const name of ['../../../../x', '/etc/passwd.x', 'c:/a/b/c/d/ex', 'a\\..\\..\\..\\x']) {
      const bytes = await zip([
        ['a/data.pkl', stateDictPickle({ weight: {} })],
        ['x'.repeat(name.length), 'evil'],
      ]);
      const evil = Buffer.from(bytes.toString('latin1').replaceAll('x'.repeat(name.length), name), 'latin1');
      await expectRefused(evil, /damaged zip archive \((invalid|absolute)/);
    }
  });

  it('10: refuses encrypted and exotically compressed entries', async () => {
    const encrypted = await soundCheckpoint(true);
    encrypted[6] |= 1;
    encrypted[encrypted.indexOf(CENTRAL, 0, 'latin1') + 8] |= 1;
    await expectRefused(encrypted, /archive\/data\.pkl is encrypted; unpack it/);
    const exotic = await soundCheckpoint();
    exotic[8] = 93;
    exotic[exotic.indexOf(CENTRAL, 0, 'latin1') + 10] = 93;
    await expectRefused(exotic, /is compressed by method 93/);
  });

  it('11: refuses a record with a wrong CRC', async () => {
    const bytes = await soundCheckpoint();
    bytes[bytes.indexOf(twoFloats)] ^= 1;
    await expectRefused(bytes, /the CRC-32 of archive\/data\/0 is wrong/);
  });

  it('12: refuses zip bombs: too good a ratio, false sizes, overlapping entries', async () => {
    const zeros = new Uint8Array(1 << 20);
    const pickle = stateDictPickle({ weight: { elements: 1 << 18, shape: [1 << 18] } });
    await expectRefused(
      await checkpointOf(pickle, zeros, true),
      /is a zip bomb: \d+ bytes claim to unpack to 10/,
    );

    const lying = await soundCheckpoint(true);
    const directory = lying.indexOf(CENTRAL, 0, 'latin1');
    lying.writeUInt32LE(10, 22);
    lying.writeUInt32LE(10, directory + 24);
    await expectRefused(lying, /does not unpack to its 10 bytes/);

    const overlapping = await soundCheckpoint();
    const second = overlapping.indexOf(CENTRAL, overlapping.indexOf(CENTRAL, 0, 'latin1') + 4, 'latin1');
    overlapping.writeUInt32LE(0, second + 42);
    await expectRefused(overlapping, /archive\/byteorder differs between its local header/);
  });

  it('12: refuses entries that overlap although their headers are sound', async () => {
    // The data of the first entry, read to its end, is the second entry.
    const inner = await zip([['a/data/0', twoFloats]]);
    const innerLocal = inner.subarray(0, inner.indexOf(CENTRAL, 0, 'latin1'));
    const outer = await zip([['a/data.pkl', innerLocal]]);
    const start = outer.indexOf(innerLocal);
    const record = Buffer.from(inner.subarray(innerLocal.length, inner.indexOf('PK\x05\x06', 0, 'latin1')));
    record.writeUInt32LE(start, 42);
    const end = outer.indexOf('PK\x05\x06', 0, 'latin1');
    const trailer = Buffer.from(outer.subarray(end));
    trailer.writeUInt16LE(2, 8);
    trailer.writeUInt16LE(2, 10);
    trailer.writeUInt32LE(trailer.readUInt32LE(12) + record.length, 12);
    await expectRefused(
      Buffer.concat([outer.subarray(0, end), record, trailer]),
      /overlapping data at a\/data\/0/,
    );
  });

  it('13: refuses zip64 sizes beyond 2^53', async () => {
    const bytes = await soundCheckpoint();
    const directory = bytes.indexOf(CENTRAL, 0, 'latin1');
    const nameLength = bytes.readUInt16LE(directory + 28);
    const extraLength = bytes.readUInt16LE(directory + 30);
    const zip64 = Buffer.alloc(20);
    zip64.writeUInt16LE(1, 0);
    zip64.writeUInt16LE(16, 2);
    zip64.writeBigUInt64LE(2n ** 60n, 4);
    zip64.writeBigUInt64LE(2n ** 60n, 12);
    bytes.writeUInt32LE(0xffffffff, directory + 20);
    bytes.writeUInt32LE(0xffffffff, directory + 24);
    bytes.writeUInt16LE(extraLength + 20, directory + 30);
    const extra = directory + 46 + nameLength;
    await expectRefused(
      Buffer.concat([bytes.subarray(0, extra), zip64, bytes.subarray(extra)]),
      /archive\/data\.pkl claims a size or offset beyond 2\^53/,
    );
  });

  it('13: refuses a zip64 directory beyond the end', async () => {
    const bytes = await soundCheckpoint();
    const locator = Buffer.alloc(20);
    locator.write('PK\x06\x07', 'latin1');
    locator.writeBigUInt64LE(2n ** 63n, 8);
    const end = bytes.length - 22;
    await expectRefused(
      Buffer.concat([bytes.subarray(0, end), locator, bytes.subarray(end)]),
      /a header lies beyond the end of the file/,
    );
  });

  it('14: refuses data before, between and behind', async () => {
    const bytes = await soundCheckpoint();
    await expectRefused(
      Buffer.concat([Buffer.from('#!/bin/sh\n'), bytes]),
      /has data before its zip archive/,
    );
    await expectRefused(Buffer.concat([bytes, Buffer.from('tail')]), /damaged zip archive/);
    const legacy = legacyCheckpoint(stateDictPickle({ weight: {} }));
    await expectRefused(Buffer.concat([legacy, bytes]), /bytes hidden behind its last storage/);
    const comment = Buffer.concat([bytes, Buffer.from('hi')]);
    comment.writeUInt16LE(2, bytes.length - 2);
    await expectRefused(comment, /comment behind its zip archive/);
    const directory = bytes.indexOf(CENTRAL, 0, 'latin1');
    const gap = Buffer.concat([bytes.subarray(0, directory), Buffer.from('hide'), bytes.subarray(directory)]);
    gap.writeUInt32LE(directory + 4, gap.length - 6);
    await expectRefused(gap, /data hidden before the central directory/);
  });

  it('14: refuses data behind the pickle', async () => {
    const pickle = Buffer.concat([stateDictPickle({ weight: {} }), Buffer.from('tail')]);
    await expectRefused(await checkpointOf(pickle), /4 bytes hidden behind the pickle/);
  });

  it('refuses archives that are no checkpoint, and pickles that are not from torch.save', async () => {
    await expectRefused(await zip([['readme.txt', 'hello']]), /without data\.pkl/);
    await expectRefused(await zip([]), /without data\.pkl/);
    await expectRefused(
      new PickleAssembler().protocol(4).int(5).emit('STOP').bytes(),
      /is a pickle, but not one of torch\.save/,
    );
  });

  it('names folders and missing files', async () => {
    const missing = await readCheckpoint('/nowhere/weights.pth').catch((error: Error) => error.message);
    expect(missing).to.equal('/nowhere/weights.pth: does not exist; check the path');
    const path = await temporaryFile('');
    const parent = await readCheckpoint(path.slice(0, path.lastIndexOf('/'))).catch(
      (error: Error) => error.message,
    );
    expect(parent).to.match(/is not a file/);
  });
});
