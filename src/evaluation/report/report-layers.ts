import { linePath, short } from '../axes.ts';
import type { LayerResult, SetResult } from '../evaluate.ts';
import { escapeXml } from '../svg.ts';
import { percent } from '../tables.ts';
import { layerLabel, tint } from './heat-map.ts';
import { count, folded, share, table } from './html.ts';
import { layerAxis, layerPicture } from './layer-axis.ts';

/** Heights of the two pictures, in their own units. */
const AUROC_HEIGHT = 50;
const FIRED_HEIGHT = 100;

/**
 * A set layer by layer: the AUROC of each alone, and below it for how many images each had the highest score, OOD images
 * upwards and InD images downwards; and the same as a table.
 */
export function layerChart(set: SetResult, ind: string): string {
  const { layers, ood, best, indCount, oodCount } = set;
  const fired = layers.map(({ indMaxima, oodMaxima }) => [oodMaxima / oodCount, indMaxima / indCount]);
  const highest = Math.max(...fired.flat());
  const hover = (height: number) =>
    layers
      .map((layer, l) => {
        const [o, i] = fired[l];
        const words = `layer ${layer.index + 1} ${layer.name}: AUROC ${percent(layer.metrics.auroc)} %; highest for ${share(o)} of ${ood}, ${share(i)} of ${ind}`;
        return `<rect class="hover" x="${l}" width="1" height="${height}"><title>${escapeXml(words)}</title></rect>`;
      })
      .join('');
  const aurocs = layers.map(({ metrics }) => AUROC_HEIGHT * 2 * Math.max(0, metrics.auroc - 0.5));
  const auroc = layerPicture(
    layers.length,
    AUROC_HEIGHT,
    `<title>${escapeXml(`AUROC of each layer on ${ood}, from 50 to 100 %; the best is layer ${best.index + 1}, ${best.name}, with ${percent(best.metrics.auroc)} %`)}</title>`,
    bars(aurocs, AUROC_HEIGHT, -1, 'auroc') + hover(AUROC_HEIGHT),
  );
  const most = layers.reduce((most, layer) => (layer.oodMaxima > most.oodMaxima ? layer : most));
  const unit = FIRED_HEIGHT / (Math.max(...fired.map(([o]) => o)) + Math.max(...fired.map(([, i]) => i)));
  const line = unit * Math.max(...fired.map(([o]) => o));
  const up = fired.map(([o]) => unit * o);
  const down = fired.map(([, i]) => unit * i);
  const firing = layerPicture(
    layers.length,
    FIRED_HEIGHT,
    `<title>${escapeXml(`Share of the images whose highest score is each layer's, up to ${share(highest)}; of ${ood} most often layer ${most.index + 1}, ${most.name}: ${share(most.oodMaxima / oodCount)}`)}</title>`,
    bars(up, line, -1, 'ood') + bars(down, line, 1, 'ind') + hover(FIRED_HEIGHT),
  );
  return `<figure class="layers">
<div class="rows">
<div class="label">AUROC <br><small>50–100 %</small></div>${auroc}
<div class="label"><span class="ood">${escapeXml(ood)} ↑</span> <br><span class="ind">${escapeXml(ind)} ↓</span> <br><small>to ${share(highest, 0)}</small></div>${firing}
<div class="label axis-label">layer</div>${layerAxis(layers)}
</div>
<figcaption>Layer by layer. Above: how well each layer alone tells ${escapeXml(ood)} from ${escapeXml(ind)}; the best is layer ${best.index + 1}, ${escapeXml(best.name)}, with ${percent(best.metrics.auroc)} %. Below: for how many images each layer fired, that is, had the highest score of all; of ${escapeXml(ood)} most often layer ${most.index + 1}, ${escapeXml(most.name)} (${share(most.oodMaxima / oodCount)}).</figcaption>
</figure>`;
}

/** Every layer's numbers. */
export function layerTable(set: SetResult, ind: string): string {
  const { ood, layers, indCount, oodCount } = set;
  return folded(
    `Every layer in numbers`,
    table<LayerResult>(
      `${ood} layer by layer; metrics in %, of ${count(indCount)} InD and ${count(oodCount)} OOD images`,
      [
        { head: 'Layer', cell: layerLabel },
        {
          head: 'AUROC',
          numeric: true,
          cell: ({ metrics }) => percent(metrics.auroc),
          attributes: ({ metrics }) => tint(metrics.auroc),
        },
        { head: 'FPR95<br>OOD pos.', numeric: true, cell: ({ metrics }) => percent(metrics.fprAt95Tpr) },
        {
          head: 'FPR95<br>InD pos.',
          numeric: true,
          cell: ({ metrics }) => percent(metrics.fprAt95TprIndPositive),
        },
        { head: 'InD accepted', numeric: true, cell: ({ indAccepted }) => count(indAccepted) },
        { head: 'OOD rejected', numeric: true, cell: ({ oodRejected }) => count(oodRejected) },
        {
          head: `highest for<br>${escapeXml(ind)}`,
          numeric: true,
          cell: ({ indMaxima }) => count(indMaxima),
        },
        {
          head: `highest for<br>${escapeXml(ood)}`,
          numeric: true,
          cell: ({ oodMaxima }) => count(oodMaxima),
        },
      ],
      layers,
      'small',
    ),
  );
}

/** A bar for each layer, up or down from a line. */
export function bars(values: readonly number[], line: number, direction: 1 | -1, className: string): string {
  const path = values.flatMap((value, l) => {
    if (value === 0) return [];
    const y = line + direction * value;
    return linePath([
      [l + 0.1, line],
      [l + 0.1, y],
      [l + 0.9, y],
      [l + 0.9, line],
    ]);
  });
  const end = values.length;
  return `<path class="bar ${className}" d="${path.join('')}"/><path class="axis" d="M0 ${short(line)}H${end}"/>`;
}
