import { DetectorError, LaOodError } from '../../src/common/errors.ts';
import { unpickle } from '../../src/common/pickle/machine.ts';
import { type PickleValue, typeName } from '../../src/common/pickle/values.ts';
import { printable } from '../../src/common/printable.ts';
import { CheckpointFile, FETCH_AGAIN } from '../pytorch/file.ts';
import { decompress } from './decompress.ts';
import { joblibDialect, SklearnEstimator } from './joblib-pickle.ts';

/**
 * Reads a fitted OneClassSVM or StandardScaler that `joblib.dump` or `pickle.dump` wrote, in any protocol, plain or
 * compressed with zlib or gzip, and executes nothing in it.
 *
 * @returns the estimator's class and attributes, none of them checked yet
 * @throws DetectorError on whatever is damaged, hostile, unsupported or something else
 */
export async function readJoblib(path: string): Promise<SklearnEstimator> {
  const estimator = await asDetectorErrors(async () => {
    const bytes = await decompress(await readWhole(path), path);
    checkBeginning(bytes, path);
    const { value, end } = unpickle(bytes, joblibDialect, path);
    if (end !== bytes.length)
      throw new DetectorError(
        path,
        `has ${bytes.length - end} bytes behind its pickle`,
        'dump each estimator into a file of its own',
      );
    return value;
  });
  if (!(estimator instanceof SklearnEstimator)) return refuse(path, estimator);
  return estimator;
}

async function readWhole(path: string): Promise<Uint8Array> {
  const file = await CheckpointFile.open(path);
  try {
    return await file.read(0, file.size);
  } finally {
    await file.close();
  }
}

/** Errors of the pickle machine and of the file name checkpoints; here they name detectors. */
async function asDetectorErrors<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof LaOodError) throw new DetectorError(error.where, error.problem, error.remedy, error);
    throw error;
  }
}

/** Objects begin with PROTO, or in protocols 0 and 1 with GLOBAL; other pickles with a container or a constant. */
function checkBeginning(bytes: Uint8Array, path: string): void {
  const head = Buffer.from(bytes.subarray(0, 512)).toString('latin1');
  if (!head) throw new DetectorError(path, 'is empty', FETCH_AGAIN);
  if (head.startsWith('version https://git-lfs'))
    throw new DetectorError(path, 'is a Git LFS pointer, not the file itself', 'fetch it with git lfs pull');
  if (/^\W*<(!doctype|html|head|\?xml)/i.test(head))
    throw new DetectorError(
      path,
      'is a web page',
      'download the file itself: the link showed a page instead',
    );
  if (!/^[\x80c(\]})]/.test(head)) {
    const start = Buffer.from(bytes.subarray(0, 4)).toString('hex');
    throw new DetectorError(
      path,
      `is neither a joblib file nor a pickle (it begins with the bytes ${start})`,
      'give what joblib.dump wrote',
    );
  }
}

function refuse(path: string, value: PickleValue): never {
  throw new DetectorError(
    path,
    `holds ${printable(typeName(value))} and no estimator`,
    'dump each OneClassSVM and StandardScaler into a file of its own',
  );
}
