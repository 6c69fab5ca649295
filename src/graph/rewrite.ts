import { GraphError } from '../common/errors.ts';
import { nearestName } from '../common/suggest.ts';
import { requireOpset } from './check.ts';
import { makeNode, makeValueInfo } from './make.ts';
import { freshNames, renameValues } from './names.ts';
import type { ModelProto, NodeProto, ValueInfo } from './onnx.ts';
import { inferShapes, type ValueType } from './shapes.ts';
import { neededValues, producers } from './topology.ts';

/** A value inside a graph that is asked for. */
interface Tap {
  /** The name that it was asked for by, and the output's. */
  readonly name: string;
  readonly value: string;
  readonly type: ValueType;
}

/**
 * Makes values inside a graph its outputs, each under the name of its tap, after the outputs that are there already
 * (the logits). Values of four dimensions are pooled to N×C by GlobalAveragePool, which keeps onnxruntime's blocked
 * layout where ReduceMean does not; values of two dimensions come as they are.
 *
 * A four-dimensional value that is tapped by its own name is renamed within the graph, so that the pooled one can have
 * the name; where it was an output already, the pooled one takes its place.
 *
 * @param taps names of values, or of nodes for their first outputs
 * @param where the file, for errors
 * @throws GraphError where there is no such value, or it has neither two nor four dimensions
 */
export function exposeTaps(model: ModelProto, taps: readonly string[], where: string): ModelProto {
  requireOpset(model, where);
  const found = findTaps(model, taps, where);
  const fresh = freshNames(model);
  const renamed = new Map(
    found
      .filter(({ name, value, type }) => name === value && type.shape!.length === 4)
      .map(({ value }) => [value, fresh(`${value}_unpooled`)]),
  );

  const { graph, ...rest } = renameValues(model, renamed);
  const added: NodeProto[] = [];
  const outputs = new Map<string, ValueInfo>(
    model.graph.output.filter(({ name }) => !renamed.has(name)).map((output) => [output.name, output]),
  );
  for (const { name, value, type } of found) {
    const [batch, channels] = type.shape!;
    if (type.shape!.length === 4) {
      const pooled = fresh(`${name}_pooled`);
      added.push(makeNode('GlobalAveragePool', [renamed.get(value) ?? value], pooled));
      added.push(makeNode('Flatten', [pooled], name));
    } else if (name !== value) added.push(makeNode('Identity', [value], name));
    outputs.set(name, makeValueInfo(name, { elemType: type.elemType, shape: [batch, channels] }));
  }
  return { ...rest, graph: { ...graph, node: [...graph.node, ...added], output: [...outputs.values()] } };
}

/**
 * Drops the nodes and constants that no output of the graph needs, and what is said about their values. The inputs stay,
 * but for those that only named such a constant.
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

/** A model's own notes (`metadata_props`). */
export function getMetadata(model: ModelProto): Record<string, string> {
  return Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]));
}

/** Adds notes to those that the model has; one of the same key is replaced. */
export function setMetadata(model: ModelProto, entries: Readonly<Record<string, string>>): ModelProto {
  const kept = model.metadataProps.filter(({ key }) => !Object.hasOwn(entries, key));
  const added = Object.entries(entries).map(([key, value]) => ({ key, value }));
  return { ...model, metadataProps: [...kept, ...added] };
}

function findTaps(model: ModelProto, names: readonly string[], where: string): Tap[] {
  const { graph } = model;
  const types = inferShapes(model);
  const values = new Set(graph.node.flatMap(({ output }) => output.filter((name) => name !== '')));
  const byNode = new Map(
    graph.node.flatMap(({ name, output }) => (name ? [[name, output[0]] as const] : [])),
  );
  return [...new Set(names)].map((name) => {
    const value = values.has(name) ? name : byNode.get(name);
    if (value === undefined) throw noSuchTap(name, [...values, ...byNode.keys()], where);
    if (name !== value && types.has(name))
      throw new GraphError(where, `${name} is an input or a constant too`, `tap ${value}`);
    const type = types.get(value) ?? {};
    const rank = type.shape?.length;
    if (rank !== 2 && rank !== 4)
      throw new GraphError(
        where,
        `${name} has ${rank ?? 'an unknown number of'} dimensions`,
        'a tap has 2 (N×C) or 4 (N×C×H×W)',
      );
    return { name, value, type };
  });
}

function noSuchTap(name: string, names: string[], where: string): GraphError {
  const nearest = nearestName(name, names);
  const remedy = nearest ? `did you mean ${nearest}?` : 'la-ood inspect lists the names';
  return new GraphError(where, `there is no value or node named ${name}`, remedy);
}
