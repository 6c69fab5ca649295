import { advice, GraphError, option } from '../../common/errors.ts';
import { nearestName } from '../../common/suggest.ts';
import { ElementType, type ModelProto } from '../onnx.ts';
import { inferShapes, type ValueType } from '../shapes.ts';
import { producers } from '../topology.ts';

/** The scores of the classes, before they are made probabilities. */
export interface Logits {
  /** The value's name. */
  readonly value: string;
  /** N×classes, or N×classes×1×1. */
  readonly rank: number;
  readonly classes: number;
  /** Whether the value is N×1, of which a sigmoid makes the probability of the second of two classes. */
  readonly isBinary: boolean;
  /** Whether what an output makes of them is a sigmoid, of each. */
  readonly isMultiLabel: boolean;
}

/** What makes probabilities of logits; none of it changes which class is the first. */
const probabilities = new Set(['Softmax', 'LogSoftmax', 'Sigmoid']);

/** What may stand behind it: a ZipMap, of ONNX's operators for other models, makes a dictionary of probabilities. */
const passing = new Set(['Identity', 'Cast', 'Dropout', 'Flatten', 'Reshape', 'Squeeze', 'Log', 'ZipMap']);

const floats = new Set<number | undefined>([ElementType.float, ElementType.float16, ElementType.double]);

/**
 * Finds a classifier's logits: its output, or where that is a softmax or a dictionary of probabilities, the
 * softmax's input. One sigmoid output stands for two classes.
 *
 * @param where the file, for errors
 * @param output the output (or any other value) to take, where there are several
 * @throws GraphError where no output can be logits, or several can, which it lists
 */
export function findLogits(model: ModelProto, where: string, output?: string): Logits {
  const { graph } = model;
  const types = inferShapes(model, where);
  const names = graph.output.map(({ name }) => name);
  if (output !== undefined) {
    if (!types.has(output)) throw noSuchOutput(output, names, where);
    const logits = seenThrough(model, output, types);
    if (!logits)
      throw new GraphError(
        where,
        `output ${output} is no scores of classes, N×classes`,
        `its outputs are ${list(names, types)}`,
      );
    return logits;
  }
  const found = new Map<string, { name: string; logits: Logits }>();
  for (const name of names) {
    const logits = seenThrough(model, name, types);
    if (logits && !found.has(logits.value)) found.set(logits.value, { name, logits });
  }
  const several = [...found.values()];
  const named = several.filter(({ name }) => name === 'logits');
  if (several.length === 1 || named.length === 1) return (named[0] ?? several[0]).logits;
  if (several.length === 0)
    throw new GraphError(
      where,
      `none of its outputs is scores of classes, N×classes: ${list(names, types)}`,
      advice`export the whole classifier, or name the value that is its logits, be it an output or not, with ${option('output')}`,
    );
  const choices = several.map(({ name }) => name);
  throw new GraphError(
    where,
    `has ${several.length} outputs that may be the logits: ${list(choices, types)}`,
    advice`say which with ${option('output', choices[0])}`,
  );
}

/** The logits behind an output; undefined where it is none. */
function seenThrough(
  model: ModelProto,
  output: string,
  types: ReadonlyMap<string, ValueType>,
): Logits | undefined {
  const producer = producers(model.graph);
  let value = output;
  let ofSigmoid = false;
  for (let at: string | undefined = output; at !== undefined; ) {
    const node = producer.get(at);
    const known = node && (!node.domain || node.opType === 'ZipMap');
    if (known && (probabilities.has(node.opType) || node.opType === 'ZipMap')) {
      value = node.input[0];
      ofSigmoid = node.opType === 'Sigmoid';
    }
    at = known && passing.has(node.opType) ? node.input[0] : undefined;
  }
  const { elemType, shape } = types.get(value) ?? {};
  if (!floats.has(elemType) || !shape) return undefined;
  const [, classes, ...rest] = shape;
  const flat = shape.length === 2 || (shape.length === 4 && rest.every((size) => size === 1));
  const isBinary = ofSigmoid && classes === 1;
  if (!flat || typeof classes !== 'number' || (classes < 2 && !isBinary)) return undefined;
  // Two classes of one number exclude each other.
  const isMultiLabel = ofSigmoid && !isBinary;
  return { value, rank: shape.length, classes: isBinary ? 2 : classes, isBinary, isMultiLabel };
}

function list(names: readonly string[], types: ReadonlyMap<string, ValueType>): string {
  return names
    .map((name) => {
      const shape = types.get(name)?.shape;
      return shape ? `${name} (${shape.map((size) => size ?? '?').join('×')})` : name;
    })
    .join(', ');
}

function noSuchOutput(name: string, names: readonly string[], where: string): GraphError {
  const nearest = nearestName(name, names);
  return new GraphError(
    where,
    `has no output ${name}`,
    nearest ? `did you mean ${nearest}?` : `there are ${names.join(', ')}`,
  );
}
