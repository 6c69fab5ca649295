import type { ModelProto, NodeProto, ValueInfo } from './onnx.ts';
import { type MessageName, mapMessages } from './schema.ts';

/**
 * Finds names that no value and no node of the model has yet: `base`, or `base_1`, `base_2`, … None is given out twice.
 */
export function freshNames(model: ModelProto): (base: string) => string {
  const taken = new Set<string>();
  mapMessages(model.graph, 'GraphProto', (message, type) => {
    if (type === 'NodeProto') {
      const { name, input, output } = message as NodeProto;
      for (const used of [name ?? '', ...input, ...output]) taken.add(used);
    } else if (type === 'ValueInfo' || type === 'TensorProto') taken.add((message as ValueInfo).name);
    return message;
  });
  return (base) => {
    let name = base;
    for (let i = 1; taken.has(name); i++) name = `${base}_${i}`;
    taken.add(name);
    return name;
  };
}

/**
 * Gives values other names, everywhere in the graph and the graphs within it. The new names must be fresh: then names
 * that an inner graph shadows may change along, and mean the same as before.
 */
export function renameValues(model: ModelProto, names: ReadonlyMap<string, string>): ModelProto {
  const renamed = (name: string) => names.get(name) ?? name;
  const graph = mapMessages(model.graph, 'GraphProto', (message, type) => {
    if (type === 'NodeProto') {
      const { input, output } = message as NodeProto;
      return Object.assign(message, { input: input.map(renamed), output: output.map(renamed) });
    }
    const key = nameFields[type];
    const named = message as Record<string, string | undefined>;
    if (key && named[key] !== undefined) named[key] = renamed(named[key]);
    return message;
  });
  return { ...model, graph };
}

/** The messages beside nodes that refer to a value by its name. */
const nameFields: Partial<Record<MessageName, string>> = {
  ValueInfo: 'name',
  TensorProto: 'name',
  TensorAnnotation: 'tensorName',
};
