import { advice, command, GraphError } from '../common/errors.ts';
import { nearestName } from '../common/suggest.ts';
import type { Attribute } from './builder.ts';
import { channelAxes } from './channel-axis.ts';
import { requireOpset } from './check.ts';
import { makeNode, makeValueInfo } from './make.ts';
import { freshNames, renameValues } from './names.ts';
import { ElementType, type ModelProto, type NodeProto, type TensorProto, type ValueInfo } from './onnx.ts';
import { inferShapes, type Shape } from './shapes.ts';
import { type Pooling, poolingOf, valueOfClassToken, valueOfDeviation } from './tap-pooling.ts';
import { neededValues, producers } from './topology.ts';

/** A value inside a graph that is asked for. */
interface Tap {
  /** The name that it was asked for by, and the output's. */
  readonly name: string;
  readonly value: string;
  readonly elemType: number | undefined;
  readonly shape: Shape;
  readonly channelAxis: number;
  readonly pooling: Pooling;
}

/**
 * Makes values inside a graph its outputs, each under the name of its tap, N×C, after the outputs that are there
 * already (the logits). N×C×H×W is pooled by GlobalAveragePool, which keeps onnxruntime's blocked layout where
 * ReduceMean does not; N×H×W×C and N×T×D (tokens) by ReduceMean; N×C comes as it is; `NAME[class]` is the first token
 * of N×T×D, `NAME[deviation]` the standard deviation over the positions or tokens, in two passes: a mean of squares less the
 * square of the mean would leave next to nothing but rounding where the values hardly vary. Of N×C×H×W it is taken over every
 * s-th row and column, s the largest that leaves 14 of each: it is as telling of fewer positions, and takes a pass over them
 * that is as much shorter. Half floats become float32 before they are pooled.
 *
 * A value that is tapped by its own name and changed on the way is renamed within the graph, so that the pooled one can
 * have the name; where it was an output already, the pooled one takes its place.
 *
 * @param taps names of values, or of nodes for their first outputs
 * @param where the file, for errors
 * @throws GraphError where there is no such value, or it is of no shape that can be pooled
 *
 * @example
 * ```ts
 * import { exposeTaps, GraphSession, readModel } from 'la-ood/onnx';
 *
 * const features = exposeTaps(await readModel('resnet.onnx'), ['conv1', 'layer1'], 'resnet.onnx');
 * const session = await GraphSession.open(features);
 * ```
 */
export function exposeTaps(model: ModelProto, taps: readonly string[], where: string): ModelProto {
  const opset = requireOpset(model, where);
  const found = findTaps(model, taps, where);
  const fresh = freshNames(model);
  const renamed = new Map(
    found
      .filter((tap) => tap.name === tap.value && isChanged(tap))
      .map(({ value }) => [value, fresh(`${value}_unpooled`)]),
  );

  const { graph, ...rest } = renameValues(model, renamed);
  const added: NodeProto[] = [];
  const add = (opType: string, input: string[], output: string, attributes?: Record<string, Attribute>) => {
    added.push(makeNode(opType, input, output, attributes));
    return output;
  };
  const constant = (stem: string, shape: number[], values: readonly number[]) =>
    add('Constant', [], fresh(stem), {
      value: { dtype: 'int64', shape, data: BigInt64Array.from(values, BigInt) },
    });
  const outputs = new Map<string, ValueInfo>(
    model.graph.output.filter(({ name }) => !renamed.has(name)).map((output) => [output.name, output]),
  );
  for (const tap of found) {
    const { name, value, shape, channelAxis, pooling, elemType } = tap;
    let from = renamed.get(value) ?? value;
    if (elemType !== ElementType.float && (name !== value || isChanged(tap)))
      from = add('Cast', [from], fresh(`${name}_float`), { to: ElementType.float });
    const pooled = shape.map((_, axis) => axis).filter((axis) => axis !== 0 && axis !== channelAxis);
    const isPlane = shape.length === 4 && channelAxis === 1;
    const addMean = (value: string, output: string, keepdims: 0 | 1) => {
      if (isPlane && keepdims) return add('GlobalAveragePool', [value], output);
      if (isPlane)
        return add('Flatten', [add('GlobalAveragePool', [value], fresh(`${name}_pooled`))], output);
      if (opset < AXES_ARE_INPUT) return add('ReduceMean', [value], output, { axes: pooled, keepdims });
      return add('ReduceMean', [value, constant(`${name}_axes`, [pooled.length], pooled)], output, {
        keepdims,
      });
    };
    if (pooling === 'class token')
      add('Gather', [from, constant(`${name}_first`, [], [0])], name, { axis: 1 });
    else if (pooling === 'none') {
      if (from !== name) add('Identity', [from], name);
    } else if (pooling === 'deviation') {
      const stride = isPlane ? deviationStride(shape[2], shape[3]) : 1;
      if (stride > 1)
        from = add('AveragePool', [from], fresh(`${name}_some`), {
          kernel_shape: [1, 1],
          strides: [stride, stride],
        });
      const centered = add('Sub', [from, addMean(from, fresh(`${name}_mean`), 1)], fresh(`${name}_centred`));
      const squares = add('Mul', [centered, centered], fresh(`${name}_squares`));
      add('Sqrt', [addMean(squares, fresh(`${name}_variance`), 0)], name);
    } else addMean(from, name, 0);
    outputs.set(
      name,
      makeValueInfo(name, { elemType: ElementType.float, shape: [shape[0], shape[channelAxis]] }),
    );
  }
  return { ...rest, graph: { ...graph, node: [...graph.node, ...added], output: [...outputs.values()] } };
}

/** Rows and columns over which a deviation is taken, at least, where there are as many. */
const POSITIONS = 14;

function deviationStride(...sides: Shape): number {
  return sides.every((side) => typeof side === 'number')
    ? Math.max(1, Math.floor(Math.min(...sides) / POSITIONS))
    : 1;
}

/** From this opset on, the axes of ReduceMean are an input. */
const AXES_ARE_INPUT = 18;

/** Whether what comes out differs from the value. Where its type is not known it is taken for float32. */
function isChanged({ pooling, elemType = ElementType.float }: Tap): boolean {
  return pooling !== 'none' || elemType !== ElementType.float;
}

/**
 * The same model with other constants of the same names.
 *
 * @param where the file, for errors
 * @throws GraphError where it has no constant of a name, or one of another type
 */
export function withConstants(
  model: ModelProto,
  constants: readonly TensorProto[],
  where: string,
): ModelProto {
  const byName = new Map(constants.map((tensor) => [tensor.name, tensor]));
  const replaced = new Set<string>();
  const initializer = model.graph.initializer.map((own) => {
    const other = byName.get(own.name);
    if (!other || other.dataType !== own.dataType) return own;
    replaced.add(own.name);
    return other;
  });
  const missing = constants.find(({ name }) => !replaced.has(name));
  if (missing)
    throw new GraphError(
      where,
      `has no constant ${missing.name}`,
      advice`make it again with ${command('guard')}`,
    );
  return { ...model, graph: { ...model.graph, initializer } };
}

/** The same model without the inputs that no node takes. */
export function withUsedInputs(model: ModelProto): ModelProto {
  const needed = new Set(model.graph.node.flatMap(neededValues));
  return {
    ...model,
    graph: { ...model.graph, input: model.graph.input.filter(({ name }) => needed.has(name)) },
  };
}

/**
 * Drops the nodes and constants that no output of the graph needs, and what is said about their values. The inputs stay,
 * but for those that only named such a constant.
 *
 * @example
 * ```ts
 * import { pruneUnused, readModel, writeModel } from 'la-ood/onnx';
 *
 * const model = await readModel('guarded.onnx');
 * const output = model.graph.output.filter(({ name }) => name === 'logits');
 * await writeModel('classifier.onnx', pruneUnused({ ...model, graph: { ...model.graph, output } }));
 * ```
 */
export function pruneUnused(model: ModelProto): ModelProto {
  const { graph, ...rest } = model;
  const producer = producers(graph);
  const needed = new Set<string>();
  const kept = new Set<NodeProto>();
  const open = graph.output.map(({ name }) => name);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (needed.has(name)) continue;
    needed.add(name);
    const node = producer.get(name);
    if (!node || kept.has(node)) continue;
    kept.add(node);
    open.push(...neededValues(node));
  }
  const alive = ({ name }: { name: string }) => needed.has(name);
  const dropped = new Set(graph.initializer.filter((tensor) => !alive(tensor)).map(({ name }) => name));
  const yielded = new Set([...kept].flatMap(({ output }) => output));
  return {
    ...rest,
    graph: {
      ...graph,
      node: graph.node.filter((node) => kept.has(node)),
      initializer: graph.initializer.filter(alive),
      ...(graph.sparseInitializer && {
        sparseInitializer: graph.sparseInitializer.filter(({ values }) => needed.has(values?.name ?? '')),
      }),
      input: graph.input.filter(({ name }) => !dropped.has(name)),
      valueInfo: graph.valueInfo.filter(({ name }) => needed.has(name) || yielded.has(name)),
    },
  };
}

/**
 * A model's own notes (`metadata_props`).
 *
 * @example
 * ```ts
 * import { getMetadata, readModel } from 'la-ood/onnx';
 *
 * console.log(getMetadata(await readModel('guarded.onnx'))['la_ood.guard']);
 * ```
 */
export function getMetadata(model: ModelProto): Record<string, string> {
  return Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]));
}

/**
 * Adds notes to those that the model has; one of the same key is replaced.
 *
 * @example
 * ```ts
 * import { readModel, setMetadata, writeModel } from 'la-ood/onnx';
 *
 * await writeModel('named.onnx', setMetadata(await readModel('model.onnx'), { trained: 'in May' }));
 * ```
 */
export function setMetadata(model: ModelProto, entries: Readonly<Record<string, string>>): ModelProto {
  const kept = model.metadataProps.filter(({ key }) => !Object.hasOwn(entries, key));
  const added = Object.entries(entries).map(([key, value]) => ({ key, value }));
  return { ...model, metadataProps: [...kept, ...added] };
}

function findTaps(model: ModelProto, names: readonly string[], where: string): Tap[] {
  const { graph } = model;
  const types = inferShapes(model);
  const axes = channelAxes(model, types);
  const values = new Set(graph.node.flatMap(({ output }) => output.filter((name) => name !== '')));
  const byNode = new Map(
    graph.node.flatMap(({ name, output }) => (name ? [[name, output[0]] as const] : [])),
  );
  const valueNamed = (name: string) => (values.has(name) ? name : byNode.get(name));
  return [...new Set(names)].map((name) => {
    const whole = valueNamed(name);
    const derived = (of: (tap: string) => string | undefined) =>
      whole === undefined ? valueNamed(of(name) ?? '') : undefined;
    const [ofToken, ofDeviation] = [derived(valueOfClassToken), derived(valueOfDeviation)];
    const value = whole ?? ofToken ?? ofDeviation;
    if (value === undefined) throw noSuchTap(name, [...values, ...byNode.keys()], where);
    if (name !== value && types.has(name))
      throw new GraphError(where, `${name} is an input or a constant too`, `tap ${value}`);
    const { elemType, shape } = types.get(value) ?? {};
    const pooling = shape && poolingOf(shape);
    const wrong = (remedy: string) =>
      new GraphError(where, `${name} has ${shape?.length ?? 'an unknown number of'} dimensions`, remedy);
    if (!shape || !pooling) throw wrong('a tap has 2 (N×C), 3 (N×T×D) or 4 (N×C×H×W)');
    const common = { name, value, elemType, shape };
    if (ofToken) {
      if (pooling !== 'token mean') throw wrong('class tokens are in N×T×D');
      return { ...common, channelAxis: 2, pooling: 'class token' };
    }
    const channelAxis = axes.get(value)!;
    if (!ofDeviation) return { ...common, channelAxis, pooling };
    if (pooling === 'none') throw wrong('what has no positions does not deviate over them');
    return { ...common, channelAxis, pooling: 'deviation' };
  });
}

function noSuchTap(name: string, names: string[], where: string): GraphError {
  const nearest = nearestName(name, names);
  const remedy = nearest ? `did you mean ${nearest}?` : advice`${command('inspect')} lists the names`;
  return new GraphError(where, `there is no value or node named ${name}`, remedy);
}
