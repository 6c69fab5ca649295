import { type Calibration, calibrate } from '../evaluation/conformal.ts';
import type { GuardAnswer } from '../guard/guard-answer.ts';
import type { GuardFacts } from './guard-facts.ts';

/** Rates that people ask for. */
const usual = [0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5];

/**
 * The false-alarm rates that one can choose for a model, ascending; its own is among them. None is below what so few
 * calibration images can support. Images leave a model with early exit by its own rate, before its later layers have
 * scored them: its rate can only be raised.
 */
export function choosableRates({ calibration, stages }: GuardFacts): number[] {
  const least = stages ? calibration.rate : 1 / (calibration.count + 1);
  return [...new Set([...usual, calibration.rate])].filter((rate) => rate >= least).sort((a, b) => a - b);
}

/**
 * The calibration that a model would have at another rate. An image is called OOD where its p-value is at most the rate,
 * which is to say where its score is above this threshold.
 */
export function calibrationAt({ calibration, scores }: GuardFacts, rate: number): Calibration {
  return rate === calibration.rate ? calibration : calibrate(scores, rate, calibration.confidence);
}

/** A score that is no number is OOD. */
export function isOod({ score }: Pick<GuardAnswer, 'score'>, { threshold }: Calibration): boolean {
  return !(score <= threshold);
}
