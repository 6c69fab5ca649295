import type { OnProgress } from '../../common/progress.ts';
import type { Question } from '../../detectors/guard/questions.ts';
import { type Calibration, calibrate } from '../../evaluation/conformal.ts';
import { answeredBy, flaggedShare, type GuardedScores } from '../../evaluation/guard-scores.ts';
import { auroc } from '../../evaluation/metrics.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { setName } from '../features/feature-files.ts';
import { outputsOnFeatures } from '../features/feature-rows.ts';
import type { CalibratedGuard, FittedGuard } from './fitted-guard.ts';
import type { GuardPlan } from './guard-plan.ts';

/** How well something finds a set. */
interface Found {
  readonly auroc: number;
  readonly found: number;
}

/** How well a guard finds an OOD set, by its decision and by each question. */
export interface FoundSet extends Found {
  readonly name: string;
  readonly byQuestion: Readonly<Partial<Record<Question, Found>>>;
}

/** Tries a guard on the run's OOD sets, from their features. */
export async function findSets(
  { components }: FittedGuard,
  { known, scoresOf }: CalibratedGuard,
  calibration: Calibration,
  { files, hashes }: GuardPlan,
  {
    rate,
    device,
    memory,
    onProgress,
  }: {
    readonly rate: number;
    readonly device?: DeviceName;
    readonly memory?: number;
    readonly onProgress?: OnProgress;
  },
): Promise<FoundSet[]> {
  const answered = answeredBy(known).map((question) => ({
    question,
    calibration: calibrate(known[question]!, rate),
  }));
  const sets: FoundSet[] = [];
  for (const file of files.oods) {
    const running = { backbone: hashes.backbone, device, memory, onProgress };
    const own = scoresOf(await outputsOnFeatures(components, file, running));
    const found = (by: keyof GuardedScores, calibrated: Calibration): Found => ({
      auroc: auroc(known[by]!, own[by]!),
      found: flaggedShare(calibrated, own[by]!),
    });
    const byQuestion = Object.fromEntries(
      answered.map((each) => [each.question, found(each.question, each.calibration)]),
    );
    sets.push({ name: setName(file), ...found('ood', calibration), byQuestion });
  }
  return sets;
}
