import Table from 'cli-table3';
import { toCsv } from '../../common/csv.ts';
import { columns } from '../tables.ts';
import type { MeanDeviation, MetricSummary, OpenOodRow, OpenOodSummary } from './summary.ts';

/** Results with their title, and the network of the published figures where there are any. */
interface Titled extends OpenOodSummary {
  readonly title: string;
  readonly publishedNetwork?: string;
}

interface Report {
  readonly results: readonly Titled[];
  readonly checkpoints: readonly {
    readonly source: string;
    readonly architecture?: string;
    readonly accuracy?: number;
  }[];
  readonly missing: readonly {
    readonly name: string;
    readonly kind: string;
    readonly path: string;
    readonly from: string;
  }[];
  readonly notes: readonly string[];
}

/** The benchmark for a terminal: near and far beside what is published, then every set. */
export function openOodText(report: Report): string {
  const tables = report.results.flatMap((result) =>
    [besidePublished(result), everySet(result)].map(({ title, head, rows }) => {
      const table = new Table({
        head,
        colAligns: head.map((_, c) => (c === 0 ? 'left' : 'right')),
        style: { head: [], border: [], compact: true },
      });
      table.push(...rows);
      return `${title}\n${table.toString()}`;
    }),
  );
  return [...facts(report), ...tables].join('\n\n');
}

/** The same as Markdown. */
export function openOodMarkdown(report: Report): string {
  const tables = report.results.flatMap((result) =>
    [besidePublished(result), everySet(result)].map(({ title, head, rows }) => {
      const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
      const names = head.map((name) => name.replace('\n', ' '));
      return `${title}\n\n${line(names)}\n|---${'|---:'.repeat(head.length - 1)}|\n${rows.map(line).join('\n')}`;
    }),
  );
  return `${[...facts(report), ...tables].join('\n\n')}\n`;
}

/** A row for each benchmark, method and set, and for near and far means; percent with two decimals. */
export function openOodCsv(results: readonly Titled[]): string {
  const both = (value: MeanDeviation | undefined) => [percent(value?.mean), percent(value?.deviation)];
  const metrics = (summary: MetricSummary) => columns.flatMap(({ key }) => both(summary[key]));
  return toCsv([
    [
      ...['Benchmark', 'Method', 'Kind', 'Set', 'Images'],
      ...columns.flatMap(({ csv }) => [csv, `${csv} deviation`]),
      ...['Published AUROC', 'Published AUROC deviation', 'Difference'],
    ],
    ...results.flatMap(({ title, sets, rows }) =>
      rows.flatMap((row) => [
        ...sets.map(({ name, kind, images }, s) => [
          ...[title, row.method, kind ?? '', name, images],
          ...[...metrics(row.sets[s]), '', '', ''],
        ]),
        ...(['near', 'far'] as const).flatMap((kind) => {
          const mean = row[kind];
          if (!mean) return [];
          const published = both(row.published?.[kind]);
          return [
            [
              ...[title, row.method, kind, 'mean', '', ...metrics(mean), ...published],
              percent(row.difference[kind]),
            ],
          ];
        }),
      ]),
    ),
  ]);
}

/** What was run, what is missing, and what keeps the figures from being the protocol's. */
function facts({ checkpoints, missing, notes }: Report): string[] {
  return [
    checkpoints
      .map(({ source, architecture = 'network', accuracy }) => {
        const right = accuracy === undefined ? '' : `, accuracy ${(100 * accuracy).toFixed(2)} %`;
        return `${source}: ${architecture}${right}`;
      })
      .join('\n'),
    ...(missing.length > 0
      ? [
          missing
            .map(
              ({ name, kind, path, from }) => `Missing: ${name} (${kind}), looked for at ${path}; ${from}.`,
            )
            .join('\n'),
        ]
      : []),
    ...(notes.length > 0 ? [notes.map((note) => `Note: ${note}.`).join('\n')] : []),
  ];
}

interface Cells {
  readonly title: string;
  readonly head: string[];
  readonly rows: string[][];
}

/** Near and far AUROC: ours, the published, and the difference. */
function besidePublished({ title, publishedNetwork, rows }: Titled): Cells {
  const cells = (row: OpenOodRow, kind: 'near' | 'far') => [
    text(row[kind]?.auroc),
    text(row.published?.[kind]),
    signed(row.difference[kind]),
  ];
  const beside = publishedNetwork
    ? `published: OpenOOD v1.5, ${publishedNetwork}, settings tuned on validation OOD images where there are any (†)`
    : 'nothing is published that could stand beside it';
  return {
    title: `${title}: near- and far-OOD AUROC in %, means over the sets, ± deviation over checkpoints; ${beside}`,
    head: ['method', 'near', 'published', 'difference', 'far', 'published', 'difference'],
    rows: rows.map((row) => [label(row), ...cells(row, 'near'), ...cells(row, 'far')]),
  };
}

/** AUROC on every set. */
function everySet({ title, sets, rows }: Titled): Cells {
  return {
    title: `${title}: AUROC in % on each set, all its images`,
    head: ['method', ...sets.map(({ name, kind, images }) => `${name} (${kind})\n${images}`)],
    rows: rows.map((row) => [label(row), ...row.sets.map(({ auroc }) => text(auroc))]),
  };
}

function label({ method, isTuned }: OpenOodRow): string {
  return isTuned ? `${method} †` : method;
}

function text(value: MeanDeviation | undefined): string {
  if (!value) return '–';
  const { mean, deviation } = value;
  return deviation === undefined ? percent(mean) : `${percent(mean)} ± ${percent(deviation)}`;
}

function signed(share: number | undefined): string {
  return share === undefined ? '–' : `${share < 0 ? '−' : '+'}${percent(Math.abs(share))}`;
}

function percent(share: number | undefined): string {
  return share === undefined ? '' : (100 * share).toFixed(2);
}
