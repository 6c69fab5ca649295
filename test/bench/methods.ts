import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { UsageError } from '../../src/common/errors.ts';
import { sha256Files } from '../../src/common/files.ts';
import { questions } from '../../src/detectors/guard/questions.ts';
import { methods as allMethods } from '../../src/detectors/methods/method-registry.ts';
import { answerName, GUARD, guardMethods } from '../../src/evaluation/guard-scores.ts';
import {
  misclassifiedPanels,
  panelsMarkdown,
  panelWords,
  setPanels,
} from '../../src/evaluation/method-panels.ts';
import {
  type MeasuredSet,
  type MethodTable,
  measureMethods,
  type SetKind,
  setKinds,
} from '../../src/evaluation/method-table.ts';
import { guardScores } from '../../src/pipeline/evaluation/guard-on-features.ts';
import { scoreRunMethods } from '../../src/pipeline/evaluation/score-run-methods.ts';
import { featureFile, oodFiles, setKind, setName } from '../../src/pipeline/features/feature-files.ts';
import { RunFolder } from '../../src/pipeline/run-folder.ts';
import { type Bench, type BenchValues, count } from './bench.ts';
import { type GuardedRun, measureGuard } from './guard-runs.ts';
import { guardRunTables, guardSummary } from './guard-tables.ts';
import { markdown, replacePart } from './markdown.ts';
import { type Estimate, type Regret, type RunScores, regrets } from './regret.ts';

/** How good a choice each method would have been: every method on every set of some runs, and its regret. */
export const methods: Bench = {
  about: 'AUROC and found share of every method on the sets of runs, and its regret by kind of set',
  python: false,
  options: {
    run: { about: 'run folders that have features, between commas (required)' },
    methods: { about: 'names of methods, between commas', default: 'all' },
    resamples: { about: 'bootstrap resamples of the images', default: '200' },
    seed: { about: 'seed of the resamples', default: '0' },
    write: {
      about: 'a Markdown file, whose part between its two "made by" comments is replaced by the tables',
    },
    further: {
      about:
        "name of a set of further InD images in the runs: the guard's answers are measured in place of the methods, on their sets and on these images, changed",
    },
    others: {
      about: "with --further: other guards, NAME=FILE between commas; {run} is a run's name",
      default: '',
    },
    each: { about: "with --further: a Markdown file for each run's own table, as --write" },
  },
  async run(values) {
    if (!values.run) throw new UsageError('--run', 'is required');
    if (values.further) return measureGuards(values.run.split(','), values.further, values);
    const names = values.methods!.split(',');
    const runs: MeasuredRun[] = [];
    for (const path of values.run.split(','))
      runs.push(await RunFolder.use(path, (run) => measureRun(run, names)));
    const options = { resamples: count(values, 'resamples'), seed: Number(values.seed) };
    const text = [methodList(names), regretTables(runs, options), ...runs.map(runTables)].join('\n\n');
    const words = `${panelWords.sets} ${panelWords.misclassified} ${panelWords.tuned}`;
    if (values.write) await replacePart(values.write, 'methods', `${words}\n\n${text}`);
    else console.log(`\n${text}`);
  },
};

/** The guard of each run, beside some methods and other guards. */
async function measureGuards(paths: readonly string[], further: string, values: BenchValues): Promise<void> {
  const runs: GuardedRun[] = [];
  for (const path of paths) {
    const named = values.others!.split(',').filter(Boolean);
    const others = named.map((other): [string, string] => {
      const [, name, file] = /^([^=]+)=(.+)$/.exec(other) ?? [];
      if (!file) throw new UsageError('--others', `${other} is not NAME=FILE`);
      return [name, file.replaceAll('{run}', basename(resolve(path)))];
    });
    const present = others.filter(([, file]) => existsSync(file));
    for (const [name, file] of others.filter((other) => !present.includes(other)))
      console.log(`${path}: without ${name}, there is no ${file}`);
    runs.push(
      await RunFolder.use(path, (run) => measureGuard(run, { further, others: Object.fromEntries(present) })),
    );
    console.log(`measured ${path}`);
  }
  const summary = guardSummary(runs, { resamples: count(values, 'resamples'), seed: Number(values.seed) });
  const each = guardRunTables(runs);
  if (values.write) await replacePart(values.write, 'methods', summary);
  else console.log(`\n${summary}`);
  if (values.each) await replacePart(values.each, 'methods', each);
  else console.log(`\n${each}`);
}

interface MeasuredRun extends RunScores {
  readonly table: MethodTable;
  readonly notes: readonly string[];
  readonly accuracy?: number;
}

async function measureRun(run: RunFolder, names: readonly string[]): Promise<MeasuredRun> {
  const ind = await featureFile(run, 'test');
  const oods = await oodFiles(run, ind);
  const { methods, notes } = await scoreRunMethods(run, ind, oods, { methods: names, device: 'cpu' });
  const [hash] = await sha256Files([ind]);
  const guard = await guardScores(run, ind, oods, { [setName(ind)]: hash! });
  const sets = oods.map((file, s): MeasuredSet => {
    const kind = setKind(run, file);
    return { name: setName(file), images: methods[0].sets[s].length, ...(kind && { kind }) };
  });
  const all = [...(guard ? guardMethods(guard, oods.map(setName), methods[0].isWrong) : []), ...methods];
  const accuracy = run.record(`features/${basename(ind, '.hdf5')}`)?.results.accuracy as number | undefined;
  return {
    ...{ name: basename(resolve(run.path)), sets, methods: all, notes, accuracy },
    table: measureMethods(setName(ind), sets, all),
  };
}

/** What the methods are called on the command line and in OpenOOD, what they need, and how they are set. */
function methodList(names: readonly string[]): string {
  const rows = allMethods
    .filter(({ name }) => names.includes('all') || names.includes(name))
    .map(({ name, title, openood = '', needs, settings, isTuned }) => [
      isTuned ? `${title} †` : title,
      `\`${name}\``,
      openood,
      needs.join(', '),
      Object.entries(settings)
        .map(([setting, value]) => `${setting} ${value}`)
        .join(', '),
    ]);
  return markdown(['method', 'name', 'in OpenOOD', 'needs, beside the logits', 'settings'], rows);
}

function regretTables(runs: readonly MeasuredRun[], options: { resamples: number; seed: number }): string {
  const present = setKinds.filter((kind) => runs.some(({ sets }) => sets.some((set) => set.kind === kind)));
  const groups: (SetKind | undefined)[] = [...present, undefined];
  const guard = [GUARD, ...questions.map(answerName)];
  const byGroup = groups.map((kind) =>
    regrets(runs, (set) => kind === undefined || set.kind === kind, guard, options),
  );
  const sets = (kind: SetKind | undefined) =>
    runs.flatMap((run) => run.sets.filter((set) => kind === undefined || set.kind === kind)).length;
  const head = ['method', ...groups.map((kind) => `${kind ?? 'all'}: mean (95 %); largest`)];
  const rows = [...byGroup.at(-1)!.keys()].map((name) => [
    name,
    ...byGroup.map((group) => regretCell(group.get(name))),
  ]);
  const counts = groups.map((kind) => `${kind ?? 'in all'} ${sets(kind)}`).join(', ');
  return `Regret in points of AUROC, over ${runs.map(({ name }) => name).join(', ')} (sets: ${counts}). Intervals from ${options.resamples} resamples of the images.\n\n${markdown(head, rows)}`;
}

function regretCell(regret: Regret | undefined): string {
  if (!regret) return '';
  const { mean, largest, where } = regret;
  return `${within(mean)}; ${within(largest)} ${where}`;
}

function within({ value, low, high }: Estimate): string {
  const text = (points: number) => points.toFixed(1).replace('-', '−');
  return `${text(value)} (${text(low)} to ${text(high)})`;
}

function runTables({ name, table, notes, accuracy }: MeasuredRun): string {
  const { ind, methods, sets } = table;
  const images = Math.max(...methods.map(({ indImages }) => indImages));
  const right = accuracy === undefined ? '' : `, ${(100 * accuracy).toFixed(1)} % of them classified right`;
  const counts = sets.map((set) => `${set.name} ${set.images.toLocaleString('en')}`).join(', ');
  return [
    `## ${name}`,
    `InD ${ind}: ${images.toLocaleString('en')} test images${right}. Images of the sets: ${counts}.${notes.map((note) => ` ${note}.`).join('')}`,
    panelsMarkdown([...setPanels(table), ...misclassifiedPanels(table)]),
  ].join('\n\n');
}
