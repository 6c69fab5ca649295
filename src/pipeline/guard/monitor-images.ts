import { RandomState } from '../../common/random.ts';
import { DriftDetector, type DriftState } from '../../evaluation/drift.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { readModel } from '../../graph/read.ts';
import { guardInfo } from '../../guard/guard-info.ts';
import { calibrationScores } from './guarded-file.ts';
import { type ScoredImage, type ScoreOptions, scoreImages } from './score-images.ts';

export interface MonitorOptions extends ScoreOptions {
  /** Images between false alarms, on average and at least; 10,000 where absent. */
  readonly every?: number;
  /** Seed of the order of equal scores. */
  readonly seed?: number;
}

/** What drifts: one of the answers of a guard of questions, or the score of another. */
export type MonitoredScore = 'content' | 'conditions' | 'score';

/** What a stream is like up to an image, in one respect. */
export interface MonitoredDrift extends DriftState {
  readonly of: MonitoredScore;
  /** At an alarm, of conditions and of guards by layers: the condition, or the layer, that the latest images were most often farthest by. */
  readonly mostly?: string;
}

/** An image of a stream, and what the stream is like up to it. */
export interface MonitoredImage extends ScoredImage {
  readonly drifts: readonly MonitoredDrift[];
}

/** Images that an alarm looks back at. */
const LATEST = 100;

/**
 * Watches a stream of images: single images that are OOD are `scoreImages`' business, this tells when the stream as a whole
 * is no longer like the images that the guard was calibrated on, be it ever so little, content and conditions apart. See
 * {@link DriftDetector}.
 *
 * @throws GraphError where the file is no guarded model; DataError where images cannot be read
 *
 * @example
 * ```ts
 * import { monitorImages } from 'la-ood/guard';
 *
 * for await (const { image, drifts } of monitorImages('guarded.onnx', ['camera/*.jpg'], { every: 10_000 }))
 *   for (const { of, alarm, since } of drifts) if (alarm) console.log(`${image}: ${of} drifts since image ${since}`);
 * ```
 */
export async function* monitorImages(
  path: string,
  sources: readonly string[],
  { every = 10_000, seed = 0, ...options }: MonitorOptions = {},
): AsyncGenerator<MonitoredImage, void, undefined> {
  const watched = watchedOf(await readModel(path), path);
  const streams = watched.map(({ scores, ...watch }) => ({
    ...watch,
    // All together raise so few false alarms.
    detector: new DriftDetector(scores, every * watched.length, new RandomState(seed)),
    latest: [] as string[],
  }));
  let images = 0;
  for await (const image of scoreImages(path, sources, options)) {
    images++;
    const drifts = streams.map(({ of, scoreOf, nameOf, detector, latest }): MonitoredDrift => {
      const state = detector.take(scoreOf(image));
      latest.push(nameOf(image));
      if (latest.length > LATEST) latest.shift();
      const named = () => latest.slice(state.since! - images - 1).filter(Boolean);
      const mostly = state.alarm && mostFrequent(named());
      return { of, ...state, ...(mostly && { mostly }) };
    });
    yield { ...image, drifts };
  }
}

/** A score that is watched. */
interface Watch {
  readonly of: MonitoredScore;
  /** Of the calibration images. */
  readonly scores: Float32Array;
  scoreOf(image: ScoredImage): number;
  /** What an image is farthest by; empty where that has no name. */
  nameOf(image: ScoredImage): string;
}

function watchedOf(model: ModelProto, path: string): Watch[] {
  const { questions, scores } = guardInfo(model, path);
  const condition = (image: ScoredImage) => image.condition ?? '';
  if (questions?.length !== 2)
    return [
      {
        of: questions?.[0] ?? 'score',
        scores,
        scoreOf: ({ score }) => score,
        nameOf: (image) => image.layer ?? condition(image),
      },
    ];
  return [
    {
      of: 'content',
      scores: calibrationScores(model, 'content', path),
      scoreOf: ({ contentScore }) => contentScore!,
      nameOf: () => '',
    },
    {
      of: 'conditions',
      scores: calibrationScores(model, 'conditions', path),
      scoreOf: ({ conditionsScore }) => conditionsScore!,
      nameOf: condition,
    },
  ];
}

function mostFrequent(values: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}
