import { freshNames } from '../names.ts';
import { ElementType, type GraphProto, type ModelProto, type NodeProto } from '../onnx.ts';
import { pruneUnused } from '../rewrite.ts';
import { tensorFromProto } from '../tensor-proto.ts';
import { neededValues, producers } from '../topology.ts';

/** The initializers that training changes, by name, in the order in which nodes take them. */
export interface Parameters {
  /** Filters, matrices and their biases, and what scales and shifts a normalised batch. */
  readonly weights: readonly string[];
  /** Running means and variances. */
  readonly statistics: readonly string[];
}

/** Which inputs of an operator are weights. */
const weightInputs: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  Gemm: [1, 2],
  MatMul: [1],
  BatchNormalization: [1, 2],
};
const statisticInputs: typeof weightInputs = { BatchNormalization: [3, 4] };

/** Finds what of a graph is trained: the float32 initializers that products and normalisations take. */
export function parametersOf({ graph }: ModelProto): Parameters {
  const uses = usesOf(graph);
  const names = (found: readonly Use[]) => [...new Set(found.map(({ initializer }) => initializer))];
  return {
    weights: names(uses.filter(({ isStatistic }) => !isStatistic)),
    statistics: names(uses.filter(({ isStatistic }) => isStatistic)),
  };
}

/**
 * Gives a parameter an initializer of its own where exporters merged equal ones: in a network that is yet to be trained,
 * scales and running variances of all batch normalisations are one tensor of ones.
 *
 * Running statistics are never shared. Weights that several nodes take stay tied, but for those whose values are all the
 * same, which says no more than how they were initialised.
 *
 * @param where the file, for errors
 */
export function separateParameters(model: ModelProto, where: string): ModelProto {
  const { graph } = model;
  const shared = sharedInitializers(graph);
  const protos = new Map(graph.initializer.map((proto) => [proto.name, proto]));
  const isUniform = (name: string) => {
    const { data } = tensorFromProto(protos.get(name)!, where);
    return (data as Float32Array).every((value) => value === data[0]);
  };
  const apart = usesOf(graph).filter(
    ({ initializer, isStatistic }) => shared.has(initializer) && (isStatistic || isUniform(initializer)),
  );
  if (apart.length === 0) return model;

  const fresh = freshNames(model);
  const inputs = new Map(graph.node.map((node) => [node, [...node.input]]));
  const copies = apart.map(({ node, index, initializer }) => {
    const name = fresh(initializer);
    inputs.get(node)![index] = name;
    return { ...protos.get(initializer)!, name };
  });
  const node = graph.node.map((each) => ({ ...each, input: inputs.get(each)! }));
  return pruneUnused({
    ...model,
    graph: { ...graph, node, initializer: [...graph.initializer, ...copies] },
  });
}

/** A node that takes an initializer as a parameter. */
interface Use {
  readonly node: NodeProto;
  readonly index: number;
  readonly initializer: string;
  readonly isStatistic: boolean;
}

function usesOf(graph: GraphProto): Use[] {
  const source = initializerBehind(graph);
  return graph.node
    .filter(({ domain }) => !domain)
    .flatMap((node) => {
      const uses = (indices: readonly number[] = [], isStatistic: boolean) =>
        indices.flatMap((index) => {
          const initializer = node.input[index] && source(node.input[index]);
          return initializer ? [{ node, index, initializer, isStatistic }] : [];
        });
      return [...uses(weightInputs[node.opType], false), ...uses(statisticInputs[node.opType], true)];
    });
}

/** The float32 initializers that are taken more than once. */
function sharedInitializers(graph: GraphProto): Set<string> {
  const source = initializerBehind(graph);
  const [once, more] = [new Set<string>(), new Set<string>()];
  const taken = [
    ...graph.node.filter(({ opType }) => opType !== 'Identity').flatMap(neededValues),
    ...graph.output.map(({ name }) => name),
  ];
  for (const name of taken) {
    const initializer = source(name);
    if (initializer) (once.has(initializer) ? more : once).add(initializer);
  }
  return more;
}

/** The float32 initializer that a name stands for; exporters give one that is used twice a second name. */
function initializerBehind(graph: GraphProto): (name: string) => string | undefined {
  const floats = new Set(
    graph.initializer.filter(({ dataType }) => dataType === ElementType.float).map(({ name }) => name),
  );
  const producer = producers(graph);
  return function source(name): string | undefined {
    if (floats.has(name)) return name;
    const node = producer.get(name);
    return node?.opType === 'Identity' ? source(node.input[0]) : undefined;
  };
}
