import { toCsv } from '../common/csv.ts';
import type { EpochReport } from '../training/train.ts';
import { type Plot, xOf, yAxis, yOf } from './axes.ts';
import { escapeXml, text } from './svg.ts';

/** A row an epoch, in full precision; what it took is in the manifest, since this file is the same every time. */
export function curvesCsv(epochs: readonly EpochReport[]): string {
  return toCsv([
    ['epoch', 'rate', 'train_loss', 'train_accuracy', 'test_loss', 'test_accuracy'],
    ...epochs.map((e) => [e.epoch, e.rate, e.trainLoss, e.trainAccuracy, e.testLoss, e.testAccuracy]),
  ]);
}

/** Sizes in pixels. */
const panel = { width: 330, height: 210, left: 56, gap: 70, top: 64 };

const colors = ['#56b4e9', '#d55e00'];

/** Values by epoch, a line for each of a chart's labels. */
export interface Panel {
  readonly name: string;
  /** Of each line as many, of epochs `first`, `first` + 1, …; 1 where absent. */
  readonly lines: readonly (readonly number[])[];
  readonly first?: number;
}

/** A picture (SVG) of loss and accuracy by epoch, side by side. */
export function curvesChart(title: string, epochs: readonly EpochReport[]): string {
  const losses = [epochs.map(({ trainLoss }) => trainLoss), epochs.map(({ testLoss }) => testLoss)];
  const shares = [epochs.map((e) => 100 * e.trainAccuracy), epochs.map((e) => 100 * e.testAccuracy)];
  return epochCharts(
    title,
    ['training, augmented', 'test'],
    [
      { name: 'loss', lines: losses },
      { name: 'accuracy in %', lines: shares },
    ],
  );
}

/** A picture (SVG) of two panels side by side, with the same two labels. */
export function epochCharts(
  title: string,
  labels: readonly [string, string],
  [left, right]: readonly [Panel, Panel],
): string {
  const width = 2 * (panel.left + panel.width) + panel.gap;
  const legend = labels.map((label, s) => {
    const x = panel.left + s * 150;
    return `<rect x="${x}" y="32" width="12" height="12" fill="${colors[s]}"/>${text(x + 17, 42, label)}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${panel.top + panel.height + 44}" font-family="sans-serif" font-size="12">
<title>${escapeXml(title)}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
${text(panel.left, 20, title, 'font-size="14" font-weight="bold"')}
${legend.join('\n')}
${curves(left, panel.left)}
${curves(right, 2 * panel.left + panel.width + panel.gap - 20)}
</svg>
`;
}

/** A panel's lines, and five marks on its axis. */
function curves({ name, lines, first = 1 }: Panel, left: number): string {
  const all = lines.flat();
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const last = first + lines[0].length - 1;
  const { width, height, top } = panel;
  const plot: Plot = { left, top, width, height, x: [first, last], y: [low, high] };
  const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const value = low + share * (high - low || 1);
    return { value, label: value.toPrecision(3) };
  });
  const drawn = lines.map((values, s) => {
    const points = values.map(
      (value, i) => [xOf(plot, first + i).toFixed(1), yOf(plot, value).toFixed(1)] as const,
    );
    const color = colors[s];
    const line = points.map(([x, y]) => `${x},${y}`).join(' ');
    const dots = points.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="2" fill="${color}"/>`);
    return `<polyline points="${line}" fill="none" stroke="${color}" stroke-width="1.5"/>${points.length <= 50 ? dots.join('') : ''}`;
  });
  return [
    yAxis(plot, marks),
    ...drawn,
    text(left + width / 2, top - 8, name, 'text-anchor="middle"'),
    text(left, top + height + 18, `epoch ${first}`),
    text(left + width, top + height + 18, String(last), 'text-anchor="end"'),
  ].join('\n');
}
