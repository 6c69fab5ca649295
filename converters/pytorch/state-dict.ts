import type { ModuleFacts } from '../../models/families/evidence.ts';
import {
  type PickleDict,
  type PickleObject,
  PickleRecord,
  type PickleValue,
  typeName,
} from '../../src/common/pickle/values.ts';
import { printable } from '../../src/common/printable.ts';
import { isModule, readModule } from './modules.ts';
import { TensorReference, UnreadableTensor } from './torch-pickle.ts';

/** Keys under which training scripts save the weights, those of the plain model first. */
const WRAPPERS = [
  'state_dict',
  'model_state_dict',
  'model_state',
  'model',
  'net',
  'network',
  'net_state_dict',
  'module',
  'weights',
  'params',
  'backbone',
  'last',
  'best',
  'ema',
  'model_ema',
  'ema_state_dict',
  'state_dict_ema',
  'params_ema',
];

/** Modules in which training code wraps the network (DataParallel, Lightning, torch.compile, …). */
const PREFIXES = ['module.', 'model.', 'net.', 'network.', 'backbone.', 'encoder.', '_orig_mod.'];

const MAX_NESTING = 4;

/** A tensor of the pickle, by its key in the state dict. */
export type TensorTable = Map<string, TensorReference | UnreadableTensor>;

/** The weights in a checkpoint, and how they were found. */
export interface FoundStateDict {
  readonly tensors: TensorTable;
  /** The keys that lead to it, `state_dict` or `ema.state_dict`. */
  readonly wrapper?: string;
  /** What all its keys began with, taken off. */
  readonly prefix?: string;
  /** Numbers and texts beside it: `epoch`, `best_prec1`. */
  readonly extras: ReadonlyMap<string, number | bigint | string | boolean>;
  /** Every place in the file that holds weights, as `wrapper` would name it. */
  readonly sets: readonly string[];
  /** Where the network itself was pickled: its modules by their paths, without the prefix. */
  readonly modules?: ReadonlyMap<string, ModuleFacts>;
  readonly notes: readonly string[];
}

/**
 * Finds the state dict in what a checkpoint holds: through wrappers, without what every key begins with.
 *
 * @param fail says the problem and the remedy, with the file's name
 * @param wrapper the key to look under, where several hold weights
 */
export function findStateDict(
  root: PickleValue,
  fail: (problem: string, remedy?: string) => never,
  wrapper?: string,
): FoundStateDict {
  const notes: string[] = [];
  const path: string[] = [];
  const extras = new Map<string, number | bigint | string | boolean>();
  let holder = root;
  let dict = dictOf(root) ?? fail(...describeOther(root));
  const sets = setsWithin(dict);
  // What is wanted may be the beginning of keys and no key of its own.
  const part = wrapper !== undefined && !dict.has(wrapper) && !sets.includes(wrapper) ? wrapper : undefined;
  const steps = wrapper === undefined || part ? undefined : stepsTo(wrapper, sets);
  for (let depth = 0; depth < MAX_NESTING && !isModule(holder); depth++) {
    const key = steps
      ? steps[depth]
      : chooseWrapper(dict, fail, notes, depth === 0 && !part ? wrapper : undefined);
    if (key === undefined) break;
    collectExtras(dict, extras);
    path.push(key);
    holder = dict.get(key)!;
    dict = dictOf(holder)!;
  }
  if (path.length) notes.push(`weights found under ${printable(path.join('.'))}`);
  const pickled = isModule(holder) ? readModule(holder, fail) : undefined;
  if (pickled)
    notes.push(`the network itself was saved, of the class ${printable((holder as PickleObject).type)}`);
  const all = collectTensors(pickled?.stateDict ?? dict, fail, notes);
  const { tensors, prefix } = stripPrefixes(part === undefined ? all : partOf(all, part, fail), notes);
  return {
    tensors,
    wrapper: path.length ? path.join('.') : undefined,
    prefix,
    extras,
    sets,
    modules: pickled && withoutPrefix(pickled.modules, prefix ?? ''),
    notes,
  };
}

/** The tensors whose keys begin with a name: one of several networks in a state dict. */
export function partOf<T>(
  tensors: ReadonlyMap<string, T>,
  name: string,
  fail: (problem: string, remedy?: string) => never,
): Map<string, T> {
  const part = new Map([...tensors].filter(([key]) => key.startsWith(`${name}.`)));
  if (part.size > 0) return new Map([...part].map(([key, tensor]) => [key.slice(name.length + 1), tensor]));
  const beginnings = new Set([...tensors.keys()].map((key) => key.split('.')[0]));
  return fail(`holds no weights under ${printable(name)}`, candidatesRemedy([...beginnings]));
}

/** The dict that a value is, or that the attributes of a module are. */
function dictOf(value: PickleValue | undefined): PickleDict | undefined {
  if (value instanceof Map) return value;
  // A subclass of dict, such as a training library's own.
  if (value instanceof PickleRecord && value.entries.size > 0) return value.entries;
  return isModule(value) ? new Map() : undefined;
}

/** The places that hold weights, as the keys that lead there. */
function setsWithin(root: PickleDict): string[] {
  const sets: string[] = [];
  const seen = new Set<PickleDict>();
  const search = (dict: PickleDict, path: readonly string[]) => {
    if (path.length > MAX_NESTING || seen.has(dict)) return;
    seen.add(dict);
    if (path.length > 0 && holdsTensors(dict)) sets.push(path.join('.'));
    for (const [key, value] of dict) {
      if (typeof key !== 'string' || /optim|sched|scaler/i.test(key)) continue;
      const below = dictOf(value);
      if (isModule(value)) sets.push([...path, key].join('.'));
      else if (below) search(below, [...path, key]);
    }
  };
  search(root, []);
  return sets;
}

/** The keys that lead to a set that is named as `ema.state_dict`; undefined where its name is one key, or none. */
function stepsTo(wrapper: string, sets: readonly string[]): string[] | undefined {
  return wrapper.includes('.') && sets.includes(wrapper) ? wrapper.split('.') : undefined;
}

function withoutPrefix(
  modules: ReadonlyMap<string, ModuleFacts>,
  prefix: string,
): ReadonlyMap<string, ModuleFacts> {
  const root = prefix.replace(/\.$/, '');
  return new Map(
    [...modules].flatMap(([path, facts]) => {
      if (path === root) return [['', facts] as const];
      return path.startsWith(prefix) ? [[path.slice(prefix.length), facts] as const] : [];
    }),
  );
}

function describeOther(root: PickleValue): [string, string] {
  return [
    `holds ${printable(typeName(root))} and no state dict`,
    'save the weights with torch.save(model.state_dict(), PATH)',
  ];
}

/** The key that leads to the weights, or none where `dict` holds them itself. */
function chooseWrapper(
  dict: PickleDict,
  fail: (problem: string, remedy?: string) => never,
  notes: string[],
  wanted: string | undefined,
): string | undefined {
  const holdsWeights = weightsFinder();
  const candidates = [...dict.keys()].filter(
    (key): key is string => typeof key === 'string' && holdsWeights(dict.get(key)),
  );
  if (wanted !== undefined) {
    if (candidates.includes(wanted)) return wanted;
    fail(`holds no weights under ${printable(wanted)}`, candidatesRemedy(candidates));
  }
  const known = WRAPPERS.filter((key) => candidates.includes(key));
  if (known.length > 1)
    notes.push(`weights also found under ${known.slice(1).join(', ')}: ${known[0]} was taken`);
  if (known.length) return known[0];
  if (holdsTensors(dict)) return undefined;
  if (candidates.length !== 1)
    fail(
      candidates.length ? `holds several sets of weights` : `holds no weights`,
      candidatesRemedy(candidates),
    );
  return candidates[0];
}

function candidatesRemedy(candidates: readonly string[]): string {
  return candidates.length
    ? `name one of ${candidates
        .slice(0, 5)
        .map((key) => printable(key))
        .join(', ')}`
    : 'save the weights with torch.save(model.state_dict(), PATH)';
}

/** Whether a value is a dict with tensors, or dicts under known names around one. */
function weightsFinder(): (value: PickleValue | undefined) => boolean {
  // Each dict is asked once: hostile ones contain each other in every way.
  const answers = new Map<PickleDict, boolean>();
  const holdsWeights = (value: PickleValue | undefined, depth: number): boolean => {
    if (isModule(value)) return true;
    const dict = dictOf(value);
    if (!dict || depth > MAX_NESTING) return false;
    const known = answers.get(dict);
    if (known !== undefined) return known;
    answers.set(dict, false);
    const found = holdsTensors(dict) || WRAPPERS.some((key) => holdsWeights(dict.get(key), depth + 1));
    answers.set(dict, found);
    return found;
  };
  return (value) => holdsWeights(value, 1);
}

function holdsTensors(dict: PickleDict): boolean {
  for (const [key, value] of dict) if (typeof key === 'string' && isTensor(value)) return true;
  return false;
}

function isTensor(value: PickleValue): value is TensorReference | UnreadableTensor {
  return value instanceof TensorReference || value instanceof UnreadableTensor;
}

function collectExtras(dict: PickleDict, extras: Map<string, number | bigint | string | boolean>): void {
  for (const [key, value] of dict)
    if (
      typeof key === 'string' &&
      (typeof value === 'number' ||
        typeof value === 'bigint' ||
        typeof value === 'string' ||
        typeof value === 'boolean')
    )
      extras.set(key, value);
}

function collectTensors(
  dict: PickleDict,
  fail: (problem: string, remedy?: string) => never,
  notes: string[],
): TensorTable {
  const tensors: TensorTable = new Map();
  for (const [key, value] of dict) {
    if (!isTensor(value)) notes.push(`left out ${printable(String(key))}: ${printable(typeName(value))}`);
    else if (typeof key !== 'string') fail('holds a tensor whose key is not a str');
    else tensors.set(key, value);
  }
  if (tensors.size === 0) fail('holds no weights', candidatesRemedy([]));
  // torch.optim.swa_utils.AveragedModel counts its models beside `module.`.
  if (tensors.size > 1 && tensors.delete('n_averaged')) notes.push('left out n_averaged: a counter');
  return tensors;
}

/** What every key begins with, where that is a common wrapper's name, taken off. */
export function stripPrefixes<T>(
  tensors: Map<string, T>,
  notes: string[],
): { tensors: Map<string, T>; prefix?: string } {
  let prefix = '';
  let next: string | undefined;
  const keys = [...tensors.keys()];
  while (
    (next = PREFIXES.find((candidate) =>
      keys.every(
        (key) => key.startsWith(prefix + candidate) && key.length > prefix.length + candidate.length,
      ),
    ))
  )
    prefix += next;
  if (!prefix) return { tensors };
  notes.push(`prefix ${prefix} taken off every key`);
  return {
    tensors: new Map([...tensors].map(([key, tensor]) => [key.slice(prefix.length), tensor])),
    prefix,
  };
}
