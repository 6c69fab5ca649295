import { makeNode, makeValueInfo } from '../make.ts';
import { freshNames } from '../names.ts';
import type { ModelProto, ValueInfo } from '../onnx.ts';
import { NodeWriter } from './node-writer.ts';

/** Writes inputs, nodes and outputs behind those of a model. */
export class Extension extends NodeWriter {
  readonly inputs: ValueInfo[] = [];
  readonly outputs: ValueInfo[] = [];

  /** Adds an input of the graph: an `ElementType`, and its sizes, with a word for each that is free. */
  input(name: string, elemType: number, shape: readonly (number | string)[]): string {
    this.inputs.push(makeValueInfo(name, { elemType, shape }));
    return name;
  }

  /** Makes a value an output of the graph, under a name of its own. */
  output(name: string, value: string, elemType: number, shape: readonly (number | string)[]): void {
    this.nodes.push(makeNode('Identity', [value], name));
    this.outputs.push(makeValueInfo(name, { elemType, shape }));
  }
}

/**
 * A model with more inputs, nodes and outputs.
 *
 * @param build writes them; the model's values are known by their names
 */
export function extendModel(model: ModelProto, build: (extension: Extension) => void): ModelProto {
  const { graph } = model;
  const extension = new Extension(freshNames(model));
  build(extension);
  return {
    ...model,
    graph: {
      ...graph,
      input: [...graph.input, ...extension.inputs],
      node: [...graph.node, ...extension.nodes],
      initializer: [...graph.initializer, ...extension.initializers],
      output: [...graph.output, ...extension.outputs],
    },
  };
}
