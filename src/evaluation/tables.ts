import Table from 'cli-table3';
import { toCsv } from '../common/csv.ts';
import type { Interval } from './bootstrap.ts';
import {
  BEST_METHOD,
  type Evaluation,
  type LayerResult,
  type MethodResult,
  type SetResult,
} from './evaluate.ts';
import { GUARD } from './guard-scores.ts';
import type { Metrics } from './metrics.ts';

/** What the two columns of false positive rates mean; goes with every table that shows them. */
export function fpr95Convention({ compat }: Pick<Evaluation, 'compat'>): readonly string[] {
  const reading =
    compat === 'original'
      ? 'interpolated as the original LA-OOD does'
      : 'at the first operating point where it is reached';
  return [
    `FPR95: false positive rate at 95 % true positive rate, ${reading}.`,
    'OOD pos.: OOD is the positive class (OpenOOD, LA-OOD); InD images flagged where 95 % of the OOD images are found.',
    'InD pos.: InD is the positive class (ODIN, Energy); OOD images passed where 95 % of the InD images are.',
  ];
}

/** What the row of the guard is measured on; nothing where there is none. */
function guardNote({ sets: [{ guard }] }: Evaluation): string[] {
  if (!guard) return [];
  return [
    `guard: guarded.onnx, its decision and its answers, on all OOD images and on all ${guard.indCount} InD images, which calibrated it; the best method, known only after the fact, is measured on the same.`,
  ];
}

/**
 * The table of one OOD set, in the original's columns: layers numbered from 1, metrics in percent with two decimals
 * (FPR with OOD as the positive class), InD-correct and OOD-correct as numbers of images. Below the layers stand the
 * best of them, the guard where there is one, LA-OOD, and the baselines.
 *
 * @example
 * ```ts
 * import { evaluateRun, RunFolder } from 'la-ood/guard';
 * import { layerCsv } from 'la-ood/methods';
 *
 * const { evaluation } = await RunFolder.use('runs/mine', (run) => evaluateRun(run));
 * for (const set of evaluation.sets) console.log(layerCsv(set));
 * ```
 */
export function layerCsv(set: SetResult): string {
  const metrics = ({ name, metrics: of }: MethodResult) =>
    (['fprAt95Tpr', 'auroc', 'auprOut', 'auprIn'] as const).map((key) =>
      isComparable(name, key) ? percent(of[key]) : '',
    );
  const layerRow = (layer: LayerResult) => [
    layer.index + 1,
    ...metrics(layer),
    layer.indAccepted,
    layer.oodRejected,
    `${layer.indMaxima}/${layer.oodMaxima}`,
  ];
  return toCsv([
    [
      'Layer',
      'FPR-at-95%-TPR',
      'AUROC',
      'AUPR-out',
      'AUPR-in',
      'InD-correct',
      'OOD-correct',
      'Max-score-counts(ID/OOD)',
    ],
    ...set.layers.map(layerRow),
    ['Best layer:'],
    layerRow(set.best),
    ...[...guardRows(set), set.laOod, ...set.baselines].map((method) => [method.name, ...metrics(method)]),
  ]);
}

/**
 * One row for each OOD set and method; percent with two decimals. Interval columns appear where there are any.
 *
 * @example
 * ```ts
 * import { evaluateRun, RunFolder } from 'la-ood/guard';
 * import { summaryCsv } from 'la-ood/methods';
 *
 * const { evaluation } = await RunFolder.use('runs/mine', (run) => evaluateRun(run));
 * console.log(summaryCsv(evaluation));
 * ```
 */
export function summaryCsv(evaluation: Evaluation): string {
  const withIntervals = evaluation.sets.some((set) => set.laOod.intervals);
  return toCsv([
    [
      'InD',
      'OOD',
      'InD images',
      'OOD images',
      'Method',
      ...columns.map((column) => column.csv),
      ...(withIntervals ? columns.flatMap((column) => [`${column.csv} low`, `${column.csv} high`]) : []),
    ],
    ...evaluation.sets.flatMap((set) =>
      tableRows(set).map(({ name, metrics, intervals }) => [
        evaluation.ind,
        set.ood,
        set.indCount,
        set.oodCount,
        name,
        ...columns.map(({ key }) => (isComparable(name, key) ? percent(metrics[key]) : '')),
        ...(withIntervals
          ? columns.flatMap(({ key }) => bounds(isComparable(name, key) ? intervals?.[key] : undefined))
          : []),
      ]),
    ),
  ]);
}

/**
 * Everything in full precision: metrics as shares between 0 and 1, layers by name and by index from 0.
 *
 * @example
 * ```ts
 * import { evaluateRun, RunFolder } from 'la-ood/guard';
 * import { summaryJson } from 'la-ood/methods';
 *
 * const { evaluation } = await RunFolder.use('runs/mine', (run) => evaluateRun(run));
 * console.log(JSON.parse(summaryJson(evaluation)));
 * ```
 */
export function summaryJson(evaluation: Evaluation): string {
  return `${JSON.stringify({ fpr95: fpr95Convention(evaluation).join(' '), ...evaluation }, null, 2)}\n`;
}

/** The summary for a terminal, about 90 columns wide, in percent. */
export function summaryTable(evaluation: Evaluation): string {
  const table = new Table({
    head: ['OOD set\nInD : OOD', 'score', ...columns.map((column) => column.terminal)],
    colAligns: ['left', 'left', ...columns.map(() => 'right' as const)],
    style: { head: [], border: [] },
  });
  for (const set of evaluation.sets) {
    // One row of the table with a line for each method: cli-table3 cuts off what a spanning cell holds below its first line.
    const lines = tableRows(set).flatMap((method) => methodLines(method));
    table.push([
      `${set.ood}\n${set.indCount} : ${set.oodCount}`,
      ...lines[0].map((_, column) => lines.map((line) => line[column]).join('\n')),
    ]);
  }
  return [
    `InD ${evaluation.ind}; all numbers in %.`,
    ...fpr95Convention(evaluation),
    table.toString(),
    ...guardNote(evaluation),
    ...evaluation.sets.flatMap(({ ood, selection: chosen }) =>
      chosen
        ? [`${ood}: ${chosen.kept} of ${chosen.from} images, chosen at random (seed ${chosen.seed}).`]
        : [],
    ),
  ].join('\n');
}

/** The metrics in the order of every table, and what their columns are called. */
export const columns: readonly {
  readonly key: keyof Metrics;
  readonly csv: string;
  readonly terminal: string;
}[] = [
  { key: 'fprAt95Tpr', csv: 'FPR-at-95%-TPR (OOD positive)', terminal: 'FPR95\nOOD pos.' },
  { key: 'fprAt95TprIndPositive', csv: 'FPR-at-95%-TPR (InD positive)', terminal: 'FPR95\nInD pos.' },
  { key: 'auroc', csv: 'AUROC', terminal: 'AUROC' },
  { key: 'auprOut', csv: 'AUPR-out', terminal: 'AUPR-out' },
  { key: 'auprIn', csv: 'AUPR-in', terminal: 'AUPR-in' },
];

/** The guard where there is one, the best published method, LA-OOD, the best of its layers and the baselines. */
function tableRows(set: SetResult): MethodResult[] {
  const rows = methods(set);
  const ofGuard = guardRows(set).length;
  return rows.toSpliced(ofGuard, 0, ...(set.bestMethod ? [set.bestMethod] : []));
}

/** The same but for the best published method, which is one of them or of others: the methods whose scores are at hand. */
export function methods(set: SetResult): MethodResult[] {
  return [
    ...guardRows(set),
    set.laOod,
    { ...set.best, name: `best layer: ${set.best.name}` },
    ...set.baselines,
  ];
}

/** The guard's decision and its answers. */
function guardRows({ guard }: SetResult): MethodResult[] {
  return guard ? [guard, ...guard.answers] : [];
}

/** The method's name and metrics, and below them their intervals where there are any. */
function methodLines({ name, metrics, intervals }: MethodResult): string[][] {
  const line = [name, ...columns.map(({ key }) => (isComparable(name, key) ? percent(metrics[key]) : '–'))];
  if (!intervals) return [line];
  const within = columns.map(({ key }) => (isComparable(name, key) ? bounds(intervals[key]).join('–') : ''));
  return [line, ['', ...within]];
}

/** Precision depends on how many images there are of each, and the guard and the best method have counts of their own. */
export function isComparable(method: string, metric: keyof Metrics): boolean {
  return ![GUARD, BEST_METHOD].some((name) => method.startsWith(name)) || !metric.startsWith('aupr');
}

/** Two decimals, without the sign. */
export function percent(share: number): string {
  return (100 * share).toFixed(2);
}

export function bounds(interval: Interval | undefined): string[] {
  return interval ? [percent(interval.low), percent(interval.high)] : ['', ''];
}
