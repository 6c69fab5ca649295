import type { Evaluation, SetResult } from './evaluate.ts';
import { escapeXml, text } from './svg.ts';

/** Sizes in pixels. */
const layout = { left: 150, right: 70, bar: 14, gap: 4, group: 22, top: 64, width: 760 };

/** One colour a method, told apart in print and by the colour-blind (Okabe and Ito 2008). */
const colors = ['#0072b2', '#56b4e9', '#999999', '#e69f00', '#d55e00', '#009e73', '#cc79a7'];

/**
 * A bar chart (SVG) of the AUROC with which the guard, LA-OOD, its best layer and the baselines find each OOD set. The bars begin
 * at 0 and a line marks 50 %, which is chance.
 */
export function aurocChart({ ind, sets }: Evaluation): string {
  const methods = methodsOf(sets[0]).map(({ label }) => label);
  const groupHeight = methods.length * (layout.bar + layout.gap) + layout.group;
  const height = layout.top + sets.length * groupHeight + 20;
  const scale = (layout.width - layout.left - layout.right) / 100;
  const chance = layout.left + 50 * scale;
  const groups = sets.map((set, s) => group(set, layout.top + s * groupHeight, scale));
  const legend = methods.map((label, m) => {
    const x = layout.left + m * 86;
    return `<rect x="${x}" y="36" width="12" height="12" fill="${colors[m]}"/>${text(x + 17, 46, label)}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${layout.width} ${height}" font-family="sans-serif" font-size="12">
<title>AUROC in % by OOD set and score; InD ${escapeXml(ind)}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
${text(layout.left, 22, `OOD detection with ${ind} as InD: AUROC in % (dashed: chance)`, 'font-size="14" font-weight="bold"')}
${legend.join('\n')}
${groups.join('\n')}
<line x1="${chance}" x2="${chance}" y1="${layout.top - 6}" y2="${height - 20}" stroke="#333333" stroke-dasharray="4 3"/>
</svg>
`;
}

function methodsOf({ guard, laOod, best, baselines }: SetResult): { label: string; auroc: number }[] {
  return [
    ...(guard ? [{ label: guard.name, auroc: guard.metrics.auroc }] : []),
    { label: laOod.name, auroc: laOod.metrics.auroc },
    { label: 'best layer', auroc: best.metrics.auroc },
    ...baselines.map(({ name, metrics }) => ({ label: name, auroc: metrics.auroc })),
  ];
}

function group(set: SetResult, top: number, scale: number): string {
  const bars = methodsOf(set).map(({ auroc }, m) => {
    const y = top + m * (layout.bar + layout.gap);
    const width = 100 * auroc * scale;
    const bar = `<rect x="${layout.left}" y="${y}" width="${width.toFixed(1)}" height="${layout.bar}" fill="${colors[m]}"/>`;
    return bar + text(layout.left + width + 5, y + 11, (100 * auroc).toFixed(2));
  });
  const name = text(layout.left - 8, top + 12, set.ood, 'text-anchor="end" font-weight="bold"');
  const counts = text(
    layout.left - 8,
    top + 28,
    `${set.indCount} : ${set.oodCount}`,
    'text-anchor="end" fill="#666666"',
  );
  return [name, counts, ...bars].join('\n');
}
