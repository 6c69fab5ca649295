import type { Calibration } from '../evaluation/conformal.ts';
import { calibrationAt, choosableRates } from './decision.ts';
import { byId } from './elements.ts';
import type { GuardFacts } from './guard-facts.ts';
import { percent, score } from './text.ts';

/** Lets the user move the false-alarm rate, and tells what it means. Calls back with the calibration, at once too. */
export function rateControl(facts: GuardFacts, onChange: (calibration: Calibration) => void): void {
  const rates = choosableRates(facts);
  const own = rates.indexOf(facts.calibration.rate);
  const slider = byId<HTMLInputElement>('rate');
  const reset = byId<HTMLButtonElement>('rate-reset');
  const set = (index: number) => {
    const calibration = calibrationAt(facts, rates[index]);
    const { rate, threshold, upperBound, confidence } = calibration;
    slider.value = String(index);
    slider.setAttribute('aria-valuetext', percent(rate));
    byId('rate-value').textContent = percent(rate);
    byId('rate-meaning').textContent =
      `Scores above ${score(threshold)} are OOD. On average, that is at most ${percent(rate)} of the images that the classifier was made for; with ${percent(confidence)} confidence, fewer than ${percent(upperBound)} of them.`;
    reset.hidden = index === own;
    onChange(calibration);
  };
  slider.max = String(rates.length - 1);
  slider.disabled = false;
  slider.addEventListener('input', () => set(slider.valueAsNumber));
  reset.textContent = `Back to the model’s own, ${percent(facts.calibration.rate)}`;
  reset.addEventListener('click', () => {
    set(own);
    // A hidden button loses the focus.
    slider.focus();
  });
  byId('rate-early').hidden = !facts.stages;
  set(own);
}
