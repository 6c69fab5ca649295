import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { writeFeatures } from '../../converters/hdf5/write-features.ts';
import { readSklearnDetectors } from '../../converters/sklearn/read-sklearn-detectors.ts';
import { DetectorError } from '../../src/common/errors.ts';
import { detectorsModel, detectorsOfModel } from '../../src/detectors/detectors-model.ts';
import type { LayerSvm } from '../../src/detectors/layer-svm.ts';
import { fitStandardScaler, type StandardScaler } from '../../src/detectors/standard-scaler.ts';
import { readModel } from '../../src/graph/read.ts';
import { laOod } from '../cli/run.ts';
import { runModel } from '../graph/models.ts';
import { python } from './python.ts';

/** Largest difference of a score. Sums of up to a thousand float32 products, of detectors read to float32. */
const TOLERANCE = 1e-4;

interface Written {
  /** Names of the ways in which each detector and scaler was written. */
  writers: string[];
  layers: { width: number; nu: number; gamma: number; supportVectors: number }[];
  refused: string[];
}

describe('detectors and scikit-learn', () => {
  let folder: string;
  let written: Written;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-parity-'));
    written = await python<Written>('sklearn-files.py', folder);
  });

  after(() => rm(folder, { recursive: true, force: true }));

  it('score alike however joblib and pickle wrote them', async () => {
    const points = await Promise.all(written.layers.map((_, l) => floats(`${l}.points`)));
    const expected = await Promise.all(written.layers.map((_, l) => doubles(`${l}.scores`)));
    let first: LayerSvm[] | undefined;
    for (const writer of written.writers) {
      const detectors = await read(writer, (l) => join(folder, `${writer}-${l}.scaler`));
      // The same numbers however they are stored: what one scores, all score.
      if (first) {
        expect(detectors, writer).to.deep.equal(first);
        continue;
      }
      first = detectors;
      for (const [l, { width, nu, gamma, alpha }] of detectors.entries())
        expect({ width, nu, gamma, supportVectors: alpha.length }).to.deep.equal(written.layers[l]);
      expect(await worst(detectors, points, expected)).to.be.below(TOLERANCE);
    }
    expect(written.writers).to.have.length(16);
  });

  it('score alike with a scaler that is fitted here, as the original keeps none', async () => {
    const scalers = await Promise.all(
      written.layers.map(async ({ width }, l) => fitStandardScaler(await floats(`${l}.features`), width)),
    );
    const points = await Promise.all(written.layers.map((_, l) => floats(`${l}.points`)));
    const expected = await Promise.all(written.layers.map((_, l) => doubles(`${l}.scores`)));
    const detectors = await read('joblib', (l) => scalers[l]);
    expect(await worst(detectors, points, expected)).to.be.below(TOLERANCE);
  });

  it("move over from the original's folder by la-ood fit --from", async () => {
    const columns = await Promise.all(written.layers.map((_, l) => floats(`${l}.features`)));
    const widths = written.layers.map(({ width }) => width);
    const count = columns[0].length / widths[0];
    const [run, saved] = [join(folder, 'run'), join(folder, 'cifar10_best')];
    await mkdir(join(run, 'features'), { recursive: true });
    await mkdir(saved);
    await writeFeatures(join(run, 'features', 'cifar10_train.hdf5'), { widths, count }, (append) =>
      append(columns),
    );
    for (const l of widths.keys())
      await copyFile(join(folder, `joblib-${l}.joblib`), join(saved, `${l}.joblib`));
    const { exitCode, stdout, stderr } = await laOod('fit', '--run', run, '--from', saved);
    expect(exitCode, stderr).to.equal(0);
    expect(stdout).to.match(/detectors of .*cifar10_best, read without executing anything\./);
    const file = join(run, 'detectors.onnx');
    const detectors = detectorsOfModel(await readModel(file), file);
    const points = await Promise.all(written.layers.map((_, l) => floats(`${l}.points`)));
    const expected = await Promise.all(written.layers.map((_, l) => doubles(`${l}.scores`)));
    expect(await worst(detectors, points, expected)).to.be.below(TOLERANCE);

    await rm(join(saved, '1.joblib'));
    const missing = await laOod('fit', '--run', run, '--from', saved);
    expect(missing.exitCode).to.equal(1);
    expect(missing.stderr).to.match(/^\S*1\.joblib: /);
  });

  it('are refused by name where they are of another kind', async () => {
    const messages: Record<string, RegExp> = {
      kernel: /kernel: is linear, and only rbf can be imported/,
      unfitted: /support_vectors_: is missing: it is not fitted/,
      sparse: /names scipy\.sparse.*fit the detector on dense features/,
      class: /names sklearn\.svm\._classes\.SVC, .*OneClassSVM and StandardScaler are read/,
      pipeline: /names sklearn\.pipeline\.Pipeline, .*dump each of them into a file of its own/,
      random: /names numpy\.random.*set its random_state to None/,
      list: /holds a list and no estimator/,
      array: /holds an object of numpy\.ndarray and no estimator/,
      objects: /holds an array of dtype O8, which is not read/,
      xz: /is compressed with xz, which is not read/,
      bz2: /is compressed with bz2, which is not read/,
    };
    const scaler = { mean: new Float64Array(4), scale: new Float64Array(4).fill(1) };
    for (const name of written.refused) {
      const detector = join(folder, `${name}.joblib`);
      const error = await readSklearnDetectors([{ tap: '0', detector, scaler }]).catch((thrown) => thrown);
      expect(error, name).to.be.instanceOf(DetectorError);
      expect(error.message, name).to.match(messages[name]);
    }
    expect(written.refused).to.have.members(Object.keys(messages));
  });

  function read(writer: string, scaler: (layer: number) => string | StandardScaler) {
    return readSklearnDetectors(
      written.layers.map((_, l) => ({
        tap: `layer${l}`,
        detector: join(folder, `${writer}-${l}.joblib`),
        scaler: scaler(l),
      })),
    );
  }

  async function floats(file: string): Promise<Float32Array> {
    return new Float32Array(new Uint8Array(await readFile(join(folder, file))).buffer);
  }

  async function doubles(file: string): Promise<Float64Array> {
    return new Float64Array(new Uint8Array(await readFile(join(folder, file))).buffer);
  }
});

/** Largest difference between what the detectors score in onnxruntime and what they should. */
async function worst(
  detectors: readonly LayerSvm[],
  points: readonly Float32Array[],
  expected: readonly Float64Array[],
): Promise<number> {
  const feeds = Object.fromEntries(
    detectors.map(({ tap, width }, l) => [tap, { data: points[l], dims: [points[l].length / width, width] }]),
  );
  const { layer_scores } = await runModel(detectorsModel(detectors), feeds);
  const scores = layer_scores.data as Float32Array;
  const differences = expected.flatMap((column, l) =>
    Array.from(column, (score, i) => Math.abs(score - scores[i * detectors.length + l])),
  );
  return Math.max(...differences);
}
