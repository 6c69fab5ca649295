import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

const LOCAL_HEADER = 0x04034b50;
const CENTRAL_HEADER = 0x02014b50;
const END_RECORD = 0x06054b50;
const UTF8 = 0x0800;
/** 1 January 1980, the first day there is in zip: the same content gives the same bytes. */
const DATE = (1 << 5) | 1;
/** The extra field that PyTorch pads with. */
const PADDING = Buffer.from('FB');

/** A file in the archive. */
export interface ZipRecord {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Writes records uncompressed, the data of each beginning at a multiple of `alignment`, so that it can be mapped into
 * memory. (PKWARE's APPNOTE.TXT 4.3; sizes up to 4 GiB, which ONNX models do not reach either.)
 */
export async function writeZip(
  path: string,
  records: readonly ZipRecord[],
  alignment: number,
): Promise<void> {
  const file = await open(path, 'w');
  try {
    let position = 0;
    const directory: Buffer[] = [];
    for (const record of records) {
      const { local, central } = headers(record, position, alignment);
      await writeAll(file, local);
      await writeAll(file, record.bytes);
      directory.push(central);
      position += local.length + record.bytes.length;
    }
    await writeAll(file, Buffer.concat([...directory, endRecord(directory, position)]));
  } finally {
    await file.close();
  }
}

function headers(
  { name, bytes }: ZipRecord,
  position: number,
  alignment: number,
): { local: Buffer; central: Buffer } {
  const nameBytes = Buffer.from(name);
  const unpadded = position + 30 + nameBytes.length + 4;
  const padding = Buffer.alloc(-unpadded & (alignment - 1), 'Z');
  const extra = Buffer.concat([PADDING, uint16s(padding.length), padding]);
  // Version needed, flags, method, time, date; CRC-32 and both sizes; lengths of name and extra field.
  const common = Buffer.concat([
    uint16s(20, UTF8, 0, 0, DATE),
    uint32s(crc32(bytes), bytes.length, bytes.length),
    uint16s(nameBytes.length),
  ]);
  const local = Buffer.concat([uint32s(LOCAL_HEADER), common, uint16s(extra.length), nameBytes, extra]);
  const central = Buffer.concat([
    uint32s(CENTRAL_HEADER),
    uint16s(20),
    common,
    // No extra field, comment, disk or attributes.
    uint16s(0, 0, 0, 0),
    uint32s(0, position),
    nameBytes,
  ]);
  return { local, central };
}

function endRecord(directory: readonly Buffer[], position: number): Buffer {
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  return Buffer.concat([
    uint32s(END_RECORD),
    uint16s(0, 0, directory.length, directory.length),
    uint32s(size, position),
    uint16s(0),
  ]);
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, Math.min(bytes.length - done, 1 << 30))).bytesWritten;
}

function uint16s(...values: number[]): Buffer {
  return Buffer.from(Uint16Array.from(values).buffer);
}

function uint32s(...values: number[]): Buffer {
  return Buffer.from(Uint32Array.from(values).buffer);
}
