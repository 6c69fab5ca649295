import { GraphError } from '../common/errors.ts';
import type { FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetId } from './onnx.ts';
import { initializerNames, nodeLabel, sortNodes, subgraphs } from './topology.ts';

/** What onnxruntime-node 1.30 runs. */
const LATEST_OPSET = 26;
const LATEST_IR_VERSION = 13;

/** From here on arithmetic broadcasts as NumPy does; onnxruntime promises nothing for older models. */
const OLDEST_OPSET = 7;

const reexport = `export it again, with an opset between ${OLDEST_OPSET} and ${LATEST_OPSET}`;

/** The operator sets that onnxruntime brings; the operators of any other have to come with the model, as functions. */
const builtInDomains = new Set([
  '',
  'ai.onnx.ml',
  'ai.onnx.training',
  'ai.onnx.preview.training',
  'com.microsoft',
]);

/**
 * Checks that a model hangs together and can be run here: every value has one origin, nothing depends on itself,
 * every operator has a version and a meaning. Shapes and attributes are left to the runtime.
 *
 * @param where the file, for errors
 * @throws GraphError at the first thing that is wrong, naming node and value
 *
 * @example
 * ```ts
 * import { checkModel, readModel } from 'la-ood/onnx';
 *
 * checkModel(await readModel('model.onnx'), 'model.onnx');
 * ```
 */
export function checkModel(model: ModelProto, where: string): void {
  const { irVersion, opsetImport, graph, functions } = model;
  if (!irVersion) throw new GraphError(where, 'has no IR version', 'is it an ONNX model?');
  if (irVersion > LATEST_IR_VERSION)
    throw new GraphError(where, `its IR version ${irVersion} is newer than ${LATEST_IR_VERSION}`, reexport);
  requireOpset(model, where);

  const declared = new Set(functions.map(functionKey));
  checkOperators(graph.node, opsetImport, declared, where);
  checkGraph(graph, new Set(), where);
  if (graph.output.length === 0) throw new GraphError(where, 'the graph has no outputs');
  for (const { name, input, output, node, opsetImport } of functions) {
    const place = `${where}: function ${JSON.stringify(name)}`;
    checkOperators(node, opsetImport, declared, place);
    checkOutputs(output, checkNodes(node, new Set(input), new Set(), place), place);
  }
}

/**
 * The version of ONNX's own operators that a model is written in.
 *
 * @throws GraphError where it names none, or one that onnxruntime does not run
 */
export function requireOpset({ opsetImport }: ModelProto, where: string): number {
  const version = opsetImport.find((set) => domainOf(set) === '')?.version;
  if (version === undefined) throw new GraphError(where, "names no version of ONNX's operators", reexport);
  if (version < OLDEST_OPSET || version > LATEST_OPSET)
    throw new GraphError(
      where,
      `its opset ${version} is not between ${OLDEST_OPSET} and ${LATEST_OPSET}`,
      reexport,
    );
  return version;
}

function checkOperators(
  nodes: readonly NodeProto[],
  opsets: readonly OperatorSetId[],
  functions: ReadonlySet<string>,
  where: string,
): void {
  const imported = new Set(opsets.map(domainOf));
  for (const node of nodes) {
    if (!node.opType) throw new GraphError(where, `${nodeLabel(node)} has no operator`);
    const domain = domainOf(node);
    const operator = domain ? `${domain}.${node.opType}` : node.opType;
    if (!imported.has(domain))
      throw new GraphError(where, `${nodeLabel(node)}: no version is given for the operators of ${operator}`);
    if (
      !builtInDomains.has(domain) &&
      !functions.has(functionKey({ domain, name: node.opType, overload: node.overload }))
    )
      throw new GraphError(
        where,
        `${nodeLabel(node)}: operator ${operator} is neither built in nor a function of the model`,
        'export the model without custom operators',
      );
    for (const graph of subgraphs(node)) checkOperators(graph.node, opsets, functions, where);
  }
}

/** @param outer the values that can be seen from around the graph */
function checkGraph(graph: GraphProto, outer: ReadonlySet<string>, where: string): void {
  const own = new Set<string>();
  for (const { name } of graph.input) define(name, 'a graph input', own, where);
  // A constant with an input's name is that input's default value.
  const constants = initializerNames(graph).filter((name) => !own.has(name));
  for (const name of constants) define(name, 'an initializer', own, where);
  checkOutputs(
    graph.output.map(({ name }) => name),
    checkNodes(graph.node, own, outer, where),
    where,
  );
}

/**
 * @param own the values that stand before the nodes
 * @returns everything that can be seen after the nodes
 */
function checkNodes(
  nodes: readonly NodeProto[],
  own: ReadonlySet<string>,
  outer: ReadonlySet<string>,
  where: string,
): Set<string> {
  const defined = new Set(own);
  const names = new Set<string>();
  for (const node of nodes) {
    if (node.name && names.has(node.name)) throw new GraphError(where, `two nodes are named ${node.name}`);
    names.add(node.name ?? '');
    const outputs = node.output.filter((name) => name !== '');
    if (outputs.length === 0) throw new GraphError(where, `${nodeLabel(node)} yields nothing`);
    for (const name of outputs) define(name, nodeLabel(node), defined, where);
  }
  const visible = new Set([...outer, ...defined]);
  for (const node of nodes) {
    for (const name of node.input)
      if (name !== '' && !visible.has(name))
        throw new GraphError(
          where,
          `${nodeLabel(node)} needs ${JSON.stringify(name)}, which is no input, no initializer and no node's output`,
        );
    for (const graph of subgraphs(node)) checkGraph(graph, visible, where);
  }
  sortNodes({ node: nodes }, where);
  return visible;
}

function define(name: string, origin: string, defined: Set<string>, where: string): void {
  if (defined.has(name))
    throw new GraphError(where, `${origin} is a second origin of the value ${JSON.stringify(name)}`);
  defined.add(name);
}

function checkOutputs(names: readonly string[], visible: ReadonlySet<string>, where: string): void {
  const missing = names.find((name) => !visible.has(name));
  if (missing !== undefined)
    throw new GraphError(where, `nothing yields the output ${JSON.stringify(missing)}`);
}

/** 'ai.onnx' is another way to write ''. */
function domainOf({ domain = '' }: { domain?: string }): string {
  return domain === 'ai.onnx' ? '' : domain;
}

function functionKey({ domain, name, overload = '' }: Pick<FunctionProto, 'domain' | 'name' | 'overload'>) {
  return JSON.stringify([domain, name, overload]);
}
