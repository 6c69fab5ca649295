import { escapeXml } from '../svg.ts';
import { fpr95Convention } from '../tables.ts';
import { comparedSets } from './compared-sets.ts';
import { fittingSection } from './fitting.ts';
import { galleryRows, usualScores } from './gallery-rows.ts';
import { aurocMap } from './heat-map.ts';
import { methodSection } from './method-section.ts';
import { facts, overviewTable, verdicts, warningList, words } from './overview.ts';
import type { ReportContent } from './report-content.ts';
import { setSection } from './set-section.ts';
import { manifest, timings } from './steps.ts';
import { style } from './style.ts';

/**
 * A run's results as one HTML file that needs nothing else: no script, no font, no address. Its policy forbids the browser
 * to ask for anything. The same content gives the same bytes.
 */
export function reportHtml(content: ReportContent): string {
  const { name, program, evaluation, detectors, steps, galleries, pairings } = content;
  const { ind } = evaluation;
  const sets = comparedSets(content);
  const { layers } = sets[0].result;
  const usual = usualScores(pairings.reduce((a, b) => (b.ind.count > a.ind.count ? b : a)).ind);
  const anchorOf = (set: number) => `set-${set}`;
  const galleryOf = (set: string) => galleries.find((gallery) => gallery.set === set);
  const known = galleryOf(ind);
  const links = sets.map(({ result }, s) => `<a href="#${anchorOf(s)}">${escapeXml(result.ood)}</a>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${escapeXml(name)}: OOD report</title>
<style>${style(sets[0].methods.length)}</style>
</head>
<body>
<header>
<p class="kind">OOD report</p>
<h1>${escapeXml(name)}</h1>
${facts(content)}
<nav aria-label="Contents"><a href="#verdicts">Verdicts</a><a href="#methods">Methods</a><a href="#layers">Layers</a>${known ? '<a href="#ind">InD images</a>' : ''}${links.join('')}<a href="#fitting">Fitting</a><a href="#timings">Timings</a><a href="#manifest">Manifest</a></nav>
</header>
<main>
<section id="verdicts" aria-labelledby="verdicts-title">
<h2 id="verdicts-title">What is found, and what is not</h2>
${verdicts(sets, anchorOf)}
${overviewTable(sets, fpr95Convention(evaluation), anchorOf)}
${warningList(content.warnings)}
${words(content)}
</section>
${methodSection(evaluation.methods)}
<section id="layers" aria-labelledby="layers-title">
<h2 id="layers-title">Which layer sees what</h2>
<p class="lead">AUROC of each layer’s detector alone: a row an OOD set, a column a layer, the first on the left. The stronger the blue, the better the layer tells the set from ${escapeXml(ind)}; orange is the wrong way round.</p>
${aurocMap(sets, anchorOf)}
</section>
${known ? indSection(content, usual, known) : ''}
${sets.map((set, s) => setSection(set, ind, anchorOf(s), galleryOf(set.result.ood), usual)).join('\n')}
<section id="fitting" aria-labelledby="fitting-title">
<h2 id="fitting-title">How the detectors were fitted</h2>
<p class="lead">For each layer, the γ is taken that confuses held-out InD images and pseudo outliers made of them the least. No OOD image is needed for it.</p>
${fittingSection(detectors, layers)}
</section>
<section id="timings" aria-labelledby="timings-title">
<h2 id="timings-title">Timings</h2>
${timings(steps)}
</section>
<section id="manifest" aria-labelledby="manifest-title">
<h2 id="manifest-title">Manifest</h2>
<p class="lead">How each file came to be: settings, SHA-256 of what went in and came out, versions. The whole of it is in <code>manifest.json</code>.</p>
${manifest(steps)}
</section>
</main>
<footer>${escapeXml(program)}. Numbers in full precision are in <code>results/summary.json</code>.</footer>
</body>
</html>
`;
}

/** The InD set’s own images: those that raise false alarms, and those that raise none. */
function indSection(
  { evaluation: { ind, sets } }: ReportContent,
  usual: ReturnType<typeof usualScores>,
  gallery: ReportContent['galleries'][number],
): string {
  return `<section id="ind" aria-labelledby="ind-title">
<h2 id="ind-title">${escapeXml(ind)}, the InD set</h2>
${galleryRows(gallery, sets[0].layers, usual, {
  id: 'ind',
  lowest: 'Most usual',
  highest: 'Least usual: these raise a false alarm first',
  highestFirst: true,
})}
</section>`;
}
