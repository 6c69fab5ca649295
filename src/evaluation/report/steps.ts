import { escapeXml } from '../svg.ts';
import { count, folded, table } from './html.ts';
import type { ReportStep } from './report-content.ts';

/** How long each step of the run took, where, and at what rate. */
export function timings(steps: readonly ReportStep[]): string {
  const longest = Math.max(...steps.map(({ seconds }) => seconds), 0.001);
  return table<ReportStep>(
    'Time that each finished step took',
    [
      { head: 'Step', cell: ({ name }) => escapeXml(name) },
      { head: 'images', numeric: true, cell: ({ images }) => (images === undefined ? '' : count(images)) },
      {
        head: 'seconds',
        numeric: true,
        cell: ({ seconds }) => seconds.toFixed(1),
        attributes: ({ seconds }) => ` data-bar style="--bar:${(seconds / longest).toFixed(3)}"`,
      },
      {
        head: 'images a second',
        numeric: true,
        cell: ({ images, seconds }) => (images === undefined ? '' : count(Math.round(images / seconds))),
      },
      { head: 'device', cell: ({ device }) => escapeXml(device ?? '') },
    ],
    steps,
  );
}

/** The files that each step wrote with their hashes, and all that the manifest says of each step, folded. */
export function manifest(steps: readonly ReportStep[]): string {
  const files = steps.flatMap((step) =>
    Object.entries(step.record.outputs).map(([file, sha256]) => ({ file, sha256, step })),
  );
  const list = table<(typeof files)[number]>(
    'Files, the steps that wrote them, and their SHA-256',
    [
      { head: 'File', cell: ({ file }) => escapeXml(file) },
      { head: 'step', cell: ({ step }) => escapeXml(step.name) },
      { head: 'finished', cell: ({ step }) => step.record.finished.slice(0, 16).replace('T', ' ') },
      { head: 'SHA-256', cell: ({ sha256 }) => `<code>${sha256.slice(0, 16)}…</code>` },
    ],
    files,
    'small',
  );
  const details = steps.map(({ name, record }) =>
    folded(
      `${escapeXml(name)}: settings, inputs, results, versions`,
      `<pre tabindex="0">${escapeXml(JSON.stringify(record, shortened, 2))}</pre>`,
    ),
  );
  return [list, ...details].join('\n');
}

/** Lists that are longer are cut: `manifest.json` has them whole. */
const LONGEST = 12;

function shortened(_key: string, value: unknown): unknown {
  if (!Array.isArray(value) || value.length <= LONGEST) return value;
  return [...value.slice(0, 3), `… ${value.length - 4} more …`, value.at(-1)];
}
