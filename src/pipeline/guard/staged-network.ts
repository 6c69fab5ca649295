import { chooseDetectors, type LayerDetectors } from '../../detectors/layer-detectors.ts';
import { type Cut, cutEvenly } from '../../graph/cuts.ts';
import { dealIntoStages, type Stage } from '../../graph/stages.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';

/** A feature graph that is cut into stages, and its detectors in the order in which the stages complete them. */
export interface StagedNetwork {
  readonly features: FeatureGraph;
  readonly stages: readonly Stage[];
  /** Share of the network's multiplications that is done by the end of each stage, (0, 1]. */
  readonly shares: readonly number[];
  readonly detectors: LayerDetectors;
  /** How many detectors are complete by the end of each stage. */
  readonly complete: readonly number[];
  /** What each stage takes over from the one before: the value at the cut, and taps of detectors that are not complete. */
  readonly carried: readonly (readonly string[])[];
}

/** Name of the images' input of a feature graph. */
const PIXELS = 'pixels';

/** Stages of about the same cost. More would save little more, and each has its share of the false alarms. */
const STAGES = 4;

/** Cuts a network into stages; one that completes no detector is put together with the next. */
export function stageNetwork(features: FeatureGraph, detectors: LayerDetectors): StagedNetwork {
  return stageAt(features, cutEvenly(features.model, PIXELS, features.logits, STAGES), detectors);
}

function stageAt(features: FeatureGraph, cuts: readonly Cut[], detectors: LayerDetectors): StagedNetwork {
  const stages = dealIntoStages(features.model, PIXELS, features.logits, cuts);
  const yieldedBy = new Map(
    stages.flatMap(({ node }, stage) =>
      node.flatMap(({ output }) => output.map((value) => [value, stage] as const)),
    ),
  );
  const stageOf = (tap: string) => yieldedBy.get(tap)!;
  const completedBy = detectors.groups.map((taps) => Math.max(...taps.map(stageOf)));
  const complete = stages.map((_, stage) => completedBy.filter((by) => by <= stage).length);
  const empty = complete.findIndex((count, stage) => count === (stage > 0 ? complete[stage - 1] : 0));
  if (empty >= 0 && cuts.length > 0) {
    const merged = cuts.filter((_, cut) => cut !== Math.min(empty, cuts.length - 1));
    return stageAt(features, merged, detectors);
  }
  const order = [...completedBy.keys()].sort((a, b) => completedBy[a] - completedBy[b] || a - b);
  const carried = stages.map((_, stage) => {
    if (stage === 0) return [];
    const pending = detectors.groups.filter((__, d) => completedBy[d] >= stage).flat();
    return [...new Set([cuts[stage - 1].value, ...pending.filter((tap) => stageOf(tap) < stage)])];
  });
  return {
    ...{ features, stages, complete, carried },
    shares: [...cuts.map(({ share }) => share), 1],
    detectors: chooseDetectors(detectors, order),
  };
}
