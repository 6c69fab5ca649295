import { BEST_METHOD } from '../evaluate.ts';
import { escapeXml } from '../svg.ts';
import { fpr95Convention, percent } from '../tables.ts';
import type { ComparedSet } from './compared-sets.ts';
import { tint } from './heat-map.ts';
import { type Column, count, folded, share, table } from './html.ts';
import type { ReportContent } from './report-content.ts';
import { badge, found, verdict } from './verdict.ts';

/** The run in four numbers. */
export function facts({ evaluation, pairings, accuracy, trainingImages, guard }: ReportContent): string {
  const ind = Math.max(...pairings.map((pairing) => pairing.ind.count));
  const sets = pairings.length > 1 ? pairings.length - 1 : 1;
  const entries = [
    ['InD set', escapeXml(evaluation.ind), `${count(ind)} test images`],
    accuracy === undefined
      ? undefined
      : ['Classifier', share(accuracy), 'of the test images classified right'],
    [
      'Detectors',
      count(evaluation.sets[0].layers.length),
      trainingImages === undefined ? 'one a layer' : `layers, fitted on ${count(trainingImages)} images`,
    ],
    ['OOD sets', count(sets), 'of which the detectors saw none'],
    guard
      ? [
          'Guard',
          share(guard.calibration.rate, 0),
          `false alarms asked for; at most ${share(guard.calibration.upperBound)} with ${share(guard.calibration.confidence, 0)} confidence`,
        ]
      : undefined,
  ];
  const items = entries.flatMap((entry) =>
    entry ? [`<div><dt>${entry[0]}</dt><dd><b>${entry[1]}</b> <span>${entry[2]}</span></dd></div>`] : [],
  );
  return `<dl class="facts">${items.join('')}</dl>`;
}

/** A sentence for each OOD set, the hardest first. */
export function verdicts(sets: readonly ComparedSet[], anchorOf: (set: number) => string): string {
  const items = sets
    .map((set, s) => ({ set, s }))
    .sort((a, b) => found(a.set.methods[0]) - found(b.set.methods[0]))
    .map(
      ({ set, s }) =>
        `<li>${badge(set)}<p><a href="#${anchorOf(s)}">${escapeXml(set.result.ood)}</a> ${verdict(set)}</p></li>`,
    );
  return `<ul class="verdicts">${items.join('\n')}</ul>`;
}

/** AUROC of every method on every set, and the first one's FPR95 by both conventions. */
export function overviewTable(
  sets: readonly ComparedSet[],
  convention: readonly string[],
  anchorOf: (set: number) => string,
): string {
  const methods = sets[0].methods.map(
    ({ label }, m): Column<number> => ({
      head: `${escapeXml(label)}<br><small>AUROC</small>`,
      numeric: true,
      cell: (s) => percent(sets[s].methods[m].metrics.auroc),
      attributes: (s) => tint(sets[s].methods[m].metrics.auroc),
    }),
  );
  const [first, ...others] = methods;
  const ofGuard = sets[0].result.guard ? sets[0].result.guard.answers.length : 0;
  const bestMethod: Column<number> = {
    head: 'best method<br><small>AUROC</small>',
    numeric: true,
    cell(s) {
      const { bestMethod } = sets[s].result;
      if (!bestMethod) return '–';
      const name = escapeXml(bestMethod.name.replace(`${BEST_METHOD}: `, ''));
      return `${percent(bestMethod.metrics.auroc)}<br><small>${name}</small>`;
    },
    attributes: (s) => {
      const { bestMethod } = sets[s].result;
      return bestMethod ? tint(bestMethod.metrics.auroc) : '';
    },
  };
  const label = escapeXml(sets[0].methods[0].label);
  const columns: Column<number>[] = [
    {
      head: 'OOD set',
      cell: (s) => `<a href="#${anchorOf(s)}">${escapeXml(sets[s].result.ood)}</a>`,
    },
    first,
    {
      head: `${label}<br><small>FPR95 OOD pos.</small>`,
      numeric: true,
      cell: (s) => percent(sets[s].methods[0].metrics.fprAt95Tpr),
    },
    {
      head: `${label}<br><small>FPR95 InD pos.</small>`,
      numeric: true,
      cell: (s) => percent(sets[s].methods[0].metrics.fprAt95TprIndPositive),
    },
    ...others.toSpliced(ofGuard, 0, bestMethod),
    {
      head: 'InD : OOD<br><small>images</small>',
      numeric: true,
      cell: (s) => `${count(sets[s].result.indCount)} : ${count(sets[s].result.oodCount)}`,
    },
  ];
  return `${table('Results by OOD set, in %', columns, [...sets.keys()], 'overview')}
<p class="caption">In %. ${convention.join(' ')}</p>`;
}

/** What makes the figures doubtful. */
export function warningList(warnings: readonly string[]): string {
  const items = warnings.map((warning) => `<li>Note: ${escapeXml(warning)}.</li>`);
  return items.length > 0 ? `<ul class="warnings">${items.join('')}</ul>` : '';
}

/** What the words of the report mean. */
export function words({ evaluation, guard }: ReportContent): string {
  const [laOod] = evaluation.sets;
  const entries = [
    [
      'InD, OOD',
      'In-distribution: the kind of images that the classifier was trained for. Out-of-distribution: all others.',
    ],
    [
      'Score',
      'What a method says of an image; higher is more OOD, whatever the method. LA-OOD’s is the highest score of the one-class SVMs that watch the layers. MSP is the maximum softmax probability, negated; max logit and energy are of the logits.',
    ],
    [
      'AUROC',
      'The chance that an OOD image scores higher than an InD image: 100 % is perfect, 50 % is a coin, less is the wrong way round.',
    ],
    [
      'FPR95',
      `${fpr95Convention(evaluation).join(' ')} “Finds at 5 % false alarms” is 100 % minus the latter.`,
    ],
    [
      'Best layer, best method',
      'The single layer, and the published method of those compared, with the highest AUROC on a set. They are known only after the fact.',
    ],
    [
      'Balance',
      `Sets are balanced: the first so many images of both, except for the last, where all OOD sets are joined. ${laOod.selection ? `Larger OOD sets were reduced to ${count(laOod.selection.kept)} images.` : ''}`,
    ],
    guard
      ? [
          'Guard',
          `guarded.onnx (${escapeXml(guard.method)}), which is deployed. It decides by one score; where it answers two questions, “content” is whether an image shows what the classifier was taught, and “conditions” whether it was taken and processed like the training images. Measured on all OOD images and on all ${count(guard.ind.ood.length)} InD images.`,
        ]
      : undefined,
  ];
  const items = entries.flatMap((entry) => (entry ? [`<dt>${entry[0]}</dt><dd>${entry[1]}</dd>`] : []));
  return folded('What the words mean', `<dl class="words-list">${items.join('')}</dl>`);
}
