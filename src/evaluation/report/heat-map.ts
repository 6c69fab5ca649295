import type { LayerResult } from '../evaluate.ts';
import { escapeXml } from '../svg.ts';
import { percent } from '../tables.ts';
import type { ComparedSet } from './compared-sets.ts';
import { folded, share, table } from './html.ts';
import { layerAxis, layerPicture } from './layer-axis.ts';

/** A row of a heat map: a cell for each layer. */
export interface HeatRow {
  /** HTML. */
  readonly label: string;
  /** What it shows, in words. */
  readonly title: string;
  readonly cells: readonly HeatCell[];
}

export interface HeatCell {
  /** How strong its colour is, from 0 to 1. */
  readonly strength: number;
  readonly className?: string;
  /** Shown where a pointer rests on it. */
  readonly title: string;
}

/** The AUROC of every layer on every OOD set: a row a set, a column a layer, and the same as a table. */
export function aurocMap(sets: readonly ComparedSet[], anchorOf: (set: number) => string): string {
  const { layers } = sets[0].result;
  const rows = sets.map(({ result }, s): HeatRow => {
    const { ood, best } = result;
    return {
      label: `<a href="#${anchorOf(s)}">${escapeXml(ood)}</a>`,
      title: `AUROC of each layer on ${ood}; the best is layer ${best.index + 1}, ${best.name}: ${percent(best.metrics.auroc)} %`,
      cells: result.layers.map(({ index, name, metrics: { auroc } }) => ({
        strength: strengthOf(auroc),
        className: auroc < 0.5 ? 'below' : '',
        title: `${ood}, layer ${index + 1} ${name}: AUROC ${percent(auroc)} %`,
      })),
    };
  });
  const numbers = table(
    'AUROC in % by layer and OOD set',
    [
      { head: 'Layer', cell: (l: number) => layerLabel(layers[l]) },
      ...sets.map(({ result }) => ({
        head: escapeXml(result.ood),
        numeric: true,
        cell: (l: number) => percent(result.layers[l].metrics.auroc),
        attributes: (l: number) => tint(result.layers[l].metrics.auroc),
      })),
    ],
    [...layers.keys()],
    'small',
  );
  return [heatMap(rows, layers), scale(), folded('These numbers as a table', numbers)].join('\n');
}

/** Rows of cells above the layers' numbers. */
export function heatMap(rows: readonly HeatRow[], layers: readonly LayerResult[]): string {
  const strips = rows.map(({ label, title, cells }) => {
    const rects = cells.map(
      ({ strength, className, title: cell }, l) =>
        `<rect x="${l}" width="1" height="1" fill-opacity="${Number(strength.toFixed(2))}"${className ? ` class="${className}"` : ''}><title>${escapeXml(cell)}</title></rect>`,
    );
    const picture = layerPicture(layers.length, 1, `<title>${escapeXml(title)}</title>`, rects.join(''));
    return `<div class="label">${label}</div>${picture}`;
  });
  return `<div class="heat">${strips.join('\n')}<div class="label axis-label">layer</div>${layerAxis(layers)}</div>`;
}

/** Of a table's cell that holds an AUROC. */
export function tint(auroc: number): string {
  return ` style="--heat:${strengthOf(auroc).toFixed(2)}" ${auroc < 0.5 ? 'data-below' : 'data-above'}`;
}

/** A layer's number, from 1, and its name. */
export function layerLabel({ index, name }: Pick<LayerResult, 'index' | 'name'>): string {
  return `<span class="number">${index + 1}</span> ${escapeXml(name)}`;
}

/** More of the scale for what is near 100 %, where the differences are. */
function strengthOf(auroc: number): number {
  return (Math.abs(auroc - 0.5) / 0.5) ** 1.5;
}

function scale(): string {
  const steps = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1].map((auroc) => {
    const side = auroc < 0.5 ? ' class="below"' : '';
    return `<li><i${side} style="opacity:${strengthOf(auroc).toFixed(2)}"></i>${share(auroc, 0)}</li>`;
  });
  return `<ul class="scale" aria-label="Colours of AUROC">${steps.join('')}</ul>`;
}
