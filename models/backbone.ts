import { GraphError } from '../src/common/errors.ts';
import { type StateDict, type Tensor, toFloat32 } from '../src/common/tensor.ts';
import type { ModelProto } from '../src/graph/onnx.ts';
import type { Normalization } from '../src/graph/preprocessing.ts';
import { tensorFromProto } from '../src/graph/tensor-proto.ts';
import type { Architecture } from './architecture.ts';
import { type BackboneMetadata, backboneMetadata, encodeBackboneMetadata } from './metadata.ts';
import type { Network } from './network.ts';
import { recordedStateDict } from './record.ts';
import { architectureNamed } from './registry.ts';
import { type CheckOptions, checkWeights, isCounter } from './weights.ts';

export interface BackboneOptions extends CheckOptions {
  /** What the weights were trained with, where it is not the architecture's default. */
  normalization?: Normalization;
}

/**
 * A backbone as an ONNX model: input `input` (batch × 3 × 32 × 32 float32, normalised), output `logits` (batch ×
 * classes). Initializers have the state dict's keys, tapped values the PyTorch modules' paths, and `metadata_props`
 * holds what `backboneMetadata` reads.
 *
 * Weights of other element types are converted to float32.
 * @throws CheckpointError where the weights are not those of this architecture (see `checkWeights`)
 *
 * @example
 * ```ts
 * import { buildBackbone, readCheckpoint, recognizeArchitecture } from 'la-ood/checkpoints';
 * import { writeModel } from 'la-ood/onnx';
 *
 * const { stateDict } = await readCheckpoint('resnet20.th');
 * const { architecture } = recognizeArchitecture(stateDict);
 * await writeModel('backbone.onnx', buildBackbone(architecture, stateDict));
 * ```
 */
export function buildBackbone(
  architecture: Architecture,
  weights: StateDict,
  options: BackboneOptions = {},
): ModelProto {
  const { mean, std } = options.normalization ?? architecture.defaultNormalization;
  const classCount = checkWeights(architecture, weights, options);
  return assemble(architecture.network(classCount), weights, {
    architecture: architecture.name,
    classCount,
    taps: architecture.taps,
    detectorTaps: architecture.detectorTaps,
    mean,
    std,
  });
}

/**
 * A network with its weights as an ONNX model: initializers have the keys of `network.parameters`, and counters go into
 * the metadata. Weights of other element types are converted to float32.
 *
 * @param unused keys of weights that no node takes, and that are kept for the way back
 */
export function assemble(
  { graph, parameters }: Network,
  weights: StateDict,
  metadata: Partial<BackboneMetadata>,
  unused: readonly string[] = [],
): ModelProto {
  const counters: [string, string][] = [];
  for (const key of [...parameters.keys(), ...unused]) {
    const tensor = weights.get(key);
    if (!tensor) continue; // only a counter can be absent
    if (isCounter(key)) counters.push([key, decimal(tensor)]);
    else graph.initializer(key, asFloat32(tensor));
  }
  const numBatchesTracked = Object.fromEntries(counters);
  return graph.build({ metadata: encodeBackboneMetadata({ ...metadata, numBatchesTracked }) });
}

/**
 * The state dict of a model that `buildBackbone` made, or that was trained since, in PyTorch's order and bit by bit.
 *
 * Counters that the imported checkpoint lacked are lacking again. `load_state_dict(strict=True)` takes both: where a
 * state dict carries no version (`_metadata`), PyTorch fills them in itself.
 * @param where how errors name the model: its path
 * @throws GraphError where the model names no architecture, or lacks a weight of it
 *
 * @example
 * ```ts
 * import { stateDictOf, writeCheckpoint } from 'la-ood/checkpoints';
 * import { readModel } from 'la-ood/onnx';
 *
 * await writeCheckpoint('weights.pth', stateDictOf(await readModel('backbone.onnx')));
 * ```
 */
export function stateDictOf(model: ModelProto, where = 'model'): StateDict {
  const { architecture, classCount, numBatchesTracked = {}, stateDict } = backboneMetadata(model, where);
  const initializers = new Map(model.graph.initializer.map((proto) => [proto.name, proto]));
  const known = new Map<string, Tensor>();
  const read = (key: string): Tensor | undefined => {
    if (Object.hasOwn(numBatchesTracked, key)) return int64(numBatchesTracked[key]);
    const proto = initializers.get(key);
    if (!proto && isCounter(key)) return undefined;
    if (!proto) throw new GraphError(where, `has no initializer ${key}`);
    // Tied tensors stay one.
    if (!known.has(key)) known.set(key, tensorFromProto(proto, where));
    return known.get(key);
  };
  if (stateDict) return recordedStateDict(stateDict, read);
  if (!architecture || !classCount)
    throw new GraphError(
      where,
      'does not say its architecture',
      'only backbones that were imported from a checkpoint or trained by la-ood have a state dict',
    );
  const weights: StateDict = new Map();
  for (const key of architectureNamed(architecture).parameters(classCount).keys()) {
    const tensor = read(key);
    if (tensor) weights.set(key, tensor);
  }
  return weights;
}

function asFloat32(tensor: Tensor): Tensor {
  return { dtype: 'float32', shape: tensor.shape, data: toFloat32(tensor) };
}

/** Where a whole state dict was converted to half floats, its counters were too. */
function decimal(counter: Tensor): string {
  return String(counter.dtype === 'int64' ? counter.data[0] : Math.round(toFloat32(counter)[0]));
}

function int64(decimal: string): Tensor {
  return { dtype: 'int64', shape: [], data: BigInt64Array.of(BigInt(decimal)) };
}
