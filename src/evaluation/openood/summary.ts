import type { MeasuredSet, MethodTable } from '../method-table.ts';
import type { Metrics } from '../metrics.ts';
import type { PublishedResult } from './published.ts';

export interface MeanDeviation {
  readonly mean: number;
  /** Absent where there is one checkpoint. */
  readonly deviation?: number;
}

export type MetricSummary = { readonly [metric in keyof Metrics]: MeanDeviation };

/** A method over all checkpoints. */
export interface OpenOodRow {
  readonly method: string;
  readonly isTuned?: boolean;
  /** For each set, in the order of the sets. */
  readonly sets: readonly MetricSummary[];
  /** Over the sets of a kind that are there. */
  readonly near?: MetricSummary;
  readonly far?: MetricSummary;
  readonly published?: Pick<PublishedResult, 'near' | 'far'>;
  /** Our mean AUROC less the published one, between -1 and 1; where all sets of the kind are there. */
  readonly difference: { readonly near?: number; readonly far?: number };
}

/** Results of a benchmark: every method over all checkpoints, beside what is published. */
export interface OpenOodSummary {
  readonly sets: readonly MeasuredSet[];
  readonly rows: readonly OpenOodRow[];
}

/**
 * Mean and population deviation over checkpoints, as OpenOOD's scripts compute them (`np.mean`, `np.std`), of each set and of
 * each checkpoint's near and far means.
 *
 * @param tables one a checkpoint, of the same sets; methods that not every checkpoint has are left out
 * @param published by our names of methods
 * @param isComplete whether all near and all far sets of the protocol are there
 */
export function summarizeOpenOod(
  tables: readonly MethodTable[],
  published: ReadonlyMap<string, PublishedResult>,
  isComplete: { readonly near: boolean; readonly far: boolean },
): OpenOodSummary {
  const [{ sets, methods }] = tables;
  const isEverywhere = ({ name }: { name: string }) =>
    tables.every((table) => table.methods.some((method) => method.name === name));
  const rows = methods.filter(isEverywhere).map(({ name, isTuned }): OpenOodRow => {
    const own = tables.map((table) => table.methods.find((method) => method.name === name)!);
    const mean = (kind: 'near' | 'far') => {
      const means = own.flatMap(({ means }) => means[kind] ?? []);
      return means.length > 0 ? summarize(means) : undefined;
    };
    const [near, far] = [mean('near'), mean('far')];
    const theirs = published.get(name);
    const difference = (kind: 'near' | 'far', ours: MetricSummary | undefined) =>
      theirs && ours && isComplete[kind] ? { [kind]: ours.auroc.mean - theirs[kind].mean } : {};
    return {
      method: name,
      ...(isTuned && { isTuned }),
      sets: sets.map((_, s) => summarize(own.map((method) => method.sets[s]))),
      ...(near && { near }),
      ...(far && { far }),
      ...(theirs && { published: { near: theirs.near, far: theirs.far } }),
      difference: { ...difference('near', near), ...difference('far', far) },
    };
  });
  return { sets, rows };
}

function summarize(each: readonly Metrics[]): MetricSummary {
  const of = (metric: keyof Metrics): MeanDeviation => {
    const mean = each.reduce((sum, metrics) => sum + metrics[metric], 0) / each.length;
    const variance = each.reduce((sum, metrics) => sum + (metrics[metric] - mean) ** 2, 0) / each.length;
    return each.length > 1 ? { mean, deviation: Math.sqrt(variance) } : { mean };
  };
  return {
    fprAt95Tpr: of('fprAt95Tpr'),
    fprAt95TprIndPositive: of('fprAt95TprIndPositive'),
    auroc: of('auroc'),
    auprOut: of('auprOut'),
    auprIn: of('auprIn'),
  };
}
