import { existsSync } from 'node:fs';
import { PickleAssembler } from '../../../src/common/pickle/assembler.ts';
import {
  checkpointOf,
  expectRefused,
  legacyCheckpoint,
  stateDictPickle,
  temporaryPath,
  tensor,
} from './fixtures.ts';

/** Expects a checkpoint around this pickle to be refused, in both formats, and nothing in it to have run. */
async function expectPickleRefused(pickle: Uint8Array, ...messages: RegExp[]): Promise<void> {
  await expectRefused(await checkpointOf(pickle), /archive\/data\.pkl at byte \d+: /, ...messages);
  await expectRefused(legacyCheckpoint(pickle), /at byte \d+: /, ...messages);
  if (existsSync(marker())) throw new Error('the pickle was executed');
}

/** A file that exists only if a payload ran. */
function marker(): string {
  return temporaryPath('executed');
}

function start(): PickleAssembler {
  return new PickleAssembler().protocol(4);
}

function payload(pickle: PickleAssembler): PickleAssembler {
  return pickle.string(`touch ${marker()}`);
}

const notExecuted =
  /names (posix|os)\.system, which is not on the list of harmless names and was not executed/;

/** Numbers as in the list of bad inputs. */
describe('checkpoint pickles', () => {
  it('15: refuses os.system through REDUCE', async () => {
    const call = (module: string) =>
      payload(start().global(module, 'system').emit('MARK')).emit('TUPLE', 'REDUCE', 'STOP').bytes();
    await expectPickleRefused(call('os'), notExecuted, /do not trust this file/);
    await expectPickleRefused(call('posix'), notExecuted);
  });

  it('16: refuses it through STACK_GLOBAL', () =>
    expectPickleRefused(
      payload(start().string('os').string('system').emit('STACK_GLOBAL'))
        .emit('TUPLE1', 'REDUCE', 'STOP')
        .bytes(),
      notExecuted,
    ));

  it('16: refuses dotted names that lead from an allowed module to another', () =>
    expectPickleRefused(
      start().string('torch').string('serialization.os.system').emit('STACK_GLOBAL', 'STOP').bytes(),
      /names torch\.serialization\.os\.system, .* was not executed/,
    ));

  it('16: takes names that JavaScript objects have by themselves as names, and no more', async () => {
    for (const [module, name] of [
      ['__proto__', 'constructor'],
      ['constructor', 'prototype'],
      ['torch', 'constructor'],
      ['torch', 'hasOwnProperty'],
    ]) {
      const called = start().global(module, name).emit('EMPTY_TUPLE', 'REDUCE', 'STOP').bytes();
      await expectRefused(
        await checkpointOf(called),
        new RegExp(`holds an object of ${module}.${name} and no state`),
      );
    }
  });

  it('16: refuses what runs code under any of its names', async () => {
    for (const [module, name] of [
      ['builtins', 'eval'],
      ['__builtin__', 'exec'],
      ['builtins', '__import__'],
      ['subprocess', 'Popen'],
      ['importlib', 'import_module'],
      ['multiprocessing.util', '_cleanup_tests'],
      ['ctypes', 'CDLL'],
      ['torch.utils', 'data.os.system'],
    ])
      await expectPickleRefused(
        payload(start().string(module).string(name).emit('STACK_GLOBAL'))
          .emit('TUPLE1', 'REDUCE', 'STOP')
          .bytes(),
        /was not executed; weights need no such name: do not trust this file/,
      );
  });

  it('16: refuses it through INST, OBJ and NEWOBJ', async () => {
    const inst = start().emit('MARK');
    payload(inst).emit('INST', Buffer.from('os\nsystem\n'), 'STOP');
    await expectPickleRefused(inst.bytes(), notExecuted);
    const obj = payload(start().emit('MARK').global('os', 'system')).emit('OBJ', 'STOP');
    await expectPickleRefused(obj.bytes(), notExecuted);
    const newObj = payload(start().global('os', 'system')).emit('TUPLE1', 'NEWOBJ', 'STOP');
    await expectPickleRefused(newObj.bytes(), notExecuted);
  });

  it('16: refuses it through NEWOBJ_EX, and keyword arguments of allowed names', async () => {
    const hostile = payload(start().global('os', 'system')).emit('TUPLE1', 'EMPTY_DICT', 'NEWOBJ_EX', 'STOP');
    await expectPickleRefused(hostile.bytes(), notExecuted);
    const keywords = start()
      .global('collections', 'OrderedDict')
      .emit('EMPTY_TUPLE', 'EMPTY_DICT', 'NONE', 'NONE', 'SETITEM', 'NEWOBJ_EX', 'STOP');
    await expectPickleRefused(keywords.bytes(), /calls with keyword arguments, which was not executed/);
  });

  it('16: refuses the extension registry', async () => {
    for (const [opcode, code] of [
      ['EXT1', [7]],
      ['EXT2', [7, 0]],
      ['EXT4', [7, 0, 0, 0]],
    ] as const)
      await expectPickleRefused(
        start().emit(opcode, Uint8Array.from(code), 'STOP').bytes(),
        /uses entry 7 of Python's extension registry, which was not executed/,
      );
  });

  it('16: refuses to call what is a name only, or no name at all', async () => {
    await expectPickleRefused(
      start().global('torch', 'FloatStorage').emit('EMPTY_TUPLE', 'REDUCE', 'STOP').bytes(),
      /calls torch\.FloatStorage, which was not executed/,
    );
    await expectPickleRefused(
      start().string('os.system').emit('EMPTY_TUPLE', 'REDUCE', 'STOP').bytes(),
      /calls a str, which was not executed/,
    );
    await expectPickleRefused(
      start().global('torch', 'device').int(1).emit('REDUCE', 'STOP').bytes(),
      /calls with a number instead of a tuple/,
    );
  });

  it('16: refuses state for what takes none', () =>
    expectPickleRefused(
      start().emit('EMPTY_LIST', 'EMPTY_DICT', 'BUILD', 'STOP').bytes(),
      /gives state to something that takes none, which was not executed/,
    ));

  it('17: refuses a payload placed before corrupt bytes, naming the payload', async () => {
    const pickle = payload(start().global('posix', 'system')).emit(
      'TUPLE1',
      'REDUCE',
      Buffer.alloc(100, 0xff),
    );
    await expectPickleRefused(pickle.bytes(), notExecuted);
    await expectRefused(pickle.bytes(), notExecuted);
  });

  it('18: refuses a pickle inside a pickle', async () => {
    const inner = payload(start().global('os', 'system')).emit('TUPLE1', 'REDUCE', 'STOP').bytes();
    for (const [module, name] of [
      ['pickle', 'loads'],
      ['_pickle', 'loads'],
      ['torch', 'load'],
      ['joblib', 'load'],
    ]) {
      const outer = start().global(module, name).emit('SHORT_BINBYTES', Uint8Array.of(inner.length), inner);
      await expectPickleRefused(
        outer.emit('TUPLE1', 'REDUCE', 'STOP').bytes(),
        new RegExp(`names ${module}\\.${name}, .* was not executed`),
      );
    }
  });

  it('19: takes keys such as __proto__ as keys', async () => {
    const pickle = start().emit('EMPTY_DICT').string('__proto__').emit('EMPTY_DICT').string('polluted');
    pickle.emit('NEWTRUE', 'SETITEM', 'SETITEM').string('constructor').emit('EMPTY_DICT', 'SETITEM', 'STOP');
    await expectRefused(await checkpointOf(pickle.bytes()), /holds no weights/);
    if ('polluted' in {}) throw new Error('Object.prototype was polluted');
  });

  it('20: is not exhausted by memo and DUP expansion', async () => {
    // Each list holds the one before twice: 2^1000 elements if it were written out.
    const lists = start().emit('EMPTY_LIST');
    for (let i = 0; i < 1000; i++) lists.emit('MEMOIZE', 'DUP', 'TUPLE2');
    await expectRefused(await checkpointOf(lists.emit('STOP').bytes()), /holds a tuple and no state dict/);
    const flood = start().emit('NONE', Buffer.alloc(200_000, '2'), 'STOP');
    await expectPickleRefused(flood.bytes(), /needs a pickle stack deeper than 100000/);
    const marks = start().emit(Buffer.alloc(200_000, '('), 'STOP');
    await expectPickleRefused(marks.bytes(), /needs more than 100000 marks/);
    const endless = start().emit(Buffer.alloc(4_100_000, 'N0'), 'NONE', 'STOP');
    await expectPickleRefused(endless.bytes(), /holds more than 4000000 pickle instructions/);
  });

  it('20: is not exhausted by an int of many digits or a claim of many bytes', async () => {
    const long = start().emit('LONG', Buffer.alloc(100_000, '9'), Buffer.from('\n'), 'STOP');
    await expectPickleRefused(long.bytes(), /a line without end/);
    const binary = start().emit('LONG4', Buffer.from('000000f0', 'hex'), 'STOP');
    await expectPickleRefused(binary.bytes(), /holds an int of \d+ bytes/);
    const claim = start().emit('BINBYTES8', Buffer.alloc(8, 0x7f), 'STOP');
    await expectPickleRefused(claim.bytes(), /is cut short: \d+ bytes were expected/);
    const text = start().emit('BINUNICODE', Buffer.from('ffffff7f', 'hex'), 'STOP');
    await expectPickleRefused(text.bytes(), /holds a str of 2147483647 bytes/);
  });

  it('21: survives objects that contain themselves', async () => {
    const list = start().emit('EMPTY_LIST', 'MEMOIZE', 'BINGET', Uint8Array.of(0), 'APPEND', 'STOP');
    await expectRefused(await checkpointOf(list.bytes()), /holds a list and no state dict/);
    const dict = start().emit('EMPTY_DICT', 'MEMOIZE').string('model');
    dict.emit('BINGET', Uint8Array.of(0), 'SETITEM', 'STOP');
    await expectRefused(await checkpointOf(dict.bytes()), /holds no weights/);
  });

  it('22: refuses unknown instructions and protocols', async () => {
    await expectPickleRefused(start().emit(Uint8Array.of(0xff)).bytes(), /unknown pickle instruction 0xff/);
    await expectPickleRefused(
      new PickleAssembler().protocol(6).emit('NONE', 'STOP').bytes(),
      /is in pickle protocol 6; 0 to 5 are known/,
    );
    await expectPickleRefused(start().emit('NEXT_BUFFER', 'STOP').bytes(), /a buffer outside the pickle/);
  });

  it('23: refuses stack underflow, missing marks and missing memo entries', async () => {
    for (const opcode of ['REDUCE', 'TUPLE3', 'POP', 'DUP', 'BUILD', 'SETITEM', 'STOP'] as const)
      await expectPickleRefused(
        start().emit(opcode).bytes(),
        /takes more from the pickle stack than there is/,
      );
    for (const opcode of ['TUPLE', 'APPENDS', 'SETITEMS', 'POP_MARK', 'OBJ'] as const)
      await expectPickleRefused(start().emit(opcode).bytes(), /misses a mark on the pickle stack/);
    await expectPickleRefused(
      start().emit('NONE', 'MARK', 'TUPLE1', 'STOP').bytes(),
      /takes more from the pickle stack than there is/,
    );
    await expectPickleRefused(
      start().emit('BINGET', Uint8Array.of(3)).bytes(),
      /asks for the memo entry 3, which was never written/,
    );
    await expectPickleRefused(
      start().emit('NONE', 'NONE', 'STOP').bytes(),
      /ends with 1 values too many on the pickle stack/,
    );
  });

  it('23: refuses containers of the wrong kind', async () => {
    await expectPickleRefused(start().emit('NONE', 'NONE', 'APPEND').bytes(), /appends to None/);
    await expectPickleRefused(start().emit('NONE', 'NONE', 'NONE', 'SETITEM').bytes(), /sets items of None/);
    await expectPickleRefused(
      start().emit('EMPTY_DICT', 'MARK', 'NONE', 'SETITEMS').bytes(),
      /a dict key without a value/,
    );
    await expectPickleRefused(
      start().emit('EMPTY_DICT', 'EMPTY_LIST', 'NONE', 'SETITEM').bytes(),
      /takes a list as a key/,
    );
  });

  it('escapes what a name could do to a terminal or a log', () =>
    expectPickleRefused(
      start()
        .string('os')
        .string(`evil\n\x1b[2J${'x\u202e'.repeat(200)}`)
        .emit('STACK_GLOBAL')
        .bytes(),
      /names os\.evil\\u\{a\}\\u\{1b\}\[2Jx\\u\{202e\}.*…/,
    ));

  it('refuses storages that are described in two ways', async () => {
    await expectPickleRefused(
      stateDictPickle({ a: {}, b: { storage: 'IntStorage' } }),
      /describes the storage 0 in two different ways/,
    );
    await expectPickleRefused(
      tensor(start(), { storage: 'float32' }).emit('STOP').bytes(),
      /refers to a storage of an unknown class/,
    );
  });
});
