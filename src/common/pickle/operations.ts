import { printable } from '../printable.ts';
import type { PickleMachine } from './machine.ts';
import { opcodes as op } from './opcodes.ts';
import { type PickleDict, PickleRecord, PickleTuple, type PickleValue, typeName } from './values.ts';

type Operation = ((machine: PickleMachine) => void) | 'stop';

/** What each instruction does, as CPython's `pickle.py` and the comments of `pickletools.py` define them. */
export const operations: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  [op.PROTO, checkProtocol],
  [op.FRAME, checkFrame],
  [op.STOP, 'stop'],

  // Constants
  [op.NONE, (m) => m.push(null)],
  [op.NEWTRUE, (m) => m.push(true)],
  [op.NEWFALSE, (m) => m.push(false)],
  [op.INT, pushInt],
  [op.LONG, (m) => m.push(m.reader.decimal())],
  [op.BININT, (m) => m.push(m.reader.int32())],
  [op.BININT1, (m) => m.push(m.reader.uint8())],
  [op.BININT2, (m) => m.push(m.reader.uint16())],
  [op.LONG1, (m) => m.push(m.reader.long(m.reader.uint8()))],
  [op.LONG4, (m) => m.push(m.reader.long(m.reader.uint32()))],
  [op.FLOAT, pushFloat],
  [op.BINFLOAT, (m) => m.push(m.reader.float64())],
  [op.STRING, (m) => m.push(unquote(m, m.reader.textLine()))],
  [op.BINSTRING, (m) => m.push(m.reader.latin1(m.reader.uint32()))],
  [op.SHORT_BINSTRING, (m) => m.push(m.reader.latin1(m.reader.uint8()))],
  [op.UNICODE, (m) => m.push(unescapeUnicode(m.reader.textLine()))],
  [op.SHORT_BINUNICODE, (m) => m.push(m.reader.utf8(m.reader.uint8()))],
  [op.BINUNICODE, (m) => m.push(m.reader.utf8(m.reader.uint32()))],
  [op.BINUNICODE8, (m) => m.push(m.reader.utf8(m.reader.uint64()))],
  [op.SHORT_BINBYTES, (m) => m.push(m.reader.take(m.reader.uint8()))],
  [op.BINBYTES, (m) => m.push(m.reader.take(m.reader.uint32()))],
  [op.BINBYTES8, (m) => m.push(m.reader.take(m.reader.uint64()))],
  [op.BYTEARRAY8, (m) => m.push(m.reader.take(m.reader.uint64()))],

  // Containers
  [op.EMPTY_TUPLE, (m) => m.push(new PickleTuple([]))],
  [op.TUPLE1, (m) => m.push(new PickleTuple(m.popMany(1)))],
  [op.TUPLE2, (m) => m.push(new PickleTuple(m.popMany(2)))],
  [op.TUPLE3, (m) => m.push(new PickleTuple(m.popMany(3)))],
  [op.TUPLE, (m) => m.push(new PickleTuple(m.popToMark()))],
  [op.EMPTY_LIST, (m) => m.push([])],
  [op.LIST, (m) => m.push(m.popToMark())],
  [op.APPEND, (m) => extend(m, m.popMany(1))],
  [op.APPENDS, (m) => extend(m, m.popToMark())],
  [op.EMPTY_DICT, (m) => m.push(new Map())],
  [op.DICT, (m) => m.push(setItems(m, new Map(), m.popToMark()))],
  [op.SETITEM, (m) => update(m, m.popMany(2))],
  [op.SETITEMS, (m) => update(m, m.popToMark())],
  [op.EMPTY_SET, (m) => m.push(new Set())],
  [op.ADDITEMS, (m) => addItems(m, m.popToMark())],
  [op.FROZENSET, (m) => m.push(new Set(m.popToMark().map((item) => hashable(m, item))))],

  // Stack and memo
  [op.MARK, (m) => m.mark()],
  [op.POP, (m) => m.discard()],
  [op.POP_MARK, (m) => void m.popToMark()],
  [op.DUP, (m) => m.push(m.top())],
  [op.PUT, (m) => m.memoize(m.reader.decimal())],
  [op.BINPUT, (m) => m.memoize(m.reader.uint8())],
  [op.LONG_BINPUT, (m) => m.memoize(m.reader.uint32())],
  [op.MEMOIZE, (m) => m.memoize()],
  [op.GET, (m) => m.recall(m.reader.decimal())],
  [op.BINGET, (m) => m.recall(m.reader.uint8())],
  [op.LONG_BINGET, (m) => m.recall(m.reader.uint32())],

  // What Python would execute
  [op.GLOBAL, (m) => m.push(m.findGlobal(m.reader.line(), m.reader.line()))],
  [op.STACK_GLOBAL, stackGlobal],
  [op.REDUCE, construct],
  [op.NEWOBJ, construct],
  [op.NEWOBJ_EX, constructWithKeywords],
  [op.INST, (m) => m.push(m.call(m.findGlobal(m.reader.line(), m.reader.line()), m.popToMark()))],
  [op.OBJ, constructFromMark],
  [op.BUILD, build],
  [op.PERSID, (m) => m.push(persistentLoad(m, m.reader.line()))],
  [op.BINPERSID, (m) => m.push(persistentLoad(m, m.pop()))],
  [op.EXT1, (m) => refuseExtension(m, m.reader.uint8())],
  [op.EXT2, (m) => refuseExtension(m, m.reader.uint16())],
  [op.EXT4, (m) => refuseExtension(m, m.reader.uint32())],
  [op.NEXT_BUFFER, refuseBuffer],
  [op.READONLY_BUFFER, refuseBuffer],
]);

function checkProtocol(m: PickleMachine): void {
  const protocol = m.reader.uint8();
  if (protocol > 5) m.fail(`is in pickle protocol ${protocol}; 0 to 5 are known`);
}

/** A frame says how many bytes may be read ahead; here everything has been read, and it must only be there. */
function checkFrame(m: PickleMachine): void {
  const length = m.reader.uint64();
  if (length > m.reader.remaining)
    m.fail(`is cut short: a frame of ${length} bytes begins and ${m.reader.remaining} are left`);
}

/** Protocol 0 writes True and False as the ints 01 and 00. */
function pushInt(m: PickleMachine): void {
  const start = m.reader.position;
  const value = m.reader.decimal();
  const isBool = m.reader.position - start === 3 && (value === 0 || value === 1);
  m.push(isBool ? value === 1 : value);
}

function pushFloat(m: PickleMachine): void {
  const line = m.reader.line();
  const value = { inf: Infinity, '-inf': -Infinity, nan: NaN }[line] ?? Number(line);
  if (Number.isNaN(value) && line !== 'nan') m.fail('holds a float that is not written as one');
  m.push(value);
}

/** The `repr` of a Python 2 str. */
function unquote(m: PickleMachine, text: string): string {
  const body = /^'(.*)'$|^"(.*)"$/s.exec(text);
  if (!body) m.fail('holds a str without quotation marks');
  const named: Record<string, string> = { n: '\n', r: '\r', t: '\t' };
  return (body[1] ?? body[2]).replace(/\\(?:x([0-9a-fA-F]{2})|(.))/gs, (_, hex, character) =>
    hex ? String.fromCharCode(Number.parseInt(hex, 16)) : (named[character] ?? character),
  );
}

/** Python's raw-unicode-escape. */
function unescapeUnicode(text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})|\\U(000[0-9a-fA-F]{5}|0010[0-9a-fA-F]{4})/g, (_, short, long) =>
    String.fromCodePoint(Number.parseInt(short ?? long, 16)),
  );
}

function extend(m: PickleMachine, items: PickleValue[]): void {
  const top = m.top();
  const list = top instanceof PickleRecord ? top.items : top;
  if (!Array.isArray(list)) m.fail(`appends to ${printable(typeName(list))}`);
  for (const item of items) list.push(item);
}

function update(m: PickleMachine, items: PickleValue[]): void {
  const top = m.top();
  const dict = top instanceof PickleRecord ? top.entries : top;
  if (!(dict instanceof Map)) m.fail(`sets items of ${printable(typeName(dict))}`);
  setItems(m, dict, items);
}

function setItems(m: PickleMachine, dict: PickleDict, items: PickleValue[]): PickleDict {
  if (items.length % 2) m.fail('sets a dict key without a value');
  for (let i = 0; i < items.length; i += 2) dict.set(hashable(m, items[i]), items[i + 1]);
  return dict;
}

function addItems(m: PickleMachine, items: PickleValue[]): void {
  const set = m.top();
  if (set instanceof PickleRecord) {
    for (const item of items) set.items.push(item);
    return;
  }
  if (!(set instanceof Set)) m.fail(`adds items to ${printable(typeName(set))}`);
  for (const item of items) set.add(hashable(m, item));
}

function hashable(m: PickleMachine, value: PickleValue): PickleValue {
  if (Array.isArray(value) || value instanceof Map) m.fail(`takes ${typeName(value)} as a key`);
  return value;
}

function stackGlobal(m: PickleMachine): void {
  const [module, name] = m.popMany(2);
  if (typeof module !== 'string' || typeof name !== 'string') m.fail('names something that is not a str');
  m.push(m.findGlobal(module, name));
}

function construct(m: PickleMachine): void {
  const args = m.popArguments();
  m.push(m.call(m.pop(), args));
}

function constructWithKeywords(m: PickleMachine): void {
  const keywords = m.pop();
  const args = m.popArguments();
  const made = m.call(m.pop(), args);
  if (!(keywords instanceof Map) || (keywords.size && !(made instanceof PickleRecord)))
    m.fail('calls with keyword arguments, which was not executed');
  if (made instanceof PickleRecord) for (const [key, value] of keywords) made.entries.set(key, value);
  m.push(made);
}

function constructFromMark(m: PickleMachine): void {
  const [callee, ...args] = m.popToMark();
  if (callee === undefined) m.fail('makes an object without a class');
  m.push(m.call(callee, args));
}

function build(m: PickleMachine): void {
  const [object, state] = m.popMany(2);
  if (!m.dialect.build) m.fail(`gives state to ${printable(typeName(object))}, which was not executed`);
  m.push(m.dialect.build(object, state, m));
}

function persistentLoad(m: PickleMachine, id: PickleValue): PickleValue {
  if (!m.dialect.persistentLoad) m.fail('refers to an object outside the pickle');
  return m.dialect.persistentLoad(id, m);
}

function refuseExtension(m: PickleMachine, code: number): never {
  return m.fail(`uses entry ${code} of Python's extension registry, which was not executed`);
}

function refuseBuffer(m: PickleMachine): never {
  return m.fail('refers to a buffer outside the pickle');
}
