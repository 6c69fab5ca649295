import type { MethodResult, SetResult } from '../evaluate.ts';
import { answeredBy, guardScoresOf } from '../guard-scores.ts';
import type { Scores } from '../operating-points.ts';
import { maximumOverLayers } from '../scored-set.ts';
import { methods as resultsOf } from '../tables.ts';
import type { ReportContent } from './report-content.ts';

/** A way to score images, what came of it on an OOD set, and the scores that it came of. */
export interface Method extends MethodResult {
  /** What it is called, without the layer's name. */
  readonly label: string;
  readonly ind: Scores;
  readonly ood: Scores;
}

/** An OOD set, and every method on it: the guard's decision and answers where there is one, LA-OOD, the best of its layers, the baselines. */
export interface ComparedSet {
  readonly result: SetResult;
  readonly methods: readonly Method[];
}

export function comparedSets({ evaluation, pairings, guard }: ReportContent): ComparedSet[] {
  return evaluation.sets.map((result, s) => {
    const { ind, ood } = pairings[s];
    const best = result.layers.indexOf(result.best);
    const scores = [
      ...(guard
        ? (['ood', ...answeredBy(guard.ind)] as const).map((by) => [
            guard.ind[by]!,
            guardScoresOf(guard, result.ood, by),
          ])
        : []),
      [maximumOverLayers(ind).scores, maximumOverLayers(ood).scores],
      [ind.layers[best], ood.layers[best]],
      ...result.baselines.map(({ name }) => [ind.baselines![name], ood.baselines![name]]),
    ];
    const bestRow = scores.length - result.baselines.length - 1;
    const methods = resultsOf(result).map((method, m): Method => {
      const label = m === bestRow ? 'best layer' : method.name;
      return { ...method, label, ind: scores[m][0], ood: scores[m][1] };
    });
    return { result, methods };
  });
}
