import Table from 'cli-table3';
import { toCsv } from '../common/csv.ts';
import { type MethodResults, type MethodTable, type SetKind, setKinds } from './method-table.ts';
import type { Metrics } from './metrics.ts';
import { columns, percent } from './tables.ts';

/** A table for people: a row a method, the best of each column marked. */
export interface Panel {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly name: string; readonly cells: readonly Cell[] }[];
}

interface Cell {
  readonly text: string;
  readonly isBest: boolean;
}

/** What the cells of panels say; goes with them wherever they are shown. */
export const panelWords = {
  sets: 'AUROC / share of the set found where 5 % of the InD images are called OOD, in %; means are over the sets.',
  tuned:
    '†: its published figures are of settings that were chosen on validation OOD images; here it has the default ones.',
  misclassified:
    'AUROC of the images that the classifier gets wrong against those it gets right, and AURC (the mean share of wrong images among the n most trusted, over all n; lower is better), in %.',
} as const;

const groups: readonly { readonly kind?: SetKind; readonly title: string }[] = [
  { kind: 'near', title: 'Near-OOD sets' },
  { kind: 'far', title: 'Far-OOD sets' },
  { kind: 'shifted', title: 'Shifted sets: InD classes under other conditions' },
  { title: 'OOD sets' },
];

/** Near, far and shifted sets apart, then those whose kind nobody said. */
export function setPanels({ sets, methods }: MethodTable): Panel[] {
  return groups.flatMap(({ kind, title }): Panel[] => {
    const members = [...sets.keys()].filter((s) => sets[s].kind === kind);
    if (members.length === 0) return [];
    const hasMean = kind !== undefined && members.length > 1;
    const own = ({ sets, means }: MethodResults) => [
      ...members.map((s) => sets[s]),
      ...(hasMean ? [means[kind]!] : []),
    ];
    return [
      panel(title, [...members.map((s) => sets[s].name), ...(hasMean ? ['mean'] : [])], methods, (method) =>
        own(method).map((metrics) => ({ text: aurocAndFound(metrics), rank: rounded(metrics.auroc) })),
      ),
    ];
  });
}

/** Wrongly classified InD images as a set of their own; none where it is not known which they are. */
export function misclassifiedPanels({ methods }: MethodTable): Panel[] {
  const classified = methods.filter(({ misclassified }) => misclassified);
  if (classified.length === 0) return [];
  return [
    panel('Wrongly classified InD images', ['AUROC', 'AURC'], classified, ({ misclassified }) => {
      const { auroc, aurc } = misclassified!;
      return [
        { text: (100 * auroc).toFixed(1), rank: rounded(auroc) },
        { text: percent(aurc), rank: -Number(percent(aurc)) },
      ];
    }),
  ];
}

/**
 * Panels for a terminal; a star marks the best of each column.
 *
 * @param bold makes text bold, where the terminal can
 */
export function panelsText(panels: readonly Panel[], bold: (text: string) => string): string {
  return panels
    .map(({ title, columns, rows }) => {
      const table = new Table({
        head: ['method', ...columns],
        colAligns: ['left', ...columns.map(() => 'right' as const)],
        style: { head: [], border: [], compact: true },
      });
      for (const { name, cells } of rows)
        table.push([name, ...cells.map(({ text, isBest }) => (isBest ? bold(`* ${text}`) : text))]);
      return `${title}\n${table.toString()}`;
    })
    .join('\n\n');
}

/** Panels as Markdown, each below its title. */
export function panelsMarkdown(panels: readonly Panel[]): string {
  return panels
    .map(({ title, columns, rows }) => {
      const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
      return [
        `### ${title}\n`,
        line(['method', ...columns]),
        `|---${'|---:'.repeat(columns.length)}|`,
        ...rows.map(({ name, cells }) =>
          line([name, ...cells.map(({ text, isBest }) => (isBest ? `**${text}**` : text))]),
        ),
      ].join('\n');
    })
    .join('\n\n');
}

/** A row for each method and set, kind's mean, and right against wrong; percent with two decimals. */
export function methodsCsv({ ind, sets, methods }: MethodTable): string {
  const metrics = (of: Metrics) => columns.map(({ key }) => percent(of[key]));
  return toCsv([
    ['InD', 'Method', 'Kind', 'Set', 'InD images', 'Images', ...columns.map(({ csv }) => csv), 'AURC'],
    ...methods.flatMap(({ name, indImages, sets: results, means, misclassified }) => [
      ...sets.map((set, s) => [
        ...[ind, name, set.kind ?? '', set.name, indImages, set.images],
        ...[...metrics(results[s]), ''],
      ]),
      ...setKinds.flatMap((kind) => {
        const mean = means[kind];
        return mean ? [[ind, name, kind, 'mean', indImages, '', ...metrics(mean), '']] : [];
      }),
      ...(misclassified
        ? [
            [
              ...[ind, name, 'misclassified', ind, indImages, ''],
              ...columns.map(({ key }) => (key === 'auroc' ? percent(misclassified.auroc) : '')),
              percent(misclassified.aurc),
            ],
          ]
        : []),
    ]),
  ]);
}

/** `96.7 / 84` */
function aurocAndFound({ auroc, fprAt95TprIndPositive }: Metrics): string {
  return `${(100 * auroc).toFixed(1)} / ${(100 * (1 - fprAt95TprIndPositive)).toFixed(0)}`;
}

function rounded(auroc: number): number {
  return Number((100 * auroc).toFixed(1));
}

/** @param cellsOf a method's cells; the highest rank of a column is the best, and all that share it */
function panel(
  title: string,
  columns: readonly string[],
  methods: readonly MethodResults[],
  cellsOf: (method: MethodResults) => { readonly text: string; readonly rank: number }[],
): Panel {
  const cells = methods.map(cellsOf);
  const best = columns.map((_, c) => Math.max(...cells.map((row) => row[c].rank)));
  const isTold = methods.length > 1;
  return {
    title,
    columns,
    rows: methods.map(({ name, isTuned }, m) => ({
      name: isTuned ? `${name} †` : name,
      cells: cells[m].map(({ text, rank }, c) => ({ text, isBest: isTold && rank === best[c] })),
    })),
  };
}
