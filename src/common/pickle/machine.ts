import { printable } from '../printable.ts';
import { operations } from './operations.ts';
import { PickleReader } from './reader.ts';
import {
  type PickleContext,
  type PickleDialect,
  PickleGlobal,
  PickleRecord,
  PickleTuple,
  type PickleValue,
  typeName,
} from './values.ts';

/**
 * Every instruction makes at most one object and none is repeated, so these bound time and memory. A tensor takes some 35
 * instructions and 8 memo entries: 4 M and 1 M are enough for 100,000 tensors (fickling's 1 M would stop at 28,000).
 * CPython pickles push containers in groups of 1,000.
 */
const MAX_INSTRUCTIONS = 4_000_000;
const MAX_STACK = 100_000;
const MAX_MEMO = 1_000_000;

/**
 * Reads one pickle of protocol 0 to 5 and executes nothing: where Python would call a name of the dialect's allow-list,
 * its handler makes an inert record instead; other names are refused, or make records of the name and its arguments alone.
 *
 * @param where the file, and the place in it, for messages
 * @param start where the pickle begins in `bytes`; positions in messages count from the beginning of `bytes`
 * @returns the value, and the position behind the pickle
 * @throws CheckpointError on whatever is damaged, forbidden or out of bounds, with the byte of the instruction
 */
export function unpickle(
  bytes: Uint8Array,
  dialect: PickleDialect,
  where: string,
  start = 0,
): { value: PickleValue; end: number } {
  const machine = new PickleMachine(new PickleReader(bytes, start, where, dialect.maxString), dialect);
  const value = machine.run();
  return { value, end: machine.reader.position };
}

/** The pickle machine: a stack, marks in it, and a memo. `operations.ts` says what each instruction does to them. */
export class PickleMachine implements PickleContext {
  readonly reader: PickleReader;
  readonly dialect: PickleDialect;
  readonly #stack: PickleValue[] = [];
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue>();

  constructor(reader: PickleReader, dialect: PickleDialect) {
    this.reader = reader;
    this.dialect = dialect;
  }

  /** Executes instructions up to STOP and gives the value that is left. */
  run(): PickleValue {
    for (let count = 0; count < MAX_INSTRUCTIONS; count++) {
      const code = this.reader.opcode();
      const operation = operations.get(code);
      if (!operation) this.fail(`holds the unknown pickle instruction 0x${code.toString(16)}`);
      if (operation === 'stop') return this.#result();
      operation(this);
    }
    return this.fail(`holds more than ${MAX_INSTRUCTIONS} pickle instructions`);
  }

  #result(): PickleValue {
    const value = this.pop();
    const left = this.#stack.length + this.#marks.length;
    if (left) this.fail(`ends with ${left} values too many on the pickle stack`);
    return value;
  }

  push(value: PickleValue): void {
    if (this.#stack.length >= MAX_STACK) this.fail(`needs a pickle stack deeper than ${MAX_STACK}`);
    this.#stack.push(value);
  }

  pop(): PickleValue {
    this.#require(1);
    return this.#stack.pop()!;
  }

  top(): PickleValue {
    this.#require(1);
    return this.#stack[this.#stack.length - 1];
  }

  /** The last `count` values, in the order in which they were pushed. */
  popMany(count: number): PickleValue[] {
    this.#require(count);
    return this.#stack.splice(this.#stack.length - count);
  }

  mark(): void {
    if (this.#marks.length >= MAX_STACK) this.fail(`needs more than ${MAX_STACK} marks on the pickle stack`);
    this.#marks.push(this.#stack.length);
  }

  /** Everything above the last mark, and the mark away. */
  popToMark(): PickleValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) this.fail('misses a mark on the pickle stack');
    return this.#stack.splice(mark);
  }

  /** POP takes the value on top, or the mark where that is on top. */
  discard(): void {
    if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
    else this.pop();
  }

  /** Values below the last mark are out of reach. */
  #require(count: number): void {
    if (this.#stack.length - (this.#marks.at(-1) ?? 0) < count)
      this.fail('takes more from the pickle stack than there is');
  }

  memoize(index: number | bigint = this.#memo.size): void {
    if (typeof index === 'bigint' || index < 0) this.fail(`writes to the impossible memo entry ${index}`);
    this.#memo.set(index, this.top());
    if (this.#memo.size > MAX_MEMO) this.fail(`needs more than ${MAX_MEMO} memo entries`);
  }

  recall(index: number | bigint): void {
    const value = this.#memo.get(Number(index));
    if (value === undefined) this.fail(`asks for the memo entry ${index}, which was never written`);
    this.push(value);
  }

  /** GLOBAL, STACK_GLOBAL, INST: a name, if the allow-list has it or the dialect makes a record of it. */
  findGlobal(module: string, name: string): PickleGlobal {
    const { globals } = this.dialect;
    if (Object.hasOwn(globals, module) && Object.hasOwn(globals[module], name))
      return new PickleGlobal(module, name, globals[module][name]);
    if (this.dialect.isInert?.(module, name))
      return new PickleGlobal(module, name, (args) => new PickleRecord(`${module}.${name}`, args));
    return this.fail(
      `names ${printable(`${module}.${name}`)}, which is not on the list of harmless names and was not executed`,
      this.dialect.unknownGlobalRemedy(module, name),
    );
  }

  call(callee: PickleValue, args: readonly PickleValue[]): PickleValue {
    // A method that a name would have given: what it would have made is as inert.
    if (callee instanceof PickleRecord) return new PickleRecord(callee.type, args);
    if (!(callee instanceof PickleGlobal) || !callee.handler)
      this.fail(`calls ${printable(typeName(callee))}, which was not executed`);
    return callee.handler(args, this);
  }

  /** The items of a tuple on top of the stack: the arguments of a call. */
  popArguments(): readonly PickleValue[] {
    const args = this.pop();
    if (!(args instanceof PickleTuple))
      this.fail(`calls with ${printable(typeName(args))} instead of a tuple`);
    return args.items;
  }

  take(length: number): Uint8Array {
    return this.reader.take(length);
  }

  fail(problem: string, remedy?: string): never {
    return this.reader.fail(problem, remedy);
  }
}
