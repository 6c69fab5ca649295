import type { ModuleFacts } from '../../models/families/evidence.ts';
import {
  type PickleDict,
  PickleRecord,
  PickleTuple,
  type PickleValue,
} from '../../src/common/pickle/values.ts';

/** A network that was pickled itself: what its `state_dict()` would be, and what its modules are. */
export interface PickledModule {
  readonly stateDict: PickleDict;
  readonly modules: ReadonlyMap<string, ModuleFacts>;
}

/** No network's modules lie deeper in each other, or are more. */
const MAX_DEPTH = 64;
const MAX_MODULES = 100_000;

const dictionaries = ['_parameters', '_buffers', '_modules'] as const;

/** Whether a record is one of an `nn.Module`: its attributes hold the dictionaries that every module has. */
export function isModule(value: PickleValue | undefined): value is PickleRecord {
  const state = value instanceof PickleRecord ? value.state : undefined;
  return state instanceof Map && dictionaries.every((name) => state.get(name) instanceof Map);
}

/**
 * Reads a module's weights in the order of `Module.state_dict()`: for each module its parameters, its buffers, and then
 * its children. Nothing of its code is needed or executed.
 *
 * @param fail says the problem, with the file's name
 */
export function readModule(root: PickleRecord, fail: (problem: string) => never): PickledModule {
  const stateDict: PickleDict = new Map();
  const modules = new Map<string, ModuleFacts>();
  const read = (module: PickleRecord, path: string, depth: number) => {
    // A module may contain itself in a hostile file.
    if (depth > MAX_DEPTH || modules.size >= MAX_MODULES) fail('holds modules in modules without end');
    const state = module.state as PickleDict;
    modules.set(path, { type: module.type, attributes: plainAttributes(state) });
    const [parameters, buffers, children] = dictionaries.map((name) => state.get(name) as PickleDict);
    const passing = state.get('_non_persistent_buffers_set');
    const below = (name: PickleValue) => (path ? `${path}.${name}` : String(name));
    for (const [name, value] of parameters) if (value !== null) stateDict.set(below(name), value);
    for (const [name, value] of buffers)
      if (value !== null && !(passing instanceof Set && passing.has(name))) stateDict.set(below(name), value);
    for (const [name, child] of children)
      if (isModule(child)) read(child, below(name), depth + 1);
      else if (child !== null) fail(`holds a module ${below(name)} that is none of PyTorch's`);
  };
  read(root, '', 0);
  return { stateDict, modules };
}

function plainAttributes(state: PickleDict): ModuleFacts['attributes'] {
  const attributes = new Map<string, number | boolean | string | readonly number[]>();
  for (const [name, value] of state) {
    const items = value instanceof PickleTuple ? value.items : value;
    const isNumbers = Array.isArray(items) && items.every((item) => typeof item === 'number');
    if (typeof name !== 'string') continue;
    if (isNumbers) attributes.set(name, items as number[]);
    else if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string')
      attributes.set(name, value);
  }
  return attributes;
}
