import { type FileHandle, open } from 'node:fs/promises';
import { type Advice, CheckpointError } from '../../src/common/errors.ts';

/** What most damaged files need. */
export const FETCH_AGAIN = 'download or copy it again';

/** A file open for random access, which says its name in every error. */
export class CheckpointFile {
  readonly path: string;
  readonly size: number;
  readonly #handle: FileHandle;

  constructor(path: string, size: number, handle: FileHandle) {
    this.path = path;
    this.size = size;
    this.#handle = handle;
  }

  /** @throws CheckpointError where it does not exist, is a folder, or may not be read */
  static async open(path: string): Promise<CheckpointFile> {
    try {
      const handle = await open(path, 'r');
      const stats = await handle.stat();
      if (stats.isFile()) return new CheckpointFile(path, stats.size, handle);
      await handle.close();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') throw new CheckpointError(path, 'does not exist', 'check the path', error);
      throw new CheckpointError(path, `cannot be read (${code ?? message})`, 'check its permissions', error);
    }
    throw new CheckpointError(path, 'is not a file', 'name the checkpoint file itself');
  }

  /** `length` bytes from `position`, in memory of their own. */
  async read(position: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (position + length > this.size)
      this.fail(
        `is cut short: bytes up to ${position + length} were expected and it has ${this.size}`,
        FETCH_AGAIN,
      );
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      // The operating system reads less than 2 GiB at a time.
      const part = Math.min(length - done, 1 << 30);
      const { bytesRead } = await this.#handle.read(bytes, done, part, position + done);
      if (bytesRead === 0) this.fail('became shorter while it was read');
      done += bytesRead;
    }
    return bytes;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  fail(problem: string, remedy?: Advice): never {
    throw new CheckpointError(this.path, problem, remedy);
  }
}
