import { misclassifiedPanels, type Panel, panelWords, setPanels } from '../method-panels.ts';
import type { MethodTable } from '../method-table.ts';
import { escapeXml } from '../svg.ts';
import { table } from './html.ts';

/** Every method on every set, near, far and shifted sets apart, and on wrongly classified InD images. */
export function methodSection(methods: MethodTable): string {
  const isAnyTuned = methods.methods.some(({ isTuned }) => isTuned);
  const misclassified = misclassifiedPanels(methods);
  return `<section id="methods" aria-labelledby="methods-title">
<h2 id="methods-title">Method by method</h2>
<p class="lead">${panelWords.sets} All images of every set count; the best of each column is bold.${isAnyTuned ? ` ${panelWords.tuned}` : ''}</p>
${setPanels(methods).map(panelTable).join('\n')}
${misclassified.length > 0 ? `<p class="lead">${panelWords.misclassified}</p>` : ''}
${misclassified.map(panelTable).join('\n')}
</section>`;
}

function panelTable({ title, columns, rows }: Panel): string {
  return `<h3>${escapeXml(title)}</h3>
${table(
  `${title}, method by method`,
  [
    { head: 'Method', cell: (m: number) => escapeXml(rows[m].name) },
    ...columns.map((column, c) => ({
      head: escapeXml(column),
      numeric: true,
      cell(m: number) {
        const { text, isBest } = rows[m].cells[c];
        return isBest ? `<b>${text}</b>` : text;
      },
    })),
  ],
  [...rows.keys()],
  'small',
)}`;
}
