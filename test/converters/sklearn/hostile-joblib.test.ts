import { existsSync } from 'node:fs';
import { deflateSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { readJoblib } from '../../../converters/sklearn/read-joblib.ts';
import { readSklearnDetectors } from '../../../converters/sklearn/read-sklearn-detectors.ts';
import { DetectorError } from '../../../src/common/errors.ts';
import { PickleAssembler } from '../../../src/common/pickle/assembler.ts';
import {
  type ArrayRecipe,
  type Attribute,
  expectRefusal,
  type Storage,
  svmFile,
  temporaryFile,
  temporaryPath,
} from './fixtures.ts';

async function refuse(bytes: Uint8Array | string, ...messages: RegExp[]): Promise<void> {
  const path = await temporaryFile(bytes);
  await expectRefusal(readJoblib(path), path, ...messages);
  if (existsSync(marker())) throw new Error('the pickle was executed');
}

/** A file that exists only if a payload ran. */
function marker(): string {
  return temporaryPath('executed');
}

function start(): PickleAssembler {
  return new PickleAssembler().protocol(4);
}

function payload(pickle: PickleAssembler, module = 'os'): PickleAssembler {
  return pickle.global(module, 'system').string(`touch ${marker()}`).emit('TUPLE1', 'REDUCE');
}

const notExecuted =
  /names (posix|os)\.system, which is not on the list of harmless names and was not executed; .* do not trust this file/;

const storages: readonly Storage[] = ['joblib', 'joblib 0.10', 'pickle', 'buffer'];

describe('hostile joblib files', () => {
  it('run nothing, wherever it is named', async () => {
    for (const module of ['os', 'posix'])
      await refuse(payload(start(), module).emit('STOP').bytes(), notExecuted);
    await refuse(start().string('os').string('system').emit('STACK_GLOBAL', 'STOP').bytes(), notExecuted);
    await refuse(start().emit('MARK', 'INST', Buffer.from('os\nsystem\n'), 'STOP').bytes(), notExecuted);
    await refuse(svmFile({ random_state: payload }), notExecuted);
    await refuse(svmFile({ support_vectors_: payload }), notExecuted);
    await refuse(deflateSync(svmFile({ gamma: payload })), notExecuted);
  });

  it('run nothing that comes before damage, or behind the pickle', async () => {
    await refuse(payload(start()).emit(Uint8Array.of(0xff)).bytes(), notExecuted);
    await refuse(
      Buffer.concat([svmFile(), payload(start()).emit('STOP').bytes()]),
      /has \d+ bytes behind its pickle; dump each estimator into a file of its own/,
    );
  });

  it('make no objects but those that are known, and these without arguments', async () => {
    const svm = () => start().global('sklearn.svm._classes', 'OneClassSVM');
    await refuse(
      svm().string('poly').emit('TUPLE1', 'REDUCE', 'STOP').bytes(),
      /makes an object with arguments, which was not executed/,
    );
    await refuse(
      svm().emit('EMPTY_TUPLE', 'NEWOBJ', 'EMPTY_LIST', 'BUILD', 'STOP').bytes(),
      /gives an object a list instead of its attributes/,
    );
    await refuse(
      svm().emit('EMPTY_TUPLE', 'NEWOBJ', 'NONE', 'EMPTY_DICT', 'TUPLE2', 'BUILD', 'STOP').bytes(),
      /gives an object slots instead/,
    );
    await refuse(
      svm().emit('EMPTY_DICT', 'BUILD', 'STOP').bytes(),
      /gives state to something that takes none/,
    );
    const reconstructor = () => start().global('copyreg', '_reconstructor');
    await refuse(
      reconstructor()
        .global('sklearn.svm._classes', 'OneClassSVM')
        .global('builtins', 'dict')
        .emit('EMPTY_DICT', 'TUPLE3', 'REDUCE', 'STOP')
        .bytes(),
      /of a class that extends a built-in one/,
    );
    await refuse(
      reconstructor()
        .global('copyreg', '_reconstructor')
        .global('builtins', 'object')
        .emit('NONE', 'TUPLE3', 'REDUCE', 'STOP')
        .bytes(),
      /of a class that extends a built-in one/,
    );
  });

  it('say what to do about honest files that hold something else', async () => {
    const naming = (module: string, name: string) => start().global(module, name).emit('STOP').bytes();
    await refuse(
      naming('sklearn.svm._classes', 'SVC'),
      /of scikit-learn OneClassSVM and StandardScaler are read/,
    );
    await refuse(naming('sklearn.pipeline', 'Pipeline'), /dump each of them into a file of its own/);
    await refuse(naming('scipy.sparse._csr', 'csr_matrix'), /fit the detector on dense features/);
    await refuse(naming('numpy.random._pickle', '__randomstate_ctor'), /set its random_state to None/);
    await refuse(naming('joblib.numpy_pickle', 'NDArrayWrapper'), /joblib before 0\.10 wrote it/);
    await refuse(start().emit('EMPTY_LIST', 'STOP').bytes(), /holds a list and no estimator/);
    await refuse('', /is empty/);
    await refuse('version https://git-lfs.github.com/spec/v1\n', /is a Git LFS pointer/);
    await refuse('<!DOCTYPE html><html></html>', /is a web page/);
    await refuse('PK\x03\x04', /is neither a joblib file nor a pickle \(it begins with the bytes 504b0304\)/);
    for (const [name, head] of [
      ['xz', '\xfd7zXZ\0'],
      ['bz2', 'BZh9'],
      ['lzma', ']\0\0\x80'],
      ['lz4', '\x04"M\x18'],
      ["joblib's old ZF format", 'ZF0x337   '],
    ])
      await refuse(
        Buffer.from(head, 'latin1'),
        new RegExp(`is compressed with ${name}, which is not read; .*compress=3`),
      );
    await expectRefusal(
      readJoblib(temporaryPath('none.joblib')),
      temporaryPath('none.joblib'),
      /does not exist/,
    );
  });

  it('are refused where they are cut short anywhere, compressed or not', async () => {
    for (const storage of storages) {
      const whole = svmFile({}, storage);
      for (let length = 1; length < whole.length; length += 1 + Math.floor(whole.length / 200))
        await refuse(whole.subarray(0, length), /cut short/);
    }
    for (const packed of [deflateSync(svmFile()), gzipSync(svmFile())])
      for (let length = 10; length < packed.length; length += 7)
        await refuse(packed.subarray(0, length), /is damaged: its (zlib|gzip) data cannot be unpacked/);
  });

  it('are refused where they unpack to far more than they are', () =>
    refuse(
      deflateSync(new Uint8Array(4 << 20)),
      /is a compression bomb: \d+ bytes unpack to more than 1048576/,
    ));

  const refusedArrays: readonly (readonly [what: string, recipe: ArrayRecipe, message: RegExp])[] = [
    [
      'huge sizes',
      { shape: [2 ** 40, 2] },
      /is cut short|17592186044416 bytes by its shape, and there are 0/,
    ],
    ['sizes whose product overflows', { shape: [2 ** 52, 2 ** 52] }, /an array of more than 2\^53 bytes/],
    ['sizes beyond 2^53', { shape: [2n ** 60n, 1] }, /a size that is no natural number/],
    ['negative sizes', { shape: [-2, -2] }, /a size that is no natural number/],
    ['objects', { shape: [1], dtype: 'O8', bytes: new Uint8Array(8) }, /of dtype O8, which is not read/],
    ['text', { shape: [1], dtype: 'U4', bytes: new Uint8Array(16) }, /of dtype U4/],
    ['records', { shape: [1], dtype: 'V16', bytes: new Uint8Array(16) }, /of dtype V16/],
    ['complex numbers', { shape: [1], dtype: 'c16', bytes: new Uint8Array(16) }, /of dtype c16/],
    ["dtypes that JavaScript's objects have", { shape: [1], dtype: 'constructor' }, /of dtype constructor/],
  ];
  for (const [what, recipe, message] of refusedArrays)
    it(`are refused with arrays of ${what}`, async () => {
      for (const storage of storages)
        await refuse(svmFile({ support_vectors_: recipe }, storage), /at byte \d+: /, message);
    });

  it('are refused where the bytes of an array are not as many as its shape says', async () => {
    for (const storage of ['pickle', 'buffer'] satisfies Storage[])
      for (const length of [0, 24, 40])
        await refuse(
          svmFile({ support_vectors_: { shape: [2, 2], bytes: new Uint8Array(length) } }, storage),
          new RegExp(`an array of 32 bytes by its shape, and there are ${length}`),
        );
  });

  it('are refused where parts of an array are of other types', async () => {
    const wrapper = (write: (pickle: PickleAssembler) => PickleAssembler): Attribute => {
      return (pickle) => {
        pickle.global('joblib.numpy_pickle', 'NumpyArrayWrapper').emit('EMPTY_TUPLE', 'NEWOBJ');
        write(pickle).emit('BUILD');
      };
    };
    const f8 = (pickle: PickleAssembler) =>
      pickle.global('numpy', 'dtype').string('f8').emit('TUPLE1', 'REDUCE');
    const dict = (pickle: PickleAssembler) => pickle.emit('EMPTY_DICT', 'MARK').string('order').string('C');
    const refuseWrapper = (write: (pickle: PickleAssembler) => PickleAssembler, message: RegExp) =>
      refuse(svmFile({ support_vectors_: wrapper(write) }), message);
    await refuseWrapper((pickle) => pickle.emit('EMPTY_DICT'), /in neither C nor Fortran order/);
    await refuseWrapper((pickle) => pickle.emit('NONE'), /gives an object None instead/);
    await refuseWrapper((pickle) => dict(pickle).emit('SETITEMS'), /an array without a dtype/);
    await refuseWrapper((pickle) => f8(dict(pickle).string('dtype')).emit('SETITEMS'), /whose shape is None/);
    await refuseWrapper(
      (pickle) => f8(dict(pickle).string('dtype')).string('shape').string('2').emit('TUPLE1', 'SETITEMS'),
      /a size that is no natural number/,
    );
    const { length } = svmFile();
    await refuse(
      svmFile().fill(0xff, length - 40),
      /is cut short|unknown pickle instruction|behind its pickle|names/,
    );
  });

  it('become detectors of finite numbers, or are refused, whatever is damaged', async () => {
    const scaler = { mean: new Float64Array(2), scale: new Float64Array(2).fill(1) };
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...storages), damage, async (storage, changes) => {
        const bytes = Uint8Array.from(svmFile({}, storage));
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const detector = await temporaryFile(bytes, 'damaged.joblib');
        try {
          const [{ gamma, rho, alpha, supportVectors }] = await readSklearnDetectors([
            { tap: 'a', detector, scaler },
          ]);
          for (const value of [gamma, rho, ...alpha, ...supportVectors])
            expect(value).to.satisfy(Number.isFinite);
        } catch (error) {
          if (!(error instanceof DetectorError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
    expect(existsSync(marker())).to.equal(false);
  });
});
