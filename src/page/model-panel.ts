import { type RuntimeReport, runtimeTitles } from '../browser/open-browser-guard.ts';
import { byId, definitions, element } from './elements.ts';
import type { GuardFacts } from './guard-facts.ts';
import { megabytes, milliseconds, percent, plural } from './text.ts';

/** What the model says of itself. */
export function showModel(facts: GuardFacts): void {
  const { name, bytes, architecture, classCount, classNames, size } = facts;
  const { parts, questions, method, calibration, stages } = facts;
  byId('name').textContent = name;
  document.title = `${name} · la-ood`;
  const { height, width, filter = 'lanczos', shorterSide, framing } = size;
  const cut = shorterSide === undefined ? 'stretched' : `shorter side to ${shorterSide}, middle cut out`;
  const resized = framing
    ? `${framing.fit} ${framing.to.width} × ${framing.to.height}, cut or bordered`
    : cut;
  byId('model').replaceChildren(
    definitions([
      ['File', `${megabytes(bytes)}, of la-ood ${facts.version}`],
      ...(architecture ? ([['Network', architecture]] as const) : []),
      ['Classes', classNames ? listed(classNames) : String(classCount)],
      ['Input', `${width} × ${height} RGB, ${resized}, ${filter}`],
      [questions ? 'Made of' : 'Detectors', listed(parts, questions ? 'part' : 'detector')],
      [questions ? 'Answers' : 'Method', method],
      ...(stages ? ([['Stages', stages.map(percent).join(', ')]] as const) : []),
      ['Calibrated on', plural(calibration.count, 'image')],
      ['False alarms', `at most ${percent(calibration.rate)} on average`],
      ['Backbone', element('code', { title: facts.backbone }, `SHA-256 ${facts.backbone.slice(0, 12)}…`)],
    ]),
  );
}

/** Which runtime was taken, and why. */
export function showRuntime({ name, threads, milliseconds: time, difference, notes }: RuntimeReport): void {
  const title = name === 'wasm' ? `${runtimeTitles.wasm}, ${plural(threads, 'thread')}` : runtimeTitles[name];
  byId('runtime').textContent = `Runs on ${title}; ${milliseconds(time)} an image`;
  byId('runtime').classList.add('ready');
  byId('runtime-facts').replaceChildren(
    element(
      'p',
      {},
      `Checked: made-up images give the p-values that they give in Node, to ${difference.pValue.toFixed(4)}, and the logits to ${difference.logits.toExponential(0)} of the largest.`,
    ),
    ...notes.map((note) => element('p', {}, note)),
    ...(name === 'wasm' && threads === 1
      ? [
          element(
            'p',
            {},
            'One thread: more need a server that sends COOP and COEP headers, as la-ood serve does.',
          ),
        ]
      : []),
  );
}

function listed(names: readonly string[], noun?: string): HTMLElement {
  const count = noun ? plural(names.length, noun) : String(names.length);
  return element(
    'details',
    {},
    element('summary', {}, count),
    element('ol', {}, ...names.map((name) => element('li', {}, name))),
  );
}
