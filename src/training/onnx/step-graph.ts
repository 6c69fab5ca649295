import { GraphError } from '../../common/errors.ts';
import { dynamicBatch } from '../../graph/dynamic-batch.ts';
import { extendModel } from '../../graph/gradient/extend.ts';
import { gradientGraph } from '../../graph/gradient/gradient-graph.ts';
import { parametersOf } from '../../graph/gradient/parameters.ts';
import { makeValueInfo } from '../../graph/make.ts';
import { ElementType, type ModelProto } from '../../graph/onnx.ts';
import { pruneUnused } from '../../graph/rewrite.ts';
import { inferShapes } from '../../graph/shapes.ts';
import { requiredInputs } from '../../graph/topology.ts';
import { upgradeOpset } from '../../graph/upgrade-opset.ts';
import type { SgdOptions } from '../engine.ts';
import type { Objective } from '../objective.ts';
import { densitiesGraph } from './co-training-graph.ts';
import { crossEntropyGraph } from './cross-entropy-graph.ts';
import { type DropoutMask, maskDropouts } from './dropout-masks.ts';
import { appendSgd } from './sgd-graph.ts';

export const LABELS = 'labels';
export const LOSS = 'training/loss';
export const CORRECT = 'training/correct';

/** A step of training as one graph. */
export interface StepGraph {
  /**
   * Takes a batch of images and `labels`, the learning `rate`, `masks`, and the state under its names; gives the loss, how
   * many images were classified right, and the state after the step under `next/` and its names.
   */
  readonly model: ModelProto;
  /** The input that takes images, N × C × H × W. */
  readonly images: string;
  readonly masks: readonly DropoutMask[];
  readonly weights: readonly string[];
  readonly statistics: readonly string[];
}

/**
 * Writes a step of training: the network, the loss, its gradient, and what the optimiser makes of it.
 *
 * @param network takes one batch of images, N × C × H × W; its first output is the logits
 * @param where the file, for errors
 * @throws GraphError where the network holds something that has no gradient here
 */
export function stepGraph(
  network: ModelProto,
  objective: Objective,
  optimizer: SgdOptions,
  where: string,
): StepGraph {
  const { model: masked, masks } = maskDropouts(dynamicBatch(network), where);
  const upgraded = upgradeOpset(masked, where);
  const types = inferShapes(upgraded);
  const isMask = ({ name }: { name: string }) => masks.some((mask) => mask.name === name);
  const inputs = requiredInputs(upgraded.graph).filter((input) => !isMask(input));
  const [images] = inputs;
  if (inputs.length !== 1 || types.get(images.name)?.shape?.length !== 4)
    throw new GraphError(where, 'does not take one batch of images', 'only image classifiers are trained');
  const { weights, statistics } = parametersOf(upgraded);
  const shapes = new Map(upgraded.graph.initializer.map(({ name, dims }) => [name, dims]));

  const [logits] = upgraded.graph.output;
  const classes = types.get(logits.name)?.shape?.at(-1) as number;
  const judged = extendModel(asInputs(upgraded, [...weights, ...statistics]), (write) => {
    const labels = write.input(LABELS, ElementType.int64, ['batch']);
    const smoothing = objective.labelSmoothing;
    const { loss, correct } = crossEntropyGraph(write, logits.name, labels, { classes, smoothing });
    const density =
      objective.coTraining && densitiesGraph(write, objective.coTraining.detectors, types, where);
    const whole = density ? write.node('Add', [loss, density]) : loss;
    write.output(LOSS, whole, ElementType.float, []);
    write.output(CORRECT, correct, ElementType.float, []);
  });
  // Only what training is told of is computed.
  const told = (output: { name: string }) => output.name === LOSS || output.name === CORRECT;
  const { graph } = judged;
  const needed = pruneUnused({ ...judged, graph: { ...graph, output: graph.output.filter(told) } });
  const model = appendSgd(
    gradientGraph(needed, LOSS, weights, where),
    new Map(weights.map((weight) => [weight, shapes.get(weight)!])),
    optimizer,
  );
  const output = model.graph.output.filter(({ name }) => !name.startsWith('gradient/'));
  return {
    ...{ images: images.name, masks, weights, statistics },
    model: { ...model, graph: { ...model.graph, output } },
  };
}

/** Initializers become inputs, that have to be given. */
function asInputs(model: ModelProto, names: readonly string[]): ModelProto {
  const { graph } = model;
  const moved = new Set(names);
  const initializers = graph.initializer.filter(({ name }) => moved.has(name));
  return {
    ...model,
    graph: {
      ...graph,
      input: [
        ...graph.input.filter(({ name }) => !moved.has(name)),
        ...initializers.map(({ name, dims }) =>
          makeValueInfo(name, { elemType: ElementType.float, shape: dims }),
        ),
      ],
      initializer: graph.initializer.filter(({ name }) => !moved.has(name)),
    },
  };
}
