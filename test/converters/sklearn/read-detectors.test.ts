import { deflateSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  readSklearnDetectors,
  type SklearnLayer,
} from '../../../converters/sklearn/read-sklearn-detectors.ts';
import { PickleAssembler } from '../../../src/common/pickle/assembler.ts';
import { detectorsModel, detectorsOfModel } from '../../../src/detectors/detectors-model.ts';
import { decodeModel } from '../../../src/graph/read.ts';
import { encodeModel } from '../../../src/graph/write.ts';
import { runModel } from '../../graph/models.ts';
import {
  type AttributeTable,
  estimatorFile,
  expectRefusal,
  type Storage,
  scalerAttributes,
  scalerFile,
  soundDetector,
  svmAttributes,
  svmFile,
  temporaryFile,
  writeAttribute,
} from './fixtures.ts';

async function read(svm: Uint8Array = svmFile(), scaler: Uint8Array = scalerFile()) {
  return (await readSklearnDetectors([await layer(svm, scaler)]))[0];
}

async function layer(svm = svmFile(), scaler = scalerFile()): Promise<SklearnLayer> {
  return {
    tap: 'conv1',
    detector: await temporaryFile(svm),
    scaler: await temporaryFile(scaler, 'scaler.joblib'),
  };
}

describe('detectors of scikit-learn', () => {
  for (const storage of ['joblib', 'joblib 0.10', 'pickle', 'buffer'] satisfies Storage[])
    it(`are read where arrays are stored as by ${storage}`, async () => {
      expect(await read(svmFile({}, storage), scalerFile({}, storage))).to.deep.equal(soundDetector);
    });

  it('are read where joblib compressed them', async () => {
    expect(await read(deflateSync(svmFile()), gzipSync(scalerFile()))).to.deep.equal(soundDetector);
  });

  it('are read from scikit-learn before 0.22, with the joblib that it brought', async () => {
    const renamed = (file: Uint8Array) =>
      Buffer.from(
        Buffer.from(file).toString('latin1').replaceAll('cjoblib.', 'csklearn.externals.joblib.'),
        'latin1',
      );
    const svm = estimatorFile('sklearn.svm.classes', 'OneClassSVM', svmAttributes, 'joblib 0.10');
    const scaler = estimatorFile(
      'sklearn.preprocessing.data',
      'StandardScaler',
      scalerAttributes,
      'joblib 0.10',
    );
    expect(await read(renamed(svm), renamed(scaler))).to.deep.equal(soundDetector);
  });

  it('are read from protocol 0, where objects are reconstructed and bytes are lines of text', async () => {
    const width = 1000;
    const line = Buffer.from(`${'\\u0000'.repeat(8 * width)}\n`);
    const pickle = new PickleAssembler().global('copy_reg', '_reconstructor').emit('MARK');
    pickle.global('sklearn.svm._classes', 'OneClassSVM').global('__builtin__', 'object');
    pickle.emit('NONE', 'TUPLE', 'REDUCE', 'EMPTY_DICT', 'MARK');
    const attributes: AttributeTable = {
      ...svmAttributes,
      _dual_coef_: { shape: [1, 1], values: [1] },
      support_vectors_: (at) => {
        at.global('numpy.core.multiarray', '_reconstruct').global('numpy', 'ndarray').ints([0]);
        at.string('b').emit('TUPLE3', 'REDUCE', 'MARK').int(1).ints([1, width]);
        at.global('numpy', 'dtype').string('f8').emit('TUPLE1', 'REDUCE', 'NEWFALSE');
        at.global('_codecs', 'encode').emit('UNICODE', line).string('latin1').emit('TUPLE2', 'REDUCE');
        at.emit('TUPLE', 'BUILD');
      },
    };
    for (const [name, value] of Object.entries(attributes))
      writeAttribute(pickle.string(name), value, 'pickle');
    const svm = pickle.emit('SETITEMS', 'BUILD', 'STOP').bytes();
    const scaler = { mean: new Float64Array(width), scale: new Float64Array(width).fill(1) };
    const [{ supportVectors }] = await readSklearnDetectors([{ ...(await layer(svm)), scaler }]);
    expect(supportVectors).to.deep.equal(new Float32Array(width));
  });

  it('are read by the public attributes where there are no others', async () => {
    const { _gamma, _dual_coef_, _intercept_, ...others } = svmAttributes;
    const attributes = { ...others, gamma: _gamma, dual_coef_: _dual_coef_, intercept_: _intercept_ };
    expect(await read(estimatorFile('sklearn.svm._classes', 'OneClassSVM', attributes))).to.deep.equal(
      soundDetector,
    );
  });

  it('are read in Fortran order, float32 and big-endian', async () => {
    for (const storage of ['joblib', 'pickle', 'buffer'] satisfies Storage[]) {
      const byColumns = { shape: [2, 2], values: [0.5, 1.5, -1, 2], order: 'F' } as const;
      const columns = await read(svmFile({ support_vectors_: byColumns }, storage));
      expect(columns, storage).to.deep.equal(soundDetector);
      for (const dtype of ['f4', 'f8']) {
        const bigEndian = { ...svmAttributes.support_vectors_, dtype, bigEndian: true };
        const other = await read(svmFile({ support_vectors_: bigEndian }, storage));
        expect(other, `${storage} ${dtype}`).to.deep.equal(soundDetector);
      }
    }
  });

  it('score −decision_function, in the file of detectors', async () => {
    const detectors = [await read(), { ...(await read(svmFile({ _gamma: 2 }))), tap: 'conv2' }];
    const model = decodeModel(encodeModel(detectorsModel(detectors)), 'detectors.onnx');
    const points = Float32Array.of(1, -2, 1.5, 4, -3, 9);
    const feature = { data: points, dims: [3, 2] };
    const { layer_scores } = await runModel(model, { conv1: feature, conv2: feature });
    const { scaler, supportVectors: vectors, alpha, rho } = soundDetector;
    const score = (i: number, gamma: number) => {
      const z = [0, 1].map((j) => (points[2 * i + j] - scaler.mean[j]) / scaler.scale[j]);
      const kernel = (j: number) =>
        Math.exp(-gamma * ((vectors[2 * j] - z[0]) ** 2 + (vectors[2 * j + 1] - z[1]) ** 2));
      return rho - alpha[0] * kernel(0) - alpha[1] * kernel(1);
    };
    const expected = [0, 1, 2].flatMap((i) => [score(i, 0.25), score(i, 2)]);
    Array.from(layer_scores.data as Float32Array).forEach((value, i) => {
      expect(value).to.be.closeTo(expected[i], 1e-6);
    });
    const back = detectorsOfModel(model, 'detectors.onnx');
    expect(back[0]).to.deep.equal({ ...soundDetector, fit: undefined });
  });

  it('take a scaler that is no file, or leaves out the mean or the deviation', async () => {
    const [given] = await readSklearnDetectors([{ ...(await layer()), scaler: soundDetector.scaler }]);
    expect(given).to.deep.equal(soundDetector);
    const zeros = Float64Array.of(0, 0);
    const ones = Float64Array.of(1, 1);
    const { mean, scale } = soundDetector.scaler;
    expect((await read(svmFile(), scalerFile({ with_mean: false }))).scaler).to.deep.equal({
      mean: zeros,
      scale,
    });
    const unscaled = scalerFile({ with_std: false, scale_: null });
    expect((await read(svmFile(), unscaled)).scaler).to.deep.equal({ mean, scale: ones });
  });

  const svmRefusals: readonly (readonly [what: string, changes: AttributeTable, message: RegExp])[] = [
    ['other kernels', { kernel: 'poly' }, /0\.joblib: kernel: is poly, and only rbf can be imported; fit it/],
    ['no kernel', { kernel: null }, /kernel: is missing/],
    ['sparse features', { _sparse: true }, /_sparse: is True: it was fitted on sparse features/],
    [
      'one that is not fitted',
      { support_vectors_: null },
      /support_vectors_: is missing: it is not fitted; dump it after fit/,
    ],
    ['no support vectors', { support_vectors_: { shape: [0, 2] } }, /is empty \(0 × 2\)/],
    [
      'support vectors of integers',
      { support_vectors_: { shape: [1, 2], dtype: 'i8', values: [1, 2] } },
      /is of dtype i8/,
    ],
    [
      'support vectors that are no matrix',
      { support_vectors_: { shape: [4], values: [1, 2, 3, 4] } },
      /has the shape \(4\) instead of 2 axes/,
    ],
    ['support vectors that are no array', { support_vectors_: 'many' }, /is "many", not an array/],
    [
      'support vectors that are not finite',
      { support_vectors_: { shape: [2, 2], values: [1, 2, NaN, 4] } },
      /has the element NaN at 2/,
    ],
    [
      'support vectors beyond float32',
      { support_vectors_: { shape: [2, 2], values: [1, 2, 3, -1e300] } },
      /has the element -1e\+300 at 3/,
    ],
    [
      'other numbers of coefficients',
      { _dual_coef_: { shape: [1, 3], values: [1, 2, 3] } },
      /_dual_coef_: has the shape \(1,3\), and there are 2 support vectors/,
    ],
    [
      'coefficients of several classes',
      { _dual_coef_: { shape: [2, 2], values: [1, 2, 3, 4] } },
      /has the shape \(2,2\)/,
    ],
    [
      'negative coefficients',
      { _dual_coef_: { shape: [1, 2], values: [1, -2] } },
      /has the negative element -2/,
    ],
    [
      'several intercepts',
      { _intercept_: { shape: [2], values: [1, 2] } },
      /_intercept_: has 2 elements instead of one/,
    ],
    ['gamma that is not positive', { _gamma: 0 }, /gamma: is 0, not above 0/],
    ['gamma that is no number', { _gamma: 'auto' }, /_gamma: is "auto", not a finite number/],
    ['nu above 1', { nu: 1.5 }, /nu: is 1\.5/],
  ];
  for (const [what, changes, message] of svmRefusals)
    it(`are refused with ${what}`, async () => {
      const given = await layer(svmFile(changes));
      await expectRefusal(readSklearnDetectors([given]), given.detector, message);
    });

  it('are refused with scalers that are none, or do not fit', async () => {
    const refuse = async (scaler: Uint8Array, message: RegExp) => {
      const given = await layer(svmFile(), scaler);
      await expectRefusal(readSklearnDetectors([given]), given.scaler as string, message);
    };
    await refuse(svmFile(), /holds a OneClassSVM, not a StandardScaler; name a StandardScaler/);
    const wide = { shape: [3], values: [1, 2, 3] };
    await refuse(
      scalerFile({ mean_: wide, scale_: wide }),
      /is for 3 channels, and .*0\.joblib for 2; take both/,
    );
    await refuse(scalerFile({ scale_: wide }), /is for 2 channels/);
    await refuse(
      scalerFile({ scale_: { shape: [2], values: [1, 0] } }),
      /scale_: has the element 0 at 1, not above 0/,
    );
    await refuse(scalerFile({ with_mean: false, with_std: false }), /mean_: is empty or unused/);
  });

  it('are refused twice for one layer', async () => {
    const given = await layer();
    await expectRefusal(
      readSklearnDetectors([given, given]),
      given.detector,
      /second detector of layer conv1/,
    );
  });

  it('are read whatever their numbers, shapes and storage', async () => {
    const value = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 });
    const problem = fc
      .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 5 }))
      .chain(([count, width]) =>
        fc.record({
          shape: fc.constant([count, width] as const),
          vectors: fc.array(value, { minLength: count * width, maxLength: count * width }),
          storage: fc.constantFrom<Storage>('joblib', 'joblib 0.10', 'pickle', 'buffer'),
          order: fc.constantFrom('C', 'F'),
          bigEndian: fc.boolean(),
        }),
      );
    await fc.assert(
      fc.asyncProperty(problem, async ({ shape, vectors, storage, order, bigEndian }) => {
        const [count, width] = shape;
        const stored =
          order === 'C'
            ? vectors
            : vectors.map((_, at) => vectors[(at % count) * width + Math.floor(at / count)]);
        const svm = svmFile(
          {
            support_vectors_: { shape, values: stored, order, bigEndian },
            _dual_coef_: { shape: [1, count], values: vectors.slice(0, count).map(Math.abs) },
          },
          storage,
        );
        const scaler = { mean: new Float64Array(width), scale: new Float64Array(width).fill(1) };
        const detector = await temporaryFile(svm, 'random.joblib');
        const [{ supportVectors }] = await readSklearnDetectors([{ tap: 'a', detector, scaler }]);
        expect(supportVectors).to.deep.equal(Float32Array.from(vectors));
      }),
      { numRuns: 60 },
    );
  });
});
