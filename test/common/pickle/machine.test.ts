import { expect } from 'chai';
import fc from 'fast-check';
import { torchDialect } from '../../../converters/pytorch/torch-pickle.ts';
import { CheckpointError } from '../../../src/common/errors.ts';
import { PickleAssembler } from '../../../src/common/pickle/assembler.ts';
import { unpickle } from '../../../src/common/pickle/machine.ts';
import { numpyGlobals } from '../../../src/common/pickle/numpy.ts';
import { opcodes } from '../../../src/common/pickle/opcodes.ts';
import { pythonGlobals } from '../../../src/common/pickle/python.ts';
import {
  type PickleDialect,
  PickleObject,
  PickleTuple,
  type PickleValue,
} from '../../../src/common/pickle/values.ts';

const dialect: PickleDialect = {
  globals: { ...pythonGlobals, ...numpyGlobals },
  unknownGlobalRemedy: () => 'do without',
  build(object, state) {
    if (object instanceof PickleObject) object.state = state;
    return object;
  },
};

function load(pickle: Uint8Array | string): PickleValue {
  const bytes = typeof pickle === 'string' ? Buffer.from(pickle, 'latin1') : pickle;
  return unpickle(bytes, dialect, 'test.pkl').value;
}

const tuple = (...items: PickleValue[]) => new PickleTuple(items);

describe('unpickle', () => {
  // As pickle.dumps and pickletools write them; test/parity compares whole objects in every protocol.
  const samples: readonly (readonly [what: string, pickle: string, value: unknown])[] = [
    ['None', 'N.', null],
    ['protocol 0 bools', '(I01\nI00\nt.', tuple(true, false)],
    ['protocol 0 ints', '(I1\nI-20\nL30L\nL-40\nt.', tuple(1, -20, 30, -40)],
    ['ints beyond 2^53', 'L9007199254740993L\n.', 9007199254740993n],
    [
      'binary ints',
      '(J\xff\xff\xff\xffK\xffM\x01\x02\x8a\x01\x80\x8b\x02\0\0\0\0\x80t.',
      tuple(-1, 255, 513, -128, -32768),
    ],
    ['an empty long', '\x8a\0.', 0],
    ['protocol 0 floats', '(F0.1\nF-inf\nF1e+300\nt.', tuple(0.1, -Infinity, 1e300)],
    ['binary floats', 'G\x3f\xf0\0\0\0\0\0\0.', 1],
    ['Python 2 strs', "S'it\\'s\\n\\x00'\n.", "it's\n\0"],
    ['raw unicode escapes', 'Vi\\u20ac\\U0001f600\n.', 'i€😀'],
    ['binary strs', '(U\x02\xff\0T\x01\0\0\0aX\x02\0\0\0\xc3\xa9t.', tuple('\xff\0', 'a', 'é')],
    ['long strs', '\x8d\x02\0\0\0\0\0\0\0ab.', 'ab'],
    ['bytes', 'C\x02\xff\0.', Uint8Array.of(255, 0)],
    [
      'bytes in protocol 2',
      'c_codecs\nencode\n(X\x03\0\0\0a\xc3\xbfX\x06\0\0\0latin1tR.',
      Uint8Array.of(97, 255),
    ],
    ['a bytearray', '\x96\x01\0\0\0\0\0\0\0\x07.', Uint8Array.of(7)],
    [
      'tuples',
      '()K\x01\x85K\x01K\x02\x86NNN\x87t.',
      tuple(tuple(), tuple(1), tuple(1, 2), tuple(null, null, null)),
    ],
    ['lists', '((lp0\nI1\na](K\x02K\x03el.', [[1], [2, 3]]],
    ['dicts', '(dI1\nI2\ns.', new Map([[1, 2]])],
    [
      'a dict of a mark',
      '(K\x01K\x02K\x03K\x04d.',
      new Map([
        [1, 2],
        [3, 4],
      ]),
    ],
    ['sets', '(\x8f(K\x01K\x02\x90(K\x03\x91t.', tuple(new Set([1, 2]), new Set([3]))],
    ['memo', '(I5\np10\n]\x94h\x01g10\nj\x0a\0\0\0t.', tuple(5, [], [], 5, 5)],
    ['POP, POP_MARK and DUP', '(NN0(NN1K\x012t.', tuple(null, 1, 1)],
    ['a frame', '\x80\x04\x95\x02\0\0\0\0\0\0\0K\x01.', 1],
    ['the OrderedDict of Python 2', 'ccollections\nOrderedDict\n((l(lI1\naI2\naatR.', new Map([[1, 2]])],
  ];

  for (const [what, pickle, value] of samples)
    it(`reads ${what}`, () => expect(load(pickle)).to.deep.equal(value));

  it('reads NumPy scalars', () => {
    const scalar = (code: string, raw: string, order = '<') =>
      load(
        `cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(U\x02${code}K\0K\x01tR(K\x03U\x01${order}NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb` +
          `U${String.fromCharCode(raw.length)}${raw}tR.`,
      );
    expect(scalar('f8', '\0\0\0\0\0\0\xf0\x3f')).to.equal(1);
    expect(scalar('f8', '\x3f\xf0\0\0\0\0\0\0', '>')).to.equal(1);
    expect(scalar('i8', '\xff'.repeat(8))).to.equal(-1);
    expect(scalar('b1', '\x01', '|')).to.equal(true);
    expect(() => scalar('f8', 'abc')).to.throw(
      CheckpointError,
      /a NumPy scalar of type f8 without its 8 bytes/,
    );
  });

  it('keeps identity through the memo, cycles too', () => {
    const list = load(']\x94h\0a.') as PickleValue[];
    expect(list[0]).to.equal(list);
  });

  it('says the file and the byte', () => {
    expect(() => load('NN0q')).to.throw(
      CheckpointError,
      'test.pkl at byte 3: is cut short: 1 bytes were expected and 0 are left',
    );
    expect(() => load('cos\nsystem\n.')).to.throw(
      CheckpointError,
      'test.pkl at byte 0: names os.system, which is not on the list of harmless names and was not executed; do without',
    );
  });

  it('refuses what no dialect has a meaning for', () => {
    expect(() => load('Pid\n.')).to.throw(CheckpointError, /an object outside the pickle/);
    expect(() => load('\x8c\x01\xff.')).to.throw(CheckpointError, /not valid UTF-8/);
    expect(() => load('Sabc\n.')).to.throw(CheckpointError, /without quotation marks/);
    expect(() => load('Fabc\n.')).to.throw(CheckpointError, /a float that is not written as one/);
    expect(() => load('Iabc\n.')).to.throw(CheckpointError, /an int that is not written in digits/);
    expect(() => load('\x95\xff\0\0\0\0\0\0\0N.')).to.throw(CheckpointError, /a frame of 255 bytes/);
  });

  it('gives a value or a CheckpointError for any bytes', () => {
    const names = Object.keys(opcodes) as (keyof typeof opcodes)[];
    const instruction = fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...names).map((name) => Uint8Array.of(opcodes[name])) },
      { weight: 2, arbitrary: fc.uint8Array({ maxLength: 4 }) },
      {
        weight: 2,
        arbitrary: fc
          .constantFrom(
            ['torch._utils', '_rebuild_tensor_v2'],
            ['torch', 'Size'],
            ['collections', 'OrderedDict'],
            ['_codecs', 'encode'],
            ['numpy', 'dtype'],
            ['numpy.core.multiarray', 'scalar'],
            ['torch', 'FloatStorage'],
          )
          .map(([module, name]) => new PickleAssembler().global(module, name).bytes()),
      },
    );
    fc.assert(
      fc.property(fc.array(instruction, { maxLength: 30 }), (parts) => {
        try {
          unpickle(Buffer.concat([...parts, Uint8Array.of(opcodes.STOP)]), torchDialect(), 'random');
        } catch (error) {
          if (!(error instanceof CheckpointError)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('PickleAssembler', () => {
  it('writes ints of any size', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }), (value) => {
        const read = load(new PickleAssembler().protocol(2).int(value).emit('STOP').bytes());
        expect(BigInt(read as number | bigint)).to.equal(value);
      }),
    );
  });

  it('writes any str', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(load(new PickleAssembler().protocol(2).string(text).emit('STOP').bytes())).to.equal(text);
      }),
    );
  });
});
