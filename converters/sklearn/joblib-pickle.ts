import { NumpyDtype } from '../../src/common/pickle/numpy.ts';
import {
  arrayLayout,
  fillArray,
  NumpyArray,
  numpyArrayGlobals,
} from '../../src/common/pickle/numpy-array.ts';
import { pythonGlobals } from '../../src/common/pickle/python.ts';
import {
  type GlobalHandler,
  type GlobalTable,
  type PickleContext,
  type PickleDialect,
  type PickleDict,
  PickleGlobal,
  PickleObject,
  PickleTuple,
  type PickleValue,
  typeName,
} from '../../src/common/pickle/values.ts';

/** A scikit-learn estimator: its class and its attributes. */
export class SklearnEstimator extends PickleObject {
  /** The object's `__dict__`; empty until BUILD has given it. */
  attributes: PickleDict = new Map();

  constructor(readonly name: string) {
    super(`sklearn's ${name}`);
  }
}

/** joblib's stand-in for an array whose bytes follow in the file, `joblib.numpy_pickle.NumpyArrayWrapper`. */
class ArrayWrapper extends PickleObject {
  constructor() {
    super('joblib.numpy_pickle.NumpyArrayWrapper');
  }
}

const oneClassSvm = { OneClassSVM: estimator('OneClassSVM') };
const standardScaler = { StandardScaler: estimator('StandardScaler') };
const numpyPickle = { NumpyArrayWrapper: withoutArguments(() => new ArrayWrapper()) };
/** The base class in `copyreg._reconstructor(class, object, None)`, which makes objects in protocols 0 and 1. */
const builtins = { ...pythonGlobals.builtins, object: null };
const copyreg = { _reconstructor: reconstruct };

/** Modules got their underscores in scikit-learn 0.22, which also stopped bringing a joblib of its own. */
const globals: GlobalTable = {
  ...pythonGlobals,
  ...numpyArrayGlobals,
  builtins,
  __builtin__: builtins,
  copyreg,
  copy_reg: copyreg,
  'sklearn.svm._classes': oneClassSvm,
  'sklearn.svm.classes': oneClassSvm,
  'sklearn.preprocessing._data': standardScaler,
  'sklearn.preprocessing.data': standardScaler,
  'joblib.numpy_pickle': numpyPickle,
  'sklearn.externals.joblib.numpy_pickle': numpyPickle,
};

/** The pickles of `joblib.dump` (since joblib 0.10) and `pickle.dump` with a fitted OneClassSVM or StandardScaler. */
export const joblibDialect: PickleDialect = {
  globals,
  // Protocols 0 to 2 hold the bytes of arrays as text.
  maxString: 256 << 20,
  unknownGlobalRemedy,
  build,
};

function estimator(name: string): GlobalHandler {
  return withoutArguments(() => new SklearnEstimator(name));
}

function withoutArguments(make: () => PickleObject): GlobalHandler {
  return (args, machine) => {
    if (args.length) machine.fail('makes an object with arguments, which was not executed');
    return make();
  };
}

function reconstruct([type, base, state]: readonly PickleValue[], machine: PickleContext): PickleValue {
  if (!(base instanceof PickleGlobal) || base.name !== 'object' || state !== null)
    machine.fail('makes an object of a class that extends a built-in one');
  return machine.call(type, []);
}

function build(object: PickleValue, state: PickleValue, machine: PickleContext): PickleValue {
  if (object instanceof ArrayWrapper) return readInline(asDict(state, machine), machine);
  if (object instanceof NumpyDtype) object.state = state;
  else if (object instanceof NumpyArray) fillArray(object, state, machine);
  else if (object instanceof SklearnEstimator) object.attributes = asDict(state, machine);
  else machine.fail('gives state to something that takes none, which was not executed');
  return object;
}

/**
 * An array whose bytes follow the BUILD of its wrapper, as `NumpyArrayWrapper.read_array` reads it. Since joblib 1.2
 * one byte says how many bytes of padding come first, so that the array can be mapped into memory.
 */
function readInline(wrapper: PickleDict, machine: PickleContext): NumpyArray {
  const order = wrapper.get('order');
  if (order !== 'C' && order !== 'F') machine.fail('holds an array in neither C nor Fortran order');
  const { byteLength, ...layout } = arrayLayout(wrapper.get('shape'), wrapper.get('dtype'), machine);
  if ((wrapper.get('numpy_array_alignment_bytes') ?? null) !== null) machine.take(machine.take(1)[0]);
  return new NumpyArray({ ...layout, order, bytes: machine.take(byteLength) });
}

function asDict(state: PickleValue, machine: PickleContext): PickleDict {
  if (!(state instanceof Map)) {
    const what = state instanceof PickleTuple ? 'slots' : typeName(state);
    machine.fail(`gives an object ${what} instead of its attributes, which was not executed`);
  }
  return state;
}

function unknownGlobalRemedy(module: string, name: string): string {
  if (/joblib\.numpy_pickle$/.test(module) && /^Z?NDArrayWrapper$/.test(name))
    return 'joblib before 0.10 wrote it: load it with joblib.load and dump it again';
  if (module.startsWith('scipy.sparse'))
    return 'fit the detector on dense features: sparse arrays are not read';
  if (module.startsWith('numpy.random')) return 'set its random_state to None and dump it again';
  return /^sklearn\.(?!externals)/.test(module)
    ? 'of scikit-learn OneClassSVM and StandardScaler are read: dump each of them into a file of its own'
    : 'a detector needs no such name: do not trust this file';
}
