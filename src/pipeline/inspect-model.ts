import { backboneMetadata } from '../../models/metadata.ts';
import { GraphError } from '../common/errors.ts';
import { elementCount } from '../common/tensor.ts';
import { BACKBONE_KEY, detectorsOfModel, holdsDetectors } from '../detectors/detectors-model.ts';
import { checkModel } from '../graph/check.ts';
import { ElementType, type ModelProto } from '../graph/onnx.ts';
import { readModel } from '../graph/read.ts';
import { getMetadata } from '../graph/rewrite.ts';
import { type Dim, inferShapes, type ValueType } from '../graph/shapes.ts';
import { dtypeOf } from '../graph/tensor.ts';
import { requiredInputs } from '../graph/topology.ts';
import type { FileFacts } from './file-kind.ts';

/** An input, an output or a tap of a graph. */
export interface ValueFacts {
  readonly name: string;
  readonly dtype?: string;
  /** Sizes, or the names of those that are free; undefined where nothing is known. */
  readonly shape?: readonly Dim[];
}

/** An ONNX model. */
export interface ModelInspection extends FileFacts {
  readonly kind: 'model';
  readonly producer: string;
  readonly irVersion: number;
  /** Version of each operator set; ONNX's own is `ai.onnx`. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly inputs: readonly ValueFacts[];
  readonly outputs: readonly ValueFacts[];
  /** How many nodes there are of each operator. */
  readonly operators: Readonly<Record<string, number>>;
  /** Elements of all initializers of floating-point numbers. */
  readonly parameters: number;
  /** What the model's metadata name as taps, and whether each gets a detector. */
  readonly taps: readonly (ValueFacts & { readonly hasDetector: boolean })[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Why it could not be run here. */
  readonly problems: readonly string[];
}

/** A file of fitted detectors. */
export interface DetectorsInspection extends FileFacts {
  readonly kind: 'detectors';
  /** SHA-256 of the backbone whose features they were fitted on. */
  readonly backbone?: string;
  readonly detectors: readonly {
    readonly tap: string;
    readonly width: number;
    readonly nu: number;
    readonly gamma: number;
    /** Absent where another program fitted it, as `samples`. */
    readonly error?: number;
    readonly supportVectors: number;
    readonly samples?: number;
  }[];
}

/** Says what is in an ONNX file. */
export async function inspectModel(
  path: string,
  facts: FileFacts,
): Promise<ModelInspection | DetectorsInspection> {
  const model = await readModel(path);
  return holdsDetectors(model) ? detectorFacts(model, path, facts) : modelFacts(model, path, facts);
}

function detectorFacts(model: ModelProto, path: string, facts: FileFacts): DetectorsInspection {
  return {
    kind: 'detectors',
    ...facts,
    backbone: getMetadata(model)[BACKBONE_KEY],
    detectors: detectorsOfModel(model, path).map(({ tap, width, nu, gamma, alpha, fit }) => ({
      tap,
      width,
      nu,
      gamma,
      error: fit?.error,
      supportVectors: alpha.length,
      samples: fit?.samples,
    })),
  };
}

function modelFacts(model: ModelProto, path: string, facts: FileFacts): ModelInspection {
  const { graph, opsetImport, irVersion, producerName = '', producerVersion = '' } = model;
  const problem = problemOf(model, path);
  // A graph that does not hang together has no shapes to infer.
  const types = problem ? new Map<string, ValueType>() : inferShapes(model);
  const { taps = [], detectorTaps = taps } = backboneMetadata(model, path);
  const describe = (name: string): ValueFacts => {
    const { elemType, shape } = types.get(name) ?? {};
    return { name, dtype: elemType === undefined ? undefined : dtypeOf(elemType), shape };
  };
  const operators: Record<string, number> = {};
  for (const { opType } of graph.node) operators[opType] = (operators[opType] ?? 0) + 1;
  return {
    kind: 'model',
    ...facts,
    producer: `${producerName} ${producerVersion}`.trim(),
    irVersion,
    opsets: Object.fromEntries(opsetImport.map(({ domain, version }) => [domain || 'ai.onnx', version])),
    inputs: requiredInputs(graph).map(({ name }) => describe(name)),
    outputs: graph.output.map(({ name }) => describe(name)),
    operators,
    parameters: graph.initializer
      .filter(({ dataType }) => floats.has(dataType))
      .reduce((sum, { dims }) => sum + elementCount(dims), 0),
    taps: taps.map((tap) => ({ ...describe(tap), hasDetector: detectorTaps.includes(tap) })),
    metadata: getMetadata(model),
    problems: problem ? [problem] : [],
  };
}

const floats = new Set<number>([
  ElementType.float,
  ElementType.double,
  ElementType.float16,
  ElementType.bfloat16,
]);

function problemOf(model: ModelProto, path: string): string | undefined {
  try {
    checkModel(model, path);
    return undefined;
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    return error.message;
  }
}
