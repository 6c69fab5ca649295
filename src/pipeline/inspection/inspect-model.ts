import { basename } from 'node:path';
import { findPreprocessing } from '../../../converters/huggingface/find-preprocessing.ts';
import { type BackboneMetadata, backboneMetadata } from '../../../models/metadata.ts';
import { type Advice, GraphError } from '../../common/errors.ts';
import { elementCount } from '../../common/tensor.ts';
import { BACKBONE_KEY, detectorsOfModel, holdsDetectors } from '../../detectors/detectors-model.ts';
import { checkModel } from '../../graph/check.ts';
import type { TapKind } from '../../graph/classifier/candidates.ts';
import { defaultTaps } from '../../graph/classifier/choose-taps.ts';
import type { Classifier } from '../../graph/classifier/classifier.ts';
import { ElementType, type ModelProto } from '../../graph/onnx.ts';
import { readModel } from '../../graph/read.ts';
import { getMetadata } from '../../graph/rewrite.ts';
import { type Dim, inferShapes, type ValueType } from '../../graph/shapes.ts';
import type { Pooling } from '../../graph/tap-pooling.ts';
import { dtypeOf } from '../../graph/tensor-proto.ts';
import { requiredInputs } from '../../graph/topology.ts';
import {
  type NormalizedClassifier,
  type NormalizeOptions,
  normalizeClassifier,
} from '../classifier/normalize-classifier.ts';
import type { FileFacts } from './file-kind.ts';
import { withinFile } from './within-file.ts';

/** An input, an output or a tap of a graph. */
export interface ValueFacts {
  readonly name: string;
  readonly dtype?: string;
  /** Sizes, or the names of those that are free; undefined where nothing is known. */
  readonly shape?: readonly Dim[];
}

/** A value that is, or can be, watched. */
export interface TapFacts extends ValueFacts {
  readonly kind?: TapKind;
  readonly pooling?: Pooling;
  /** Share of the network's multiplications that are done when the value is there, 0 … 1. */
  readonly cost?: number;
  /** Whether it gets a detector unless something else is asked for. */
  readonly hasDetector: boolean;
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
  /** What it takes and yields, where it is a classifier of images. */
  readonly classifier?: Classifier;
  /** Why it cannot be guarded, where it is none. */
  readonly noClassifier?: Advice;
  /** What says how its images are prepared; absent where nothing does. */
  readonly preparedBy?: string;
  /** The taps that the model's metadata name; where they name none, what can be watched in it. */
  readonly taps: readonly TapFacts[];
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
  options: NormalizeOptions = {},
): Promise<ModelInspection | DetectorsInspection> {
  const model = await readModel(path);
  return holdsDetectors(model) ? detectorFacts(model, path, facts) : modelFacts(model, path, facts, options);
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

async function modelFacts(
  model: ModelProto,
  path: string,
  facts: FileFacts,
  options: NormalizeOptions,
): Promise<ModelInspection> {
  const { graph, opsetImport, irVersion, producerName = '', producerVersion = '' } = model;
  const problem = problemOf(model, path);
  // A graph that does not hang together has no shapes to infer.
  const types = problem ? new Map<string, ValueType>() : inferShapes(model, path);
  const own = backboneMetadata(model, path);
  const { normalized, reason } = problem ? { reason: undefined } : await normalize(model, path, options);
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
    classifier: normalized?.original,
    noClassifier: reason,
    preparedBy: normalized && (await preparedBy(own, path)),
    taps: tapFacts(own, normalized, describe),
    metadata: getMetadata(model),
    problems: problem ? [problem] : [],
  };
}

/** What says how images are prepared for a model: its metadata, or a file beside it; undefined where nothing does. */
async function preparedBy(own: Partial<BackboneMetadata>, path: string): Promise<string | undefined> {
  if (own.mean) return 'its metadata';
  const found = await findPreprocessing(path).catch(() => undefined);
  return found && basename(found.source);
}

/** What can be watched in a classifier; why it is none, where it is not. */
async function normalize(
  model: ModelProto,
  path: string,
  options: NormalizeOptions,
): Promise<{ normalized?: NormalizedClassifier; reason?: Advice }> {
  try {
    return { normalized: await normalizeClassifier(model, path, options) };
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    return { reason: withinFile(error, path) };
  }
}

function tapFacts(
  { taps, detectorTaps = taps }: Partial<BackboneMetadata>,
  normalized: NormalizedClassifier | undefined,
  describe: (name: string) => ValueFacts,
): TapFacts[] {
  const candidates = normalized?.candidates ?? [];
  const known = new Map(candidates.map((candidate) => [candidate.name, candidate]));
  const chosen = new Set(detectorTaps ?? defaultTaps(candidates));
  return (taps ?? candidates.map(({ name }) => name)).map((name) => {
    const { kind, pooling, cost, shape, elemType } = known.get(name) ?? {};
    const facts = shape ? { name, shape, dtype: dtypeOf(elemType!) } : describe(name);
    return { ...facts, kind, pooling, cost, hasDetector: chosen.has(name) };
  });
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
    inferShapes(model, path);
    return undefined;
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    return error.message;
  }
}
