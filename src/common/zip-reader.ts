import yauzl from 'yauzl';

/** Bytes that yauzl reads a zip archive from; `fs.read` would throw outside its callbacks on offsets beyond the file. */
export class ZipReader extends yauzl.RandomAccessReader {
  readonly #bytes: Bytes;

  constructor(bytes: Bytes) {
    super();
    this.#bytes = bytes;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    if (position + length > this.#bytes.size) {
      callback(new Error('a header lies beyond the end of the file'));
      return;
    }
    this.#bytes.read(position, length).then((bytes) => {
      buffer.set(bytes, offset);
      callback(null);
    }, callback);
  }
}

interface Bytes {
  readonly size: number;
  read(position: number, length: number): Promise<Uint8Array>;
}
