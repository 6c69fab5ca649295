import { linePath, type Plot, type Range, roundMarks, short, xAxis, xOf, yOf } from '../axes.ts';
import { quantile } from '../bootstrap.ts';
import type { Scores } from '../operating-points.ts';
import { text } from '../svg.ts';
import { count, share, svg } from './html.ts';

const BINS = 60;
const WIDTH = 360;
const HEIGHT = 250;

/** A peak this many times as high as the lower one is cut off: the lower one would not be seen otherwise. */
const HIGHEST = 3;

/** Of the scores at each end, this share lies in the first and the last bin. */
const BEYOND = 0.002;

/**
 * The scores of InD and OOD images as two histograms on one scale, and the score that 5 % of the InD images exceed. The
 * first and the last bar hold what lies beyond.
 */
export function histogram(
  method: string,
  ind: Scores,
  ood: Scores,
  names: readonly [string, string],
): string {
  const x = rangeOf(ind, ood);
  const shares = [ind, ood].map((scores) => binned(scores, x));
  const peaks = shares.map((bins) => Math.max(...bins));
  const highest = Math.min(Math.max(...peaks), HIGHEST * Math.min(...peaks));
  const plot: Plot = { left: 8, top: 34, width: WIDTH - 16, height: HEIGHT - 78, x, y: [0, highest * 1.06] };
  const areas = shares.map((bins, i) => {
    const className = i === 0 ? 'ind' : 'ood';
    const line = outline(plot, bins);
    const cut = peaks[i] > highest * 1.01 ? cutMark(plot, bins, peaks[i], className) : '';
    return `<path class="area ${className}" d="${line}"/>${cut}`;
  });
  const limit = limitOf(ind);
  const at = short(xOf(plot, Math.min(limit, x[1])));
  const bottom = plot.top + plot.height;
  const side = Number(at) > WIDTH / 2 ? 'end' : 'start';
  const content = [
    `<line class="axis" x1="${plot.left}" x2="${plot.left + plot.width}" y1="${bottom}" y2="${bottom}"/>`,
    ...areas,
    `<line class="limit" x1="${at}" x2="${at}" y1="${plot.top - 6}" y2="${bottom}"/>`,
    text(
      Number(at) + (side === 'end' ? -5 : 5),
      plot.top - 8,
      '5 % false alarms',
      `class="note" text-anchor="${side}"`,
    ),
    xAxis(plot, roundMarks(x, 5)),
    text(plot.left, HEIGHT - 8, `← like ${names[0]}`, 'class="note"'),
    text(plot.left + plot.width, HEIGHT - 8, `${method} score, more OOD →`, 'class="note" text-anchor="end"'),
  ];
  const title = `Histograms of the ${method} scores of ${count(ind.length)} images of ${names[0]} and ${count(ood.length)} of ${names[1]}`;
  return svg(WIDTH, HEIGHT, title, content.join(''));
}

/** The score that 5 % of the InD images exceed. */
function limitOf(ind: Scores): number {
  return quantile(ind.slice().sort(), 0.95);
}

function rangeOf(ind: Scores, ood: Scores): Range {
  const [a, b] = [ind, ood].map((scores) => scores.slice().sort());
  const low = Math.min(quantile(a, BEYOND), quantile(b, BEYOND));
  const high = Math.max(quantile(a, 1 - BEYOND), quantile(b, 1 - BEYOND));
  return high > low ? [low, high] : [low - 0.5, high + 0.5];
}

/** The share of the scores in each bin. */
function binned(scores: Scores, [low, high]: Range): Float64Array {
  const bins = new Float64Array(BINS);
  for (const score of scores) {
    const bin = Math.floor((BINS * (score - low)) / (high - low));
    bins[Math.min(BINS - 1, Math.max(0, bin))] += 1 / scores.length;
  }
  return bins;
}

/** Around the bars, closed at the bottom. */
function outline(plot: Plot, bins: Float64Array): string {
  const points: [number, number][] = [[plot.left, yOf(plot, 0)]];
  bins.forEach((value, bin) => {
    const y = yOf(plot, Math.min(value, plot.y[1]));
    points.push([leftOf(plot, bin), y], [leftOf(plot, bin + 1), y]);
  });
  points.push([plot.left + plot.width, yOf(plot, 0)]);
  return `${linePath(points)}Z`;
}

/** Says how high a bar is that goes beyond the top. */
function cutMark(plot: Plot, bins: Float64Array, peak: number, className: string): string {
  const bin = bins.indexOf(peak);
  const side = bin > BINS / 2 ? 'end' : 'start';
  const x = leftOf(plot, bin + (side === 'end' ? 0 : 1)) + (side === 'end' ? -4 : 4);
  return text(x, plot.top + 14, `↑ ${share(peak, 0)}`, `class="cut ${className}" text-anchor="${side}"`);
}

function leftOf({ left, width: whole }: Plot, bin: number): number {
  return left + (whole * bin) / BINS;
}
