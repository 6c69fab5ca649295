import { RandomState } from '../../common/random.ts';
import { DriftDetector } from '../../evaluation/drift.ts';
import { readModel } from '../../graph/read.ts';
import { guardInfo } from '../../guard/guard-info.ts';
import { type ScoredImage, type ScoreOptions, scoreImages } from './score.ts';

export interface MonitorOptions extends ScoreOptions {
  /** Images between false alarms, on average and at least; 10,000 where absent. */
  readonly every?: number;
  /** Seed of the order of equal scores. */
  readonly seed?: number;
}

/** An image of a stream, and what the stream is like up to it. */
export interface MonitoredImage extends Omit<ScoredImage, 'pValue' | 'isOod'> {
  /** Rank among calibration images and earlier ones, (0, 1): uniform while nothing drifts. */
  readonly pValue: number;
  /** What speaks for a drift: an alarm is raised when it reaches 1, and it begins anew. */
  readonly evidence: number;
  readonly alarm: boolean;
  /** At an alarm: the layer that was most often farthest from what is usual among the latest images. */
  readonly drifting?: string;
}

/** Images among which an alarm looks for the layer that drifts. */
const LATEST = 100;

/**
 * Watches a stream of images: single images that are OOD are `scoreImages`' business, this tells when the stream as a whole
 * is no longer like the images that the guard was calibrated on, be it ever so little. See {@link DriftDetector}.
 *
 * @throws GraphError where the file is no guarded model; DataError where images cannot be read
 */
export async function* monitorImages(
  path: string,
  sources: readonly string[],
  { every = 10_000, seed = 0, ...options }: MonitorOptions = {},
): AsyncGenerator<MonitoredImage, void, undefined> {
  const { scores } = guardInfo(await readModel(path), path);
  const drift = new DriftDetector(scores, every, new RandomState(seed));
  const latest: string[] = [];
  for await (const { pValue: _, isOod: __, ...image } of scoreImages(path, sources, options)) {
    if (latest.push(image.layer ?? image.condition ?? 'content') > LATEST) latest.shift();
    const taken = drift.take(image.score);
    yield { ...image, ...taken, ...(taken.alarm && { drifting: mostFrequent(latest) }) };
  }
}

function mostFrequent(values: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((most, entry) => (entry[1] > most[1] ? entry : most))[0];
}
