import type { MeanDeviation } from './summary.ts';

/** A method's published near and far AUROC, between 0 and 1. */
export interface PublishedResult {
  readonly benchmark: string;
  readonly architecture: string;
  readonly method: string;
  readonly near: MeanDeviation;
  readonly far: MeanDeviation;
}

/** Reads `published.csv`, whose comments say where its facts come from. */
export function parsePublished(csv: string): PublishedResult[] {
  const [, ...rows] = csv.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return rows.map((row) => {
    const [benchmark, architecture, method, near, nearDeviation, far, farDeviation] = row.split(',');
    return {
      ...{ benchmark, architecture, method },
      near: result(near, nearDeviation),
      far: result(far, farDeviation),
    };
  });
}

/**
 * The published results of a benchmark, by method, for the network that is like ours; for the first one where none is.
 *
 * @param architecture of our checkpoints, where it is known: `resnet50`
 */
export function publishedOf(
  all: readonly PublishedResult[],
  benchmark: string,
  architecture?: string,
): { readonly architecture?: string; readonly methods: ReadonlyMap<string, PublishedResult> } {
  const own = all.filter((result) => result.benchmark === benchmark);
  const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '');
  const like = own.find(
    (result) => architecture && plain(architecture).startsWith(plain(result.architecture)),
  );
  const chosen = (like ?? own[0])?.architecture;
  const methods = own.filter((result) => result.architecture === chosen);
  return {
    architecture: chosen,
    methods: new Map(methods.map((result) => [result.method, result])),
  };
}

function result(percent: string, deviation: string): MeanDeviation {
  return { mean: Number(percent) / 100, ...(deviation !== '' && { deviation: Number(deviation) / 100 }) };
}
