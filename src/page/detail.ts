import { type RuntimeReport, runtimeTitles } from '../browser/open-browser-guard.ts';
import type { Calibration } from '../evaluation/conformal.ts';
import { reasonOf } from '../evaluation/reason.ts';
import type { GuardAnswer } from '../guard/guard-answer.ts';
import { byId, definitions, element } from './elements.ts';
import { type Entry, isSmall, verdict } from './gallery.ts';
import type { GuardFacts } from './guard-facts.ts';
import { layerChart } from './layer-chart.ts';
import { scoreChart } from './score-chart.ts';
import type { Scored } from './scorer.ts';
import { milliseconds, percent, plural, score } from './text.ts';

/** All that is known of one image. */
export function showDetail(
  entry: Entry | undefined,
  facts: GuardFacts,
  calibration: Calibration,
  runtime: RuntimeReport | undefined,
): void {
  const detail = byId('detail');
  detail.hidden = entry === undefined;
  if (!entry) return;
  const { name, scored, error } = entry;
  const title = element('h2', {}, name);
  if (error !== undefined) detail.replaceChildren(title, element('p', { class: 'problem' }, error));
  else if (!scored || !runtime) detail.replaceChildren(title, element('p', {}, 'Waits for the model …'));
  else detail.replaceChildren(title, ...parts(entry, scored, facts, calibration, runtime));
}

function parts(
  entry: Entry,
  scored: Scored,
  facts: GuardFacts,
  calibration: Calibration,
  runtime: RuntimeReport,
): HTMLElement[] {
  const { answer, note } = scored;
  const decision = verdict(entry, calibration);
  return [
    element(
      'div',
      { class: 'verdict' },
      pictures(entry, scored, facts),
      element(
        'div',
        {},
        element('p', { class: `decision ${decision.toLowerCase()}` }, decision),
        element('p', { class: 'sentence' }, ...sentence(answer, facts, calibration, decision === 'OOD')),
        rows(scored, facts, runtime),
        ...(note ? [element('p', { class: 'note' }, note)] : []),
      ),
    ),
    element('h3', {}, `Its score among those of ${plural(facts.scores.length, 'known image')}`),
    scoreChart(facts, calibration, answer.score),
    element(
      'h3',
      {},
      facts.questions
        ? 'What the score is made of'
        : 'Layer profile: how unusual each place in the network is',
    ),
    layerChart(facts, answer),
  ];
}

function pictures({ url }: Entry, { pixels, stored }: Scored, { size }: GuardFacts): HTMLElement {
  const { height, width } = size;
  const canvas = element('canvas', { width, height, role: 'img', 'aria-label': 'What the network is given' });
  const image = canvas.getContext('2d')!.createImageData(width, height);
  for (let from = 0, to = 0; from < pixels.length; from += 3, to += 4)
    image.data.set([pixels[from], pixels[from + 1], pixels[from + 2], 255], to);
  canvas.getContext('2d')!.putImageData(image, 0, 0);
  const original = element('img', {
    src: url,
    alt: `The image, ${stored.width} × ${stored.height}`,
    class: isSmall({ stored } as Scored) ? 'small' : undefined,
  });
  return element(
    'div',
    { class: 'pictures' },
    element('figure', {}, original, element('figcaption', {}, `${stored.width} × ${stored.height}`)),
    element(
      'figure',
      { class: 'given' },
      canvas,
      element('figcaption', {}, `as the network sees it, ${width} × ${height}`),
    ),
  );
}

function sentence(
  answer: GuardAnswer,
  facts: GuardFacts,
  { rate }: Calibration,
  isOod: boolean,
): (Node | string)[] {
  const { classIndex, classes } = answer;
  if (classIndex < 0)
    return ['It left the network early, as soon as it was seen to be OOD; it has no class.'];
  const named = [
    element('strong', {}, className(classIndex, facts)),
    `, ${facts.isMultiLabel ? 'sigmoid' : 'softmax'} ${percent(classes[0].score)}`,
  ];
  return isOod
    ? [`${reason(answer, facts, rate)}. The classifier would say `, ...named, '.']
    : ['Nothing unusual. The classifier says ', ...named, '.'];
}

/** Why an image is OOD: which question it failed at this rate, where the guard answers questions. */
function reason({ content, conditions }: GuardAnswer, { questions }: GuardFacts, rate: number): string {
  if (!questions) return 'Unlike what the classifier was made for';
  const why = reasonOf(
    {
      isOod: true,
      contentPValue: content?.pValue,
      conditionsPValue: conditions?.pValue,
      condition: conditions?.name,
    },
    rate,
  );
  return why[0].toUpperCase() + why.slice(1);
}

function rows(
  { answer, milliseconds: time }: Scored,
  facts: GuardFacts,
  runtime: RuntimeReport,
): HTMLElement {
  const { classIndex, pValue, content, conditions, layer, stage } = answer;
  return definitions([
    ['Class', element('data', { value: classIndex }, classIndex < 0 ? '–' : className(classIndex, facts))],
    ['Score', element('data', { value: answer.score }, score(answer.score))],
    ['p-value', element('data', { value: pValue }, `${pValue.toFixed(4)}: ${likeIt(facts, answer.score)}`)],
    ...(!content || !conditions
      ? []
      : ([
          ['Content', `p-value ${content.pValue.toFixed(4)}`],
          ['Conditions', `p-value ${conditions.pValue.toFixed(4)}`],
        ] as const)),
    ...(layer === undefined ? [] : ([['Most unusual', layer]] as const)),
    ...(stage === undefined || !facts.stages
      ? []
      : ([['Left after', `stage ${stage + 1} of ${facts.stages.length}`]] as const)),
    [
      'Took',
      `${milliseconds(time.run)} in ${runtimeTitles[runtime.name]}, ${milliseconds(time.decode)} to decode and resize`,
    ],
  ]);
}

function likeIt({ scores }: GuardFacts, value: number): string {
  const higher = scores.filter((known) => !(known < value)).length;
  return `${higher || 'none'} of ${plural(scores.length, 'known image')} ${higher === 1 ? 'scores' : 'score'} as high`;
}

/** A class by its name, where the guard knows it. */
export function className(label: number, { classNames }: GuardFacts): string {
  return classNames?.[label] ?? `class ${label}`;
}
