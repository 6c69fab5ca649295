import { basename, resolve } from 'node:path';
import type { MethodScores, SetKind } from '../../src/evaluation/method-table.ts';
import { readModel } from '../../src/graph/read.ts';
import { guardInfo } from '../../src/guard/guard-info.ts';
import { guardOnFeatures } from '../../src/pipeline/evaluation/guard-on-features.ts';
import { scoreRunMethods } from '../../src/pipeline/evaluation/score-run-methods.ts';
import { extractFeatures } from '../../src/pipeline/features/extract-features.ts';
import { featureFile, oodFiles, setKind, setName } from '../../src/pipeline/features/feature-files.ts';
import { openRecorded, recordedSet } from '../../src/pipeline/features/recorded-set.ts';
import { GUARD_FILE, guardRun } from '../../src/pipeline/guard/guard-run.ts';
import type { RunFolder } from '../../src/pipeline/run-folder.ts';
import { changedKind, changedSets } from './guard-sets.ts';
import type { RunScores } from './regret.ts';

/** The published methods beside which a guard is measured. */
export const PANEL = ['msp', 'energy', 'knn', 'mahalanobis++', 'vim', 'layer-gaussians'];

/** What a guard's answers are called among methods. */
export const ANSWERS = ['content', 'conditions', 'decision'] as const;
export type Answer = (typeof ANSWERS)[number];

/** The guard of a run, and methods and other guards beside it, on its sets. */
export interface GuardedRun extends RunScores {
  readonly calibrationImages: number;
  /** InD images that had no part in it: the guard is measured on them, and on what they are changed to. */
  readonly further: GuardedSet;
  readonly guarded: readonly GuardedSet[];
  readonly panel: readonly string[];
  readonly others: readonly string[];
}

/** What a guard says of a set. */
export interface GuardedSet {
  readonly name: string;
  readonly kind?: SetKind;
  readonly images: number;
  readonly pValues: Readonly<Record<Answer, Float64Array>>;
  /** Of each image the name of its condition; undefined where conditions are usual. */
  readonly conditions: readonly (string | undefined)[];
  /** Of InD images, changed or not: whether the classifier is right on each. */
  readonly isRight?: readonly boolean[];
}

export interface GuardRunOptions {
  /** Name of the set of further InD images, whose features the run has. */
  readonly further: string;
  /** Files of other guards of the same classifier, by the name that they get. */
  readonly others: Readonly<Record<string, string>>;
}

/** Computes the features of changed images and fits the guard and the methods, where that was not done, and scores all sets. */
export async function measureGuard(
  run: RunFolder,
  { further, others }: GuardRunOptions,
): Promise<GuardedRun> {
  const name = basename(resolve(run.path));
  const ind = await featureFile(run, 'test');
  const [furtherFile] = await oodFiles(run, ind, [further]);
  const recorded = recordedSet(run, furtherFile);
  await extractFeatures(run, {
    ood: changedSets.map(({ by }) => ({ name: by, source: `${by}:${recorded.source}`, kind: changedKind })),
    seed: recorded.reading.seed,
  });
  const files = [furtherFile, ...(await oodFiles(run, ind)).filter((file) => file !== furtherFile)];
  const { calibration } = await guardRun(run);
  const { methods } = await scoreRunMethods(run, ind, files, { methods: PANEL, device: 'cpu' });

  const model = await readModel(run.file(GUARD_FILE));
  const { conditions: names = [] } = guardInfo(model, run.file(GUARD_FILE));
  const images = await openRecorded(recorded);
  const changed = new Set([further, ...changedSets.map(({ by }) => by)]);
  const answers: Record<Answer, Float64Array[]> = { content: [], conditions: [], decision: [] };
  const guarded: GuardedSet[] = [];
  for (const file of files) {
    const said = await guardOnFeatures(model, OUTPUTS, run.file(GUARD_FILE), file);
    answers.content.push(said.content_score);
    answers.conditions.push(said.conditions_score);
    answers.decision.push(said.ood_score);
    const set = setName(file);
    guarded.push({
      ...{ name: set, kind: setKind(run, file), images: said.label.length },
      pValues: { content: said.content_p_value, conditions: said.conditions_p_value, decision: said.p_value },
      conditions: Array.from(said.condition, (condition) => names[condition]),
      // A set that is changed image by image has the classes of the set that it comes from.
      ...(changed.has(set) && {
        isRight: Array.from(said.label, (label, image) => label === images.label(image)),
      }),
    });
  }
  const otherScores = await Promise.all(
    Object.entries(others).map(async ([other, path]) => {
      const guard = await readModel(path);
      const scores: Float64Array[] = [];
      for (const file of files)
        scores.push((await guardOnFeatures(guard, ['ood_score'], path, file)).ood_score);
      return scoresOf(other, scores);
    }),
  );
  return {
    ...{ name, calibrationImages: calibration.count, further: guarded[0], guarded: guarded.slice(1) },
    sets: guarded.slice(1),
    panel: methods.map(({ name }) => name),
    others: Object.keys(others),
    methods: [
      ...methods.map((method) => scoresOf(method.name, method.sets)),
      ...otherScores,
      ...ANSWERS.map((answer) => scoresOf(answer, answers[answer])),
    ],
  };
}

const OUTPUTS = [
  ...(['label', 'ood_score', 'p_value', 'condition'] as const),
  ...(['content_score', 'content_p_value', 'conditions_score', 'conditions_p_value'] as const),
] as const;

/** The first set's images are the InD images. */
function scoresOf(name: string, [ind, ...sets]: MethodScores['sets']): MethodScores {
  return { name, ind, sets };
}
