import type { OnProgress } from '../../common/progress.ts';
import type { MethodOptions } from '../../detectors/methods/method.ts';
import { methods as allMethods } from '../../detectors/methods/method-registry.ts';
import type { MethodScores } from '../../evaluation/method-table.ts';
import { readModel } from '../../graph/read.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { setName } from '../features/feature-files.ts';
import { fitRunMethods, METHODS_FILE } from '../methods/fit-run-methods.ts';
import { MethodScorer } from '../methods/score-methods.ts';
import type { RunFolder } from '../run-folder.ts';
import { wrongImages } from './wrong-images.ts';

export interface ScoreRunMethodsOptions extends MethodOptions {
  /** Names of methods, or `all`. */
  readonly methods: readonly string[];
  readonly device?: DeviceName;
  /** Bytes that scoring may take beyond what the methods hold; 2 GiB where absent. */
  readonly memory?: number;
  readonly onProgress?: OnProgress;
}

/** What the methods of a run say of its InD test images and of OOD sets. */
export interface ScoredRunMethods {
  readonly methods: readonly MethodScores[];
  /** Methods that cannot be had here and why, and what fitting the others found, in a line each without a full stop. */
  readonly notes: readonly string[];
}

/**
 * Fits methods on a run's training features, where that was not done, and scores feature files with them.
 *
 * @param ind the InD test feature file
 * @param sets the feature files of the other sets
 * @throws what `fitRunMethods` throws
 */
export async function scoreRunMethods(
  run: RunFolder,
  ind: string,
  sets: readonly string[],
  { device, memory, ...fitting }: ScoreRunMethodsOptions,
): Promise<ScoredRunMethods> {
  const { onProgress } = fitting;
  const { methods: fitted, refused } = await fitRunMethods(run, { ...fitting, ind: setName(ind) });
  const scorer = await MethodScorer.open(await readModel(run.file(METHODS_FILE)), device, memory);
  try {
    const isWrong = await wrongImages(ind);
    const ofInd = await scorer.score(ind, undefined, onProgress);
    const ofSets: Awaited<ReturnType<MethodScorer['score']>>[] = [];
    for (const file of sets) ofSets.push(await scorer.score(file, undefined, onProgress));
    const described = (name: string) => allMethods.find((method) => method.name === name)!;
    return {
      methods: fitted.map(({ name }) => ({
        name: described(name).title,
        ...(described(name).isTuned && { isTuned: true }),
        ind: ofInd.get(name)!,
        sets: ofSets.map((scores) => scores.get(name)!),
        isWrong,
      })),
      notes: [
        ...refused.map(({ name, reason }) => `${described(name).title} is left out: ${reason}`),
        ...fitted.flatMap(({ name, notes = [] }) => notes.map((note) => `${described(name).title}: ${note}`)),
      ],
    };
  } finally {
    await scorer.close();
  }
}
