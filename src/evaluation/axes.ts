import { text } from './svg.ts';

/** The lowest and the highest value of an axis. */
export type Range = readonly [low: number, high: number];

/** A rectangle of a picture, in pixels, and the values at its sides. */
export interface Plot {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly x: Range;
  readonly y: Range;
}

/** A value of an axis, and what is written there. */
export interface Mark {
  readonly value: number;
  readonly label: string;
}

/** Where a value lies, in pixels from the left; in the middle where the axis has one value only. */
export function xOf({ left, width, x: [low, high] }: Plot, value: number): number {
  return high === low ? left + width / 2 : left + (width * (value - low)) / (high - low);
}

/** Where a value lies, in pixels from the top: higher values are further up. */
export function yOf({ top, height, y: [low, high] }: Plot, value: number): number {
  return top + height - (height * (value - low)) / (high - low || 1);
}

/** Horizontal lines across a plot, each with its label to the left. */
export function yAxis(plot: Plot, marks: readonly Mark[]): string {
  const { left, width } = plot;
  return marks
    .map(({ value, label }) => {
      const at = yOf(plot, value).toFixed(1);
      const line = `<line class="grid" x1="${left}" x2="${left + width}" y1="${at}" y2="${at}" stroke="#dddddd"/>`;
      return line + text(left - 6, Number(at) + 4, label, 'text-anchor="end"');
    })
    .join('');
}

/** Labels below a plot, each in the middle below its value, those at the ends within the plot. */
export function xAxis(plot: Plot, marks: readonly Mark[]): string {
  const { top, height, x } = plot;
  const anchor = (value: number) => (value === x[0] ? 'start' : value === x[1] ? 'end' : 'middle');
  return marks
    .map(({ value, label }) =>
      text(xOf(plot, value), top + height + 16, label, `text-anchor="${anchor(value)}"`),
    )
    .join('');
}

/** The path of a line through points, coordinates to a tenth of a pixel. */
export function linePath(points: readonly (readonly [x: number, y: number])[]): string {
  return points.map(([x, y], i) => `${i ? 'L' : 'M'}${short(x)} ${short(y)}`).join('');
}

/** As few digits as a tenth of a pixel needs. */
export function short(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** Round numbers between two values, about as many as are wanted, with the digits that tell them apart. */
export function roundMarks([low, high]: Range, wanted = 4): Mark[] {
  if (!(high > low)) return [{ value: low, label: low.toPrecision(3) }];
  const raw = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw)!;
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  const marks: Mark[] = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++)
    marks.push({ value: i * step, label: (i * step).toFixed(digits).replace('-', '−') });
  return marks;
}
