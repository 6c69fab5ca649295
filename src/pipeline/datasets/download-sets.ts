import { type DownloadOptions, downloadFile } from '../../../data/download/download-file.ts';
import { manualSources, sources } from '../../../data/download/sources.ts';
import { advice, command, DataError, option } from '../../common/errors.ts';
import { nearestName } from '../../common/suggest.ts';

export interface DownloadReport {
  readonly name: string;
  readonly license: string;
  readonly files: readonly {
    readonly path: string;
    readonly bytes: number;
    readonly done: 'now' | 'before';
  }[];
  /** What to type for its parts, below the folder. */
  readonly sets: Readonly<Partial<Record<'train' | 'test' | 'ood', string>>>;
}

/**
 * Downloads published sets (the names of `sources`) into a folder, and compares each file with its published checksum.
 *
 * @throws DataError where a set is not known or has to be fetched by hand, and as `downloadFile` does
 *
 * @example
 * ```ts
 * import { downloadSets } from 'la-ood/guard';
 *
 * const [{ name, files }] = await downloadSets(['cifar10'], 'downloads');
 * console.log(name, files);
 * ```
 */
export async function downloadSets(
  names: readonly string[],
  folder: string,
  options: DownloadOptions = {},
): Promise<DownloadReport[]> {
  for (const name of names) checkName(name, folder);
  const reports: DownloadReport[] = [];
  for (const name of names) {
    const { license, files, sets } = sources[name];
    const downloaded = [];
    for (const file of files) downloaded.push(await downloadFile(file, folder, options));
    reports.push({ name, license, files: downloaded, sets });
  }
  return reports;
}

function checkName(name: string, folder: string): void {
  if (Object.hasOwn(sources, name)) return;
  if (Object.hasOwn(manualSources, name)) {
    const { url, path } = manualSources[name];
    throw new DataError(
      name,
      'cannot be downloaded by a program',
      advice`get ${url} with a browser, unpack it, and put it at ${folder}/${path}; then ${command('datasets', option('ood', `${name}=${folder}/${path}`))}`,
    );
  }
  const names = [...Object.keys(sources), ...Object.keys(manualSources)];
  const nearest = nearestName(name, names);
  throw new DataError(
    name,
    'is no set that is known here',
    nearest ? `did you mean ${nearest}?` : `there are ${names.join(', ')}`,
  );
}
