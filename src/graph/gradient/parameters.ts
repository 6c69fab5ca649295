import { ElementType, type GraphProto, type ModelProto } from '../onnx.ts';
import { producers } from '../topology.ts';

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

/** Finds what of a graph is trained: the float32 initializers that products and normalisations take. */
export function parametersOf({ graph }: ModelProto): Parameters {
  const initializer = initializerBehind(graph);
  const [weights, statistics] = [new Set<string>(), new Set<string>()];
  const add = (found: Set<string>, names: readonly (string | undefined)[]) => {
    for (const name of names) {
      const source = name && initializer(name);
      if (source) found.add(source);
    }
  };
  for (const { opType, domain, input } of graph.node) {
    if (domain) continue;
    add(weights, weightInputs[opType]?.map((index) => input[index]) ?? []);
    if (opType === 'BatchNormalization') add(statistics, input.slice(3));
  }
  return { weights: [...weights], statistics: [...statistics] };
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
