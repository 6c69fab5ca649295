import { GraphError } from '../common/errors.ts';
import { attribute, intAttribute } from './attributes.ts';
import { makeNode } from './make.ts';
import { freshNames } from './names.ts';
import type { Dimension, GraphProto, ModelProto, NodeProto, ValueInfo } from './onnx.ts';
import { mapMessages } from './schema.ts';
import { inferShapes } from './shapes.ts';
import { tensorFromProto } from './tensor-proto.ts';
import { producers, requiredInputs } from './topology.ts';

/** What the free batch size is called. */
const BATCH = 'batch';

/**
 * Lets a model that was exported for one batch size take any: the first axis of its inputs and outputs becomes free,
 * and Reshape nodes keep what comes where they had the size written into their shapes. A model whose batch size is free
 * already is given back as it is.
 *
 * @throws GraphError where the batch size is built into the graph in another way
 *
 * @example
 * ```ts
 * import { dynamicBatch, readModel, writeModel } from 'la-ood/onnx';
 *
 * await writeModel('any-batch.onnx', dynamicBatch(await readModel('batch-of-1.onnx')));
 * ```
 */
export function dynamicBatch(model: ModelProto): ModelProto {
  const { graph } = model;
  const size = requiredInputs(graph)
    .map(firstSize)
    .find((size) => size !== undefined);
  if (size === undefined) return model;
  const free = (values: ValueInfo[]) =>
    values.map((value) => (firstSize(value) === size ? freed(value) : value));
  const freedModel: ModelProto = {
    ...model,
    graph: {
      ...graph,
      node: freeReshapes(model, size),
      input: free(graph.input),
      output: free(graph.output),
      // What is said about values within the graph may hold for the old size only.
      valueInfo: graph.valueInfo.filter((value) => firstSize(value) !== size),
    },
  };
  const types = inferShapes(freedModel);
  const stuck = freedModel.graph.output.find(
    (output, index) =>
      firstSize(graph.output[index]) === size && typeof types.get(output.name)?.shape?.[0] === 'number',
  );
  if (stuck)
    throw new GraphError(
      `graph ${graph.name}`,
      `the batch size ${size} is built into what leads to its output ${stuck.name}`,
      'export the model with a dynamic batch axis',
    );
  return freedModel;
}

/** A model for one batch size alone, of one that declares its batch size free, under whatever name. */
export function fixedBatch(model: ModelProto, size: number): ModelProto {
  const [input] = requiredInputs(model.graph);
  const name = input.type?.tensorType?.shape?.dim[0]?.dimParam;
  const graph = mapMessages(model.graph, 'GraphProto', (message, type) => {
    const { dimParam } = message as Dimension;
    const isBatch = type === 'Dimension' && dimParam !== undefined && dimParam === name;
    return isBatch ? ({ dimValue: size } as Dimension) : message;
  });
  return { ...model, graph };
}

/** The nodes, with Reshapes that keep their input's first axis instead of writing `size` there. */
function freeReshapes(model: ModelProto, size: number): NodeProto[] {
  const types = inferShapes(model);
  const fresh = freshNames(model);
  const integers = constantIntegers(model.graph);
  return model.graph.node.flatMap((node) => {
    if (node.opType !== 'Reshape' || types.get(node.input[0])?.shape?.[0] !== size) return node;
    const shape = integers(node.input[1]);
    // Where 0 stands for a size of 0, only what is left over can follow the input.
    const following = intAttribute(node, 'allowzero') ? -1n : 0n;
    if (shape?.[0] !== BigInt(size) || (following === -1n && shape.includes(-1n))) return node;
    const name = fresh(`${node.input[1]}_any_batch`);
    const data = shape.with(0, following);
    return [
      makeNode('Constant', [], name, { value: { dtype: 'int64', shape: [data.length], data } }),
      { ...node, input: [node.input[0], name] },
    ];
  });
}

/** The contents of int64 constants, be they initializers or Constant nodes. */
function constantIntegers(graph: GraphProto): (name: string) => BigInt64Array | undefined {
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const producer = producers(graph);
  return (name) => {
    const node = producer.get(name);
    const tensor = node?.opType === 'Constant' ? attribute(node, 'value')?.t : initializers.get(name);
    const data = tensor && tensorFromProto(tensor, `graph ${graph.name}`).data;
    return data instanceof BigInt64Array ? data : undefined;
  };
}

function firstSize({ type }: ValueInfo): number | undefined {
  return type?.tensorType?.shape?.dim[0]?.dimValue;
}

function freed(value: ValueInfo): ValueInfo {
  const tensorType = value.type!.tensorType!;
  const [, ...others] = tensorType.shape!.dim;
  const shape = { ...tensorType.shape, dim: [{ dimParam: BATCH }, ...others] };
  return { ...value, type: { ...value.type, tensorType: { ...tensorType, shape } } };
}
