import type { Calibration } from './conformal.ts';
import type { MethodScores } from './method-table.ts';
import type { Scores } from './operating-points.ts';

/** What the guard is called in tables. */
export const GUARD = 'guard';

/** What the run's guard says of the same images; higher is more OOD. */
export interface GuardScores {
  /** How it was made: `gaussian, evidence`. */
  readonly method: string;
  readonly calibration: Calibration;
  /** Of the InD images that it was calibrated on. */
  readonly ind: Scores;
  /** Their numbers in the InD set. */
  readonly indRows: Uint32Array;
  /** Of each OOD set, by its name. */
  readonly ood: ReadonlyMap<string, Scores>;
}

/** The guard's scores of an OOD set, or of all of them, one after the other, where the set is none of its own. */
export function guardScoresOf({ ood }: GuardScores, set: string): Scores {
  return ood.get(set) ?? Float64Array.from([...ood.values()].flatMap((each) => Array.from(each)));
}

/** Share of OOD images that the guard calls OOD, at its threshold. */
export function flaggedShare({ calibration: { threshold } }: GuardScores, ood: Scores): number {
  let above = 0;
  for (const score of ood) if (score > threshold) above++;
  return above / ood.length;
}

/**
 * The guard among methods.
 *
 * @param sets names of the OOD sets, in order
 * @param isWrong for each image of the InD set 1 where the classifier is wrong, else 0
 */
export function guardMethod(
  { ind, indRows, ood }: GuardScores,
  sets: readonly string[],
  isWrong: Uint8Array | undefined,
): MethodScores {
  return {
    ...{ name: GUARD, ind, sets: sets.map((name) => ood.get(name)!) },
    isWrong: isWrong && Uint8Array.from(indRows, (row) => isWrong[row]),
  };
}
