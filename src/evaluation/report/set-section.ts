import { escapeXml } from '../svg.ts';
import { bounds, columns, isComparable, percent } from '../tables.ts';
import type { ComparedSet, Method } from './compared-sets.ts';
import { galleryRows, type UsualScores } from './gallery-rows.ts';
import { tint } from './heat-map.ts';
import { histogram } from './histogram.ts';
import { count, figure, share, table } from './html.ts';
import type { Gallery } from './report-content.ts';
import { layerChart, layerTable } from './report-layers.ts';
import { rocChart } from './roc.ts';
import { badge, verdict } from './verdict.ts';

/** Everything about one OOD set. */
export function setSection(
  set: ComparedSet,
  ind: string,
  id: string,
  gallery: Gallery | undefined,
  usual: UsualScores,
): string {
  const { result, methods } = set;
  const { ood, indCount, oodCount, guard, laOod, selection } = result;
  const name = escapeXml(ood);
  const histograms = methods.map(
    ({ label, ind: known, ood: other }, m) =>
      `<div class="h h${m}">${histogram(label, known, other, [ind, ood])}</div>`,
  );
  const own = `LA-OOD’s own threshold, 0, accepts ${share(laOod.indAccepted / indCount)} of ${escapeXml(ind)} and rejects ${share(laOod.oodRejected / oodCount)} of ${name}.`;
  const guarded = guard ? ` The guard flags ${share(guard.flagged)} of ${name}.` : '';
  const chosen = selection
    ? ` ${count(selection.kept)} of ${count(selection.from)} images, chosen at random (seed ${selection.seed}).`
    : '';
  return `<section class="set" id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${name} ${badge(set)}</h2>
<p class="lead">${verdict(set)} ${own}${guarded}</p>
<div class="panels">
<div class="numbers">${methodTable(set, id)}<p class="caption">In %; ${count(indCount)} InD and ${count(oodCount)} OOD images.${chosen} <span class="screen">The buttons choose the histogram.</span> The colours are those of the ROC curves.</p></div>
${figure(histograms.join(''), `How <span class="ind">${escapeXml(ind)}</span> and <span class="ood">${name}</span> score: the share of the images in each bar, on one scale.`, 'histograms')}
${figure(rocChart(methods, ood), 'ROC, OOD positive. Further up and to the left is better; the dashed diagonal is chance.', 'roc')}
</div>
${layerChart(result, ind)}
${gallery ? galleryRows(gallery, result.layers, usual, { id, lowest: `Hardest: the ${name} images that look most like ${escapeXml(ind)}`, highest: 'Easiest: those that look least like it' }) : ''}
${layerTable(result, ind)}
</section>`;
}

function methodTable({ result, methods }: ComparedSet, id: string): string {
  return table<number>(
    `${result.ood}: every score, in %`,
    [
      {
        head: 'Score',
        cell: (m) =>
          `<label class="pick"><input type="radio" name="${id}" class="p${m}"${m === 0 ? ' checked' : ''}><i class="swatch m${m}"></i><span>${escapeXml(methods[m].label)}</span></label>`,
      },
      ...columns.map(({ key, terminal }) => ({
        head: terminal.replace('\n', '<br>'),
        numeric: true,
        cell: (m: number) => metric(methods[m], key),
        attributes: (m: number) => (key === 'auroc' ? tint(methods[m].metrics.auroc) : ''),
      })),
    ],
    [...methods.keys()],
    'methods',
  );
}

/** A metric with its interval where there is one. */
function metric({ name, metrics, intervals }: Method, key: keyof Method['metrics']): string {
  if (!isComparable(name, key)) return '–';
  const interval = intervals ? `<br><small>${bounds(intervals[key]).join('–')}</small>` : '';
  return `${percent(metrics[key])}${interval}`;
}
