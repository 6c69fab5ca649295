import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { advice, DataError, option } from '../../src/common/errors.ts';
import type { OnProgress } from '../../src/common/progress.ts';
import { httpGet } from './http-get.ts';

/** A file on a server. */
export interface RemoteFile {
  /** Its path below the folder that it is downloaded into. */
  readonly name: string;
  readonly url: string;
  /** Bytes, where they are known. */
  readonly size?: number;
  /** Hex MD5, as published: it tells a damaged file from a whole one, not a forged one. */
  readonly md5: string;
}

export interface DownloadOptions {
  /** A folder on a server that has files of the same names, asked in place of their own. */
  readonly mirror?: string;
  /** Attempts after one that brought nothing, 5 if not given; each waits twice as long as the one before. */
  readonly retries?: number;
  /** What the first of them waits, in seconds; 1 if not given. */
  readonly backoff?: number;
  /** Seconds without a byte after which a connection is given up, 30 if not given. */
  readonly stall?: number;
  readonly onProgress?: OnProgress;
}

/** A file that is there, and whether it had to be downloaded. */
export interface Downloaded {
  readonly path: string;
  readonly bytes: number;
  readonly done: 'now' | 'before';
}

/**
 * Downloads a file into a folder. What has come lies in `<name>.part`, also when the program ends, and the next
 * attempt asks for the rest (RFC 9110, 14.2). The file appears under its name when its checksum is right.
 *
 * @throws DataError where the server has no such file, cannot be reached, or sends other bytes; and where another file
 *   lies in the way
 */
export async function downloadFile(
  file: RemoteFile,
  folder: string,
  options: DownloadOptions = {},
): Promise<Downloaded> {
  const path = join(folder, file.name);
  const part = `${path}.part`;
  const url = options.mirror ? `${options.mirror.replace(/\/+$/, '')}/${basename(file.name)}` : file.url;
  const there = await sizeOf(path);
  if (there !== undefined) {
    if ((await md5Of(path)) === file.md5) return { path, bytes: there, done: 'before' };
    throw new DataError(path, `is not the published file (MD5 ${file.md5})`, 'move it away');
  }
  await mkdir(dirname(path), { recursive: true });
  const isResumed = ((await sizeOf(part)) ?? 0) > 0;
  await fetchAll(file, url, part, options);
  let found = await md5Of(part);
  // What was there before may be of another file.
  if (found !== file.md5 && isResumed) {
    await rm(part);
    await fetchAll(file, url, part, options);
    found = await md5Of(part);
  }
  if (found !== file.md5) {
    await rm(part);
    throw new DataError(
      url,
      `sends a file of MD5 ${found}, ${file.md5} was published`,
      advice`try another ${option('mirror')}`,
    );
  }
  await rename(part, path);
  return { path, bytes: (await sizeOf(path))!, done: 'now' };
}

/** A connection that failed in a way that the next may not. */
class Passing extends Error {}

/** Fetches until all is there; whatever brings something forward may fail as often as it likes. */
async function fetchAll(
  file: RemoteFile,
  url: string,
  part: string,
  options: DownloadOptions,
): Promise<void> {
  const { retries = 5, backoff = 1, stall = 30, onProgress } = options;
  let failures = 0;
  for (;;) {
    const before = (await sizeOf(part)) ?? 0;
    try {
      await fetchRest(file, url, part, 1000 * stall, onProgress);
      return;
    } catch (error) {
      if (!isPassing(error)) throw error;
      const after = (await sizeOf(part)) ?? 0;
      failures = after > before ? 1 : failures + 1;
      if (failures > retries)
        throw new DataError(
          url,
          `cannot be downloaded (${(error as Error).message || (error as NodeJS.ErrnoException).code})`,
          advice`the same call goes on at byte ${after}; or give a ${option('mirror')}, or put the file at ${part.slice(0, -'.part'.length)} yourself`,
        );
      await wait(1000 * backoff * 2 ** (failures - 1));
    }
  }
}

/** Whether trying again may help: whatever the network does; not what the disk does, or what a server says for good. */
function isPassing(error: unknown): boolean {
  if (error instanceof Passing) return true;
  const { code = '', syscall = '' } = error as NodeJS.ErrnoException;
  return (
    ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EPROTO'].includes(code) ||
    /^HPE_/.test(code) ||
    ['connect', 'getaddrinfo', 'read'].includes(syscall)
  );
}

/** Asks for what is missing, and writes it behind what is there. */
async function fetchRest(
  { name, size }: RemoteFile,
  url: string,
  part: string,
  stall: number,
  onProgress?: OnProgress,
): Promise<void> {
  const there = (await sizeOf(part)) ?? 0;
  if (there > 0 && there === size) return;
  const from = size !== undefined && there > size ? 0 : there;
  const controller = new AbortController();
  const giveUp = setTimeout(() => controller.abort(), stall);
  const output = await open(part, from > 0 ? 'r+' : 'w');
  try {
    const response = await httpGet(url, from > 0 ? { Range: `bytes=${from}-` } : {}, controller.signal);
    if (response.statusCode === 416) {
      // There is nothing behind what is there: it is whole, or of another file. Only all of it can tell.
      await output.truncate(0);
      throw new Passing('it has nothing more to send');
    }
    let done = startOf(response, url, from);
    const announced = Number(response.headers['content-length'] ?? Number.NaN);
    const total = size ?? (Number.isNaN(announced) ? undefined : done + announced);
    if (size !== undefined && done + announced !== size && !Number.isNaN(announced))
      throw new DataError(
        url,
        `has ${done + announced} bytes, ${size} were published`,
        advice`try another ${option('mirror')}`,
      );
    await output.truncate(done);
    for await (const chunk of response as AsyncIterable<Buffer>) {
      giveUp.refresh();
      if (total !== undefined && done + chunk.length > total)
        throw new DataError(
          url,
          `sends more than the ${total} bytes that it should`,
          advice`try another ${option('mirror')}`,
        );
      await output.write(chunk, 0, chunk.length, done);
      done += chunk.length;
      tell(onProgress, name, done, total);
    }
    if (total !== undefined && done < total) throw new Passing(`it ended at byte ${done} of ${total}`);
  } catch (error) {
    if (controller.signal.aborted) throw new Passing(`nothing came for ${stall / 1000} s`);
    throw error;
  } finally {
    clearTimeout(giveUp);
    controller.abort();
    await output.close();
  }
}

/**
 * The place in the file at which a response begins.
 *
 * @throws Passing where another attempt may be answered better; DataError where the server has no such file
 */
function startOf(response: IncomingMessage, url: string, from: number): number {
  const { statusCode = 0, statusMessage, headers } = response;
  // The whole file: the server knows no ranges.
  if (statusCode === 200) return 0;
  const range = /^bytes (\d+)-/.exec(headers['content-range'] ?? '');
  if (statusCode === 206 && range && Number(range[1]) <= from) return Number(range[1]);
  const status = `answers ${statusCode}${statusMessage ? ` ${statusMessage}` : ''}`;
  if (statusCode === 206)
    throw new DataError(url, `${status} with another range`, advice`try another ${option('mirror')}`);
  if (statusCode >= 500 || [408, 425, 429].includes(statusCode)) throw new Passing(`it ${status}`);
  throw new DataError(url, status, advice`give a ${option('mirror')}, or get the file elsewhere`);
}

function tell(onProgress: OnProgress | undefined, name: string, done: number, total = done): void {
  const kilo = (bytes: number) => Math.ceil(bytes / 1000);
  onProgress?.({ task: `downloading ${name}`, done: kilo(done), total: kilo(total), unit: 'kB' });
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}

async function md5Of(path: string): Promise<string> {
  const hash = createHash('md5');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
