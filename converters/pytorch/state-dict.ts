import { type PickleDict, type PickleValue, typeName } from '../../src/common/pickle/values.ts';
import { printable } from '../../src/common/printable.ts';
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
  'ema',
  'model_ema',
  'ema_state_dict',
  'state_dict_ema',
  'params_ema',
];

/** Modules in which training code wraps the network (DataParallel, Lightning, torch.compile, …). */
const PREFIXES = ['module.', 'model.', 'net.', 'network.', 'backbone.', '_orig_mod.'];

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
  let dict = root instanceof Map ? root : fail(...describeOther(root));
  for (let depth = 0; depth < MAX_NESTING; depth++) {
    const key = chooseWrapper(dict, fail, notes, depth === 0 ? wrapper : undefined);
    if (key === undefined) break;
    collectExtras(dict, extras);
    path.push(key);
    dict = dict.get(key) as PickleDict;
  }
  if (path.length) notes.push(`weights found under ${printable(path.join('.'))}`);
  const { tensors, prefix } = stripPrefixes(collectTensors(dict, fail, notes), notes);
  return { tensors, wrapper: path.length ? path.join('.') : undefined, prefix, extras, notes };
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
    if (!(value instanceof Map) || depth > MAX_NESTING) return false;
    const known = answers.get(value);
    if (known !== undefined) return known;
    answers.set(value, false);
    const found = holdsTensors(value) || WRAPPERS.some((key) => holdsWeights(value.get(key), depth + 1));
    answers.set(value, found);
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

function stripPrefixes(tensors: TensorTable, notes: string[]): { tensors: TensorTable; prefix?: string } {
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
