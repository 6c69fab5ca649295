import { numpyGlobals } from '../../src/common/pickle/numpy.ts';
import { pythonGlobals } from '../../src/common/pickle/python.ts';
import {
  type GlobalHandler,
  type PickleContext,
  type PickleDialect,
  PickleGlobal,
  PickleObject,
  PickleRecord,
  PickleTuple,
  type PickleValue,
} from '../../src/common/pickle/values.ts';
import { printable } from '../../src/common/printable.ts';
import { dtypeNames, type StorageType, storageTypes } from './torch-dtypes.ts';

/** Where the bytes of tensors are: a record of the archive by its key. */
export class StorageReference extends PickleObject {
  /**
   * @param contents what its class says it holds
   * @param elements how many elements of that type it has
   */
  constructor(
    readonly key: string,
    readonly contents: StorageType,
    readonly elements: number,
  ) {
    super('torch.Storage');
  }

  get byteLength(): number {
    return this.elements * this.contents.bytes;
  }
}

/** A tensor as the pickle describes it, nothing of it checked against its storage yet. Offset and strides count elements. */
export class TensorReference extends PickleObject {
  constructor(
    readonly storage: StorageReference,
    readonly dtype: string,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {
    super('torch.Tensor');
  }
}

/** A tensor of a kind that is not read; an error only if it belongs to the state dict. */
export class UnreadableTensor extends PickleObject {
  constructor(
    readonly problem: string,
    readonly remedy: string,
  ) {
    super('torch.Tensor');
  }
}

/**
 * The pickles of `torch.save`: the names they use, and tensors and storages as inert records.
 *
 * @param storages receives every storage that a pickle refers to, by its key
 */
export function torchDialect(storages = new Map<string, StorageReference>()): PickleDialect {
  return { globals, isInert, unknownGlobalRemedy, build, persistentLoad: storageLoader(storages) };
}

const unreadable = (kind: string, remedy: string) => () => new UnreadableTensor(`is ${kind}`, remedy);
const DENSIFY = 'convert it with to_dense() and save the state dict again';
const DEQUANTIZE = 'convert it with dequantize() and save the state dict again';

/** As `_get_allowed_globals` of torch/_weights_only_unpickler.py, less what weights have no use for. */
const globals: PickleDialect['globals'] = {
  ...pythonGlobals,
  ...numpyGlobals,
  torch: {
    ...names([...storageTypes.keys(), ...dtypeNames, 'Tensor']),
    ...names(['per_tensor_affine', 'per_tensor_symmetric', 'per_channel_affine', 'per_channel_symmetric']),
    Size: ([sizes]) =>
      sizes instanceof PickleTuple ? sizes : new PickleTuple(Array.isArray(sizes) ? sizes : []),
    device: () => new PickleObject('torch.device'),
  },
  'torch.storage': names(['UntypedStorage']),
  'torch.serialization': { _get_layout: () => new PickleObject('torch.layout') },
  'torch.nn.parameter': { Parameter: ([data]) => data ?? null },
  'torch.autograd.variable': { Variable: ([data]) => data ?? null },
  copyreg: { _reconstructor: reconstruct },
  copy_reg: { _reconstructor: reconstruct },
  'torch._tensor': {
    _rebuild_from_type_v2: ([rebuild, , args], machine) => rebuildWith(rebuild, args, machine),
  },
  'torch._utils': {
    _rebuild_tensor: ([storage, ...layout], machine) => rebuildTensor(storage, layout, null, machine),
    _rebuild_tensor_v2: ([storage, offset, size, stride, , , metadata], machine) =>
      withoutBits(metadata) ?? rebuildTensor(storage, [offset, size, stride], null, machine),
    _rebuild_tensor_v3: ([storage, offset, size, stride, , , dtype, metadata], machine) =>
      withoutBits(metadata) ?? rebuildTensor(storage, [offset, size, stride], dtype, machine),
    _rebuild_parameter: ([data]) => data ?? null,
    _rebuild_parameter_with_state: ([data]) => data ?? null,
    _rebuild_qtensor: unreadable('quantised', DEQUANTIZE),
    _rebuild_sparse_tensor: unreadable('sparse', DENSIFY),
    _rebuild_nested_tensor: unreadable('nested', DENSIFY),
    _rebuild_meta_tensor_no_storage: unreadable(
      'on the meta device: it has no values',
      'save it from a real one',
    ),
  },
};

function names(list: readonly string[]): Record<string, GlobalHandler> {
  return Object.fromEntries(list.map((name) => [name, null]));
}

/**
 * Modules whose functions run commands or code, read or write files, or unpickle: no file of weights names them but to
 * harm whoever loads it elsewhere. null: all that they have.
 */
const harmful: Readonly<Record<string, readonly string[] | null>> = {
  ...Object.fromEntries(
    [
      'os posix nt subprocess pty commands popen2 sys runpy importlib ctypes socket shutil webbrowser code codeop',
      'pickle _pickle cPickle dill cloudpickle marshal joblib pip timeit pdb bdb cProfile profile asyncio',
      'multiprocessing urllib urllib2 requests http ftplib smtplib telnetlib tempfile io _io builtin',
    ].flatMap((line) => line.split(' ').map((name) => [name, null])),
  ),
  builtins: [
    'eval',
    'exec',
    'execfile',
    'compile',
    'open',
    '__import__',
    'input',
    'breakpoint',
    'globals',
    'vars',
  ],
  torch: ['load', 'save', 'hub', 'compile'],
  numpy: ['load', 'save', 'memmap', 'fromfile'],
};

/** Whether an unknown name is one of the training's own classes and functions, which are kept as inert records. */
function isInert(module: string, name: string): boolean {
  const root = module.split('.')[0].replace(/^__builtin__$/, 'builtins');
  const components = name.split('.');
  const isHarmful = (key: string, called: string | undefined) =>
    Object.hasOwn(harmful, key) &&
    (harmful[key] === null || (called !== undefined && harmful[key].includes(called)));
  // A dotted name may lead from a module to those that it has imported.
  return (
    !isHarmful(root, components[0]) && !components.slice(0, -1).some((part) => isHarmful(part, undefined))
  );
}

function unknownGlobalRemedy(): string {
  return 'weights need no such name: do not trust this file';
}

/** `copyreg._reconstructor(class, object, None)`, which makes objects in protocols 0 and 1. */
function reconstruct([type]: readonly PickleValue[], machine: PickleContext): PickleValue {
  if (!(type instanceof PickleGlobal)) machine.fail('makes an object of something that is no class');
  return new PickleRecord(String(type), []);
}

/** Python attributes of an OrderedDict (`_metadata`) or a tensor: nothing that weights depend on. */
function build(object: PickleValue, state: PickleValue, machine: PickleContext): PickleValue {
  if (object instanceof PickleObject) object.state = state;
  else if (!(object instanceof Map))
    machine.fail('gives state to something that takes none, which was not executed');
  return object;
}

/**
 * A persistent id is `('storage', class, key, location, elements)`, in legacy files with a sixth item: None, or
 * `(key, offset, elements)` for a view of that storage. The storages of one key must agree.
 */
function storageLoader(storages: Map<string, StorageReference>): PickleDialect['persistentLoad'] {
  return (id: PickleValue, machine: PickleContext) => {
    const [kind, type, key, , elements, view] = id instanceof PickleTuple ? id.items : [];
    // Before PyTorch 1.6 a class of a module came with its source: ('module', class, file, source).
    if (kind === 'module' && type instanceof PickleGlobal) return type;
    if (kind !== 'storage') machine.fail('refers to something outside the pickle that is not a storage');
    if (view !== undefined && view !== null)
      machine.fail('holds a storage that is a view of another', 'load it with torch.load and save it again');
    const storageType = type instanceof PickleGlobal ? storageTypes.get(type.name) : undefined;
    if (!storageType) machine.fail('refers to a storage of an unknown class');
    if (typeof key !== 'string') machine.fail('refers to a storage whose key is not a str');
    const reference = new StorageReference(
      key,
      storageType,
      natural(elements, 'element count of a storage', machine),
    );
    const known = storages.get(key);
    if (!known) storages.set(key, reference);
    else if (known.contents !== reference.contents || known.elements !== reference.elements)
      machine.fail(`describes the storage ${printable(key)} in two different ways`);
    return known ?? reference;
  };
}

function rebuildTensor(
  storage: PickleValue | undefined,
  [offset, shape, strides]: readonly (PickleValue | undefined)[],
  dtype: PickleValue | undefined,
  machine: PickleContext,
): PickleValue {
  if (!(storage instanceof StorageReference)) machine.fail('makes a tensor without a storage');
  return new TensorReference(
    storage,
    dtype instanceof PickleGlobal ? dtype.name : storage.contents.dtype,
    natural(offset, 'storage offset', machine),
    naturals(shape, 'size', machine),
    naturals(strides, 'stride', machine),
  );
}

/** A tensor with Python attributes is `_rebuild_from_type_v2(rebuild, class, args, state)`. */
function rebuildWith(
  rebuild: PickleValue | undefined,
  args: PickleValue | undefined,
  machine: PickleContext,
): PickleValue {
  if (rebuild instanceof PickleGlobal && rebuild.module === 'torch._utils' && args instanceof PickleTuple)
    return machine.call(rebuild, args.items);
  return machine.fail('makes a tensor of a class of its own');
}

/** The bits for lazy negation and conjugation change what the stored bytes mean. */
function withoutBits(metadata: PickleValue | undefined): UnreadableTensor | undefined {
  if (!(metadata instanceof Map) || ![...metadata.values()].some(Boolean)) return undefined;
  return new UnreadableTensor(
    'has its negation or conjugation bit set',
    'save it again after resolve_neg() and resolve_conj()',
  );
}

function naturals(value: PickleValue | undefined, what: string, machine: PickleContext): number[] {
  if (!(value instanceof PickleTuple)) machine.fail(`holds a tensor whose ${what} is not a tuple`);
  return value.items.map((item) => natural(item, what, machine));
}

function natural(value: PickleValue | undefined, what: string, machine: PickleContext): number {
  if (typeof value === 'bigint' && value > 0n)
    machine.fail(`holds a ${what} of ${value}, which is beyond 2^53`);
  if (typeof value !== 'number' && typeof value !== 'bigint')
    machine.fail(`holds a ${what} that is not an int`);
  if (value < 0) machine.fail(`holds a negative ${what} (${value})`);
  if (typeof value === 'bigint' || !Number.isSafeInteger(value))
    machine.fail(`holds a ${what} that is not whole`);
  return value;
}
