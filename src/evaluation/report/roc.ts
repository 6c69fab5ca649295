import { linePath, type Plot, xAxis, xOf, yAxis, yOf } from '../axes.ts';
import { type RocCurve, rocCurve } from '../metrics.ts';
import { text } from '../svg.ts';
import { percent } from '../tables.ts';
import type { Method } from './compared-sets.ts';
import { svg } from './html.ts';

const WIDTH = 360;
const HEIGHT = 330;
const plot: Plot = { left: 42, top: 12, width: 306, height: 274, x: [0, 1], y: [0, 1] };

/** A curve's points are at least this far apart, along both axes together: a pixel or two. */
const STEP = 1 / 160;

const marks = [0, 0.25, 0.5, 0.75, 1].map((value) => ({ value, label: `${100 * value}` }));

/**
 * The ROC curves of all methods, OOD being the positive class, and on the first one's the points behind both conventions
 * of FPR95: where 95 % of the OOD images are found, and where 95 % of the InD images are accepted.
 */
export function rocChart(methods: readonly Method[], ood: string): string {
  const [first] = methods;
  const { fprAt95Tpr, fprAt95TprIndPositive, auroc } = first.metrics;
  const place = (fpr: number, tpr: number) => [xOf(plot, fpr), yOf(plot, tpr)] as const;
  const curves = methods.map(({ ind, ood: positive }, m) => {
    const points = thinned(rocCurve(ind, positive)).map(([fpr, tpr]) => place(fpr, tpr));
    return `<path class="curve m${m}" d="${linePath(points)}"/>`;
  });
  const [outX, outY] = place(fprAt95Tpr, 0.95);
  const [inX, inY] = place(0.05, 1 - fprAt95TprIndPositive);
  const right = plot.left + plot.width;
  const bottom = plot.top + plot.height;
  const legend = bottom - 46;
  const content = [
    yAxis(plot, marks),
    xAxis(plot, marks),
    `<path class="chance" d="${linePath([place(0, 0), place(1, 1)])}"/>`,
    `<path class="guide" d="M${plot.left} ${outY}H${right}M${inX} ${plot.top}V${bottom}"/>`,
    // The first one's curve lies on top.
    ...curves.reverse(),
    circle(outX, outY),
    diamond(inX, inY),
    `<rect class="plate" x="${right - 190}" y="${legend - 16}" width="186" height="56" rx="4"/>`,
    text(right - 182, legend, `${first.label}, FPR95 in %`, 'class="note"'),
    circle(right - 176, legend + 13),
    text(right - 164, legend + 17, `OOD positive ${percent(fprAt95Tpr)}`),
    diamond(right - 176, legend + 29),
    text(right - 164, legend + 33, `InD positive ${percent(fprAt95TprIndPositive)}`),
    text(
      plot.left + plot.width / 2,
      HEIGHT - 6,
      'InD images called OOD, %',
      'class="note" text-anchor="middle"',
    ),
    `<text transform="translate(11 ${plot.top + plot.height / 2}) rotate(-90)" class="note" text-anchor="middle">OOD images found, %</text>`,
  ];
  const title = `ROC curves for ${ood}. ${first.label}: AUROC ${percent(auroc)} %, FPR95 ${percent(fprAt95Tpr)} % with OOD and ${percent(fprAt95TprIndPositive)} % with InD as the positive class`;
  return svg(WIDTH, HEIGHT, title, content.join(''));
}

/** The curve's first and last point, and so many between that the eye sees no difference. */
function thinned({ fpr, tpr }: RocCurve): [number, number][] {
  const points: [number, number][] = [[0, 0]];
  let [x, y] = [0, 0];
  for (let i = 0; i < fpr.length; i++) {
    if (fpr[i] - x + (tpr[i] - y) < STEP && i < fpr.length - 1) continue;
    // A corner between two points that are far apart is kept, so that a straight line stays one.
    if (i > 0 && (fpr[i - 1] !== x || tpr[i - 1] !== y)) points.push([fpr[i - 1], tpr[i - 1]]);
    points.push([fpr[i], tpr[i]]);
    [x, y] = [fpr[i], tpr[i]];
  }
  return points;
}

function circle(x: number, y: number): string {
  return `<circle class="mark" cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="5"/>`;
}

function diamond(x: number, y: number): string {
  return `<path class="mark" d="M${x.toFixed(1)} ${(y - 6).toFixed(1)}l6 6l-6 6l-6-6Z"/>`;
}
