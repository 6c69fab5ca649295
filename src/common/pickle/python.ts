import {
  type GlobalTable,
  type PickleContext,
  type PickleDict,
  PickleObject,
  PickleTuple,
  type PickleValue,
} from './values.ts';

const builtins = {
  bytes: (args: readonly PickleValue[], machine: PickleContext) => toBytes(args, machine),
  bytearray: (args: readonly PickleValue[], machine: PickleContext) => toBytes(args, machine),
  set: (args: readonly PickleValue[]) => new Set(items(args[0])),
  frozenset: (args: readonly PickleValue[]) => new Set(items(args[0])),
  // Named as the default factory of a defaultdict, or in a training script's options.
  bool: null,
  dict: null,
  float: null,
  int: null,
  list: null,
  str: null,
};

/** Harmless names of Python's own library, under their Python 3 and Python 2 modules. */
export const pythonGlobals: GlobalTable = {
  builtins,
  __builtin__: builtins,
  collections: {
    OrderedDict: toDict,
    Counter: toDict,
    defaultdict: () => new Map(),
  },
  _codecs: { encode: encodeLatin1 },
  argparse: { Namespace: () => new PickleObject('argparse.Namespace') },
};

/** `OrderedDict()`, or Python 2's `OrderedDict([[key, value], …])`. */
function toDict(args: readonly PickleValue[], machine: PickleContext): PickleDict {
  if (args[0] instanceof Map) return args[0];
  return new Map(
    items(args[0]).map((pair) => {
      const [key, value, ...rest] = items(pair);
      if (value === undefined || rest.length) machine.fail('makes a dict of something other than pairs');
      return [key, value] as const;
    }),
  );
}

/** Protocols 0 to 2 write bytes as `_codecs.encode(text, 'latin1')`. */
function encodeLatin1(args: readonly PickleValue[], machine: PickleContext): Uint8Array {
  const [text, encoding] = args;
  if (typeof text !== 'string' || (encoding !== 'latin1' && encoding !== 'latin-1'))
    machine.fail('encodes something other than Latin-1 text');
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

function toBytes(args: readonly PickleValue[], machine: PickleContext): Uint8Array {
  if (args.length === 0) return new Uint8Array();
  if (args[0] instanceof Uint8Array) return args[0];
  return typeof args[0] === 'string'
    ? encodeLatin1(args, machine)
    : machine.fail('makes bytes of something else');
}

function items(value: PickleValue | undefined): readonly PickleValue[] {
  if (value instanceof PickleTuple) return value.items;
  if (value instanceof Set) return [...value];
  return Array.isArray(value) ? value : [];
}
