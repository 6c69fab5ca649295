import { type DownloadReport, downloadSets, manualSources, sources } from '../../index.ts';
import { command } from '../command.ts';
import { given } from '../options.ts';
import { columns, thousands } from '../terminal-text.ts';

export const downloadCommand = command({
  name: 'download',
  summary:
    'Downloads published sets of images, and compares them with their checksums; lists them where none is named.',
  goesOn: true,
  examples: [
    ['download', 'what there is, from where, under which terms'],
    ['download cifar10 svhn tiny dtd', "the original's sets; run again, it goes on where it was"],
    ['download cifar10 --mirror https://mirror.example.org/sets', 'from a server of your own'],
  ],
  positionals: { names: { describe: 'names of sets', array: true, demandOption: false } },
  options: {
    output: { type: 'string', default: 'downloads', describe: 'folder to download into' },
    mirror: {
      type: 'string',
      describe: 'a folder on a server that has the same files',
      check: (url: string) => (/^https?:\/\//.test(url) ? undefined : 'must begin with https:// or http://'),
    },
  },
  async run({ names = [], output, mirror }, onProgress) {
    if (names.length === 0)
      return {
        result: { sources, manual: manualSources },
        text: list(),
        next: 'Next: npx la-ood download NAME …',
      };
    const sets = await downloadSets(names, output, { ...given({ mirror }), onProgress });
    return {
      result: { folder: output, sets },
      text: describe(sets),
      next: `Next: ${nextCommand(sets, output)}`,
    };
  },
});

function list(): string {
  const rows = Object.entries(sources).map(([name, { about, license, files }]) => {
    const sizes = files.map(({ size }) => size);
    const bytes = sizes.reduce((sum, size) => (size === undefined ? Number.NaN : (sum ?? 0) + size), 0);
    return [name, Number.isNaN(bytes) ? '' : `${thousands(Math.ceil(bytes! / 1e6))} MB`, about, license];
  });
  const manual = Object.entries(manualSources).map(([name, { about, url, path }]) => [
    name,
    about,
    `${url}, unpacked to ${path}`,
  ]);
  return [
    columns(['set', 'size', 'holds', 'terms'], rows),
    '',
    'To be fetched with a browser:',
    columns(['set', 'holds', 'from, and where to'], manual),
  ].join('\n');
}

function describe(sets: readonly DownloadReport[]): string {
  const rows = sets.flatMap(({ name, files }) =>
    files.map(({ path, bytes, done }) => [name, path, bytes, done === 'before' ? 'was there' : '']),
  );
  const terms = sets.map(({ name, license }) => `Terms of ${name}: ${license}.`);
  return `${columns(['set', 'file', 'bytes', ''], rows)}\n\n${terms.join('\n')}`;
}

/** The next step of the original, for the sets that are there now. */
function nextCommand(sets: readonly DownloadReport[], folder: string): string {
  const typed = (part: 'train' | 'test' | 'ood') =>
    sets.flatMap(({ name, sets }) =>
      sets[part] ? [`${name.replace(/_train$/, '')}=${folder}/${sets[part]}`] : [],
    );
  const ood = [...typed('ood'), ...typed('test').slice(1)];
  return [
    'npx la-ood datasets',
    ...typed('train')
      .slice(0, 1)
      .flatMap((set) => ['--train', set]),
    ...typed('test')
      .slice(0, 1)
      .flatMap((set) => ['--test', set]),
    ...(ood.length > 0 ? ['--ood', ...ood] : []),
  ].join(' ');
}
