import { type Question, questions } from '../detectors/guard/questions.ts';
import type { Calibration } from './conformal.ts';
import type { MethodScores } from './method-table.ts';
import type { Scores } from './operating-points.ts';

/** What the guard's decision is called in tables. */
export const GUARD = 'guard';

/** What the answer to a question is called in tables. */
export function answerName(question: Question): string {
  return `${GUARD}: ${question}`;
}

/** What a guard says of images; higher is more OOD. */
export interface GuardedScores {
  /** What it decides by. */
  readonly ood: Scores;
  /** Its answers, where it answers questions. */
  readonly content?: Scores;
  readonly conditions?: Scores;
}

/** What the run's guard says of the same images. */
export interface GuardScores {
  /** How it was made: `content and conditions`. */
  readonly method: string;
  readonly calibration: Calibration;
  /** Of the InD images: it was calibrated on them. */
  readonly ind: GuardedScores;
  /** Of each OOD set, by its name. */
  readonly sets: ReadonlyMap<string, GuardedScores>;
}

/** The questions that a guard answers. */
export function answeredBy(ind: GuardedScores): Question[] {
  return questions.filter((question) => ind[question]);
}

/** The guard's scores of an OOD set, or of all of them, one after the other, where the set is none of its own. */
export function guardScoresOf({ sets }: GuardScores, set: string, by: keyof GuardedScores = 'ood'): Scores {
  const own = sets.get(set);
  return own ? own[by]! : Float64Array.from([...sets.values()].flatMap((each) => Array.from(each[by]!)));
}

/** Share of OOD images that are called OOD, at a calibration's threshold. */
export function flaggedShare({ threshold }: Calibration, ood: Scores): number {
  let above = 0;
  for (const score of ood) if (score > threshold) above++;
  return above / ood.length;
}

/**
 * The guard's decision and its answers among methods.
 *
 * @param sets names of the OOD sets, in order
 * @param isWrong for each image of the InD set 1 where the classifier is wrong, else 0
 */
export function guardMethods(
  guard: GuardScores,
  sets: readonly string[],
  isWrong: Uint8Array | undefined,
): MethodScores[] {
  const rows = [
    { name: GUARD, by: 'ood' as const },
    ...answeredBy(guard.ind).map((question) => ({ name: answerName(question), by: question })),
  ];
  return rows.map(({ name, by }) => ({
    ...{ name, ind: guard.ind[by]!, isWrong },
    sets: sets.map((set) => guardScoresOf(guard, set, by)),
  }));
}
