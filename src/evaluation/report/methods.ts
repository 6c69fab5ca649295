import type { MethodResult, SetResult } from '../evaluate.ts';
import { computeMetrics } from '../metrics.ts';
import type { Scores } from '../operating-points.ts';
import { maximumOverLayers } from '../scored-set.ts';
import { methods as resultsOf } from '../tables.ts';
import type { GuardScores, ReportContent } from './content.ts';

/** A way to score images, what came of it on an OOD set, and the scores that it came of. */
export interface Method extends MethodResult {
  /** What it is called, without the layer's name. */
  readonly label: string;
  readonly ind: Scores;
  readonly ood: Scores;
}

/** An OOD set, and every method on it: LA-OOD, the best of its layers, the baselines, and the guard where there is one. */
export interface ComparedSet {
  readonly result: SetResult;
  readonly methods: readonly Method[];
  /** Share of the OOD images that the guard calls OOD, at its threshold. */
  readonly flagged?: number;
}

export function comparedSets({ evaluation, pairings, guard }: ReportContent): ComparedSet[] {
  return evaluation.sets.map((result, s) => {
    const { ind, ood } = pairings[s];
    const best = result.layers.indexOf(result.best);
    const scores = [
      [maximumOverLayers(ind).scores, maximumOverLayers(ood).scores],
      [ind.layers[best], ood.layers[best]],
      ...result.baselines.map(({ name }) => [ind.baselines![name], ood.baselines![name]]),
    ];
    const methods = resultsOf(result).map((method, m): Method => {
      const label = m === 1 ? 'best layer' : method.name;
      return { ...method, label, ind: scores[m][0], ood: scores[m][1] };
    });
    if (!guard) return { result, methods };
    const guarded = guardMethod(guard, result.ood);
    let above = 0;
    for (const score of guarded.ood) if (score > guard.calibration.threshold) above++;
    return { result, methods: [...methods, guarded], flagged: above / guarded.ood.length };
  });
}

/** The guard on a set, or on all of them where the set is none of its own. */
function guardMethod({ ind, ood }: GuardScores, set: string): Method {
  const scores = ood.get(set) ?? Float64Array.from([...ood.values()].flatMap((each) => Array.from(each)));
  return { name: 'guard', label: 'guard', metrics: computeMetrics(ind, scores), ind, ood: scores };
}
