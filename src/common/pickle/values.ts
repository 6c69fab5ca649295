/**
 * What a pickle can yield here: plain data, names, and inert records. Nothing in it is ever Python code at work.
 *
 * int becomes `number`, or `bigint` beyond 2^53; bytes and bytearray `Uint8Array`; list `Array`; dict `Map`, so that
 * keys such as `__proto__` are keys like any other. Values may contain themselves: never walk them without a bound.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | PickleTuple
  | PickleDict
  | Set<PickleValue>
  | PickleGlobal
  | PickleObject;

export type PickleDict = Map<PickleValue, PickleValue>;

/** A Python tuple. */
export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

/** A name on the allow-list (`torch.FloatStorage`): a class or function, as a name and no more. */
export class PickleGlobal {
  constructor(
    readonly module: string,
    readonly name: string,
    readonly handler: GlobalHandler,
  ) {}

  toString(): string {
    return `${this.module}.${this.name}`;
  }
}

/** An instance of a class on the allow-list; handlers derive their records from it. */
export class PickleObject {
  /** What BUILD gave it, for instance its `__dict__`. */
  state: PickleValue = null;

  /** @param type the Python class, for messages: `argparse.Namespace` */
  constructor(readonly type: string) {}
}

/** What a name that is not on the allow-list would have made: its name and what it was given. Nothing was called. */
export class PickleRecord extends PickleObject {
  /** What was appended to it, where it is a kind of list or set. */
  readonly items: PickleValue[] = [];
  /** What was set in it, where it is a kind of dict. */
  readonly entries: PickleDict = new Map();

  constructor(
    type: string,
    readonly args: readonly PickleValue[],
  ) {
    super(type);
  }
}

/** What takes the place of calling a name: REDUCE, INST, OBJ, NEWOBJ. `null`: it may be named but not called. */
export type GlobalHandler = ((args: readonly PickleValue[], machine: PickleContext) => PickleValue) | null;

/** The allow-list: handlers by name, by module. */
export type GlobalTable = Readonly<Record<string, Readonly<Record<string, GlobalHandler>>>>;

/** What a handler may ask of the machine that called it. */
export interface PickleContext {
  /** Throws a `CheckpointError` that names the file and the byte of the instruction at work. */
  fail(problem: string, remedy?: string): never;
  /** Calls an allowed name, as REDUCE does. */
  call(callee: PickleValue, args: readonly PickleValue[]): PickleValue;
  /** The next `length` bytes behind the current instruction: formats such as joblib's put raw data between instructions. */
  take(length: number): Uint8Array;
}

/** What one file format makes of the parts of a pickle that Python would execute. */
export interface PickleDialect {
  readonly globals: GlobalTable;
  /** Whether a name that is not on the allow-list makes inert records; it is refused otherwise. */
  isInert?(module: string, name: string): boolean;
  /** What to do about a name that is refused. */
  unknownGlobalRemedy(module: string, name: string): string;
  /** PERSID and BINPERSID: an object stored outside the pickle. */
  persistentLoad?(id: PickleValue, machine: PickleContext): PickleValue;
  /** Longest str in bytes, 16 MiB if not given. Python 2 stored binary data as str. */
  readonly maxString?: number;
  /** BUILD: gives `object` its state. Without it every BUILD is refused. */
  build?(object: PickleValue, state: PickleValue, machine: PickleContext): PickleValue;
}

/** The Python type of a value, for messages. */
export function typeName(value: PickleValue | undefined): string {
  if (value === null || value === undefined) return 'None';
  if (value instanceof PickleTuple) return 'a tuple';
  if (value instanceof Map) return 'a dict';
  if (value instanceof Set) return 'a set';
  if (value instanceof Uint8Array) return 'bytes';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof PickleGlobal) return String(value);
  if (value instanceof PickleObject) return `an object of ${value.type}`;
  return { boolean: 'a bool', number: 'a number', bigint: 'an int', string: 'a str' }[
    typeof value as 'boolean' | 'number' | 'bigint' | 'string'
  ];
}
