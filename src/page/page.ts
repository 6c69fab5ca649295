import { type RuntimeReport, runtimeNames } from '../browser/open-browser-guard.ts';
import type { Calibration } from '../evaluation/conformal.ts';
import { className, showDetail } from './detail.ts';
import { byId } from './elements.ts';
import { type Entry, Gallery, verdict } from './gallery.ts';
import type { GuardFacts } from './guard-facts.ts';
import { takeFiles } from './intake.ts';
import { showModel, showRuntime } from './model-panel.ts';
import { rateControl } from './rate-control.ts';
import { Scorer } from './scorer.ts';
import { megabytes, plural, score } from './text.ts';

/** The page: loads the model, scores what it is given, and shows what the model says of it. */

let facts: GuardFacts;
let calibration: Calibration;
let runtime: RuntimeReport | undefined;
const scorer = new Scorer();
const gallery = new Gallery((entry) => showDetail(entry, facts, calibration, runtime));

try {
  facts = await loadFacts();
  showModel(facts);
  rateControl(facts, (changed) => {
    calibration = changed;
    for (const entry of gallery.entries) gallery.update(entry, calibration);
    showDetail(gallery.selected, facts, calibration, runtime);
    tellCounts();
  });
  takeFiles(take);
  byId('clear').addEventListener('click', () => {
    gallery.clear();
    showDetail(undefined, facts, calibration, runtime);
    tell('');
    byId('choose').focus();
  });
  const wanted = new URLSearchParams(location.search).get('runtime');
  const only = runtimeNames.find((name) => name === wanted);
  byId('runtime').textContent = `Loads the model, ${megabytes(facts.bytes)} …`;
  runtime = await scorer.open(facts, only);
  showRuntime(runtime);
} catch (error) {
  byId('runtime').textContent = `The model does not run here: ${(error as Error).message}`;
  byId('runtime').classList.add('problem');
}

async function loadFacts(): Promise<GuardFacts> {
  const response = await fetch('guard.json');
  if (!response.ok) throw new Error(`guard.json: ${response.status} ${response.statusText}`);
  // JSON has no NaN.
  return JSON.parse(await response.text(), (_, value) => (value === null ? Number.NaN : value));
}

/** Scores images in their order, and shows the first of them. */
async function take(files: readonly File[]): Promise<void> {
  const entries = files.map((file) => gallery.add(file));
  for (const entry of entries) gallery.update(entry, calibration);
  gallery.select(entries[0]);
  tell(`${plural(entries.length, 'image')} to score.`);
  await Promise.all(entries.map((entry, i) => scoreEntry(entry, files[i])));
  if (gallery.entries.length > 1) tellCounts();
  else if (gallery.entries.includes(entries[0])) tell(inWords(entries[0]));
}

async function scoreEntry(entry: Entry, file: File): Promise<void> {
  try {
    entry.scored = await scorer.score(file);
  } catch (error) {
    entry.error = (error as Error).message;
  }
  gallery.update(entry, calibration);
  if (gallery.selected === entry) gallery.select(entry);
}

function inWords(entry: Entry): string {
  if (!entry.scored) return entry.error ?? '';
  const { classIndex, score: value, pValue } = entry.scored.answer;
  const named = classIndex < 0 ? '' : `, ${className(classIndex, facts)}`;
  return `${entry.name}: ${verdict(entry, calibration)}${named}. Score ${score(value)}, p-value ${pValue.toFixed(4)}.`;
}

function tellCounts(): void {
  const { entries } = gallery;
  if (entries.length < 2) return;
  const count = (what: string) => entries.filter((entry) => verdict(entry, calibration) === what).length;
  const errors = count('Error');
  tell(
    `${plural(entries.length, 'image')}: ${count('InD')} InD, ${count('OOD')} OOD${errors ? `, ${errors} not read` : ''}.`,
  );
}

/** Says it on the page, and to screen readers. */
function tell(text: string): void {
  byId('status').textContent = text;
}
