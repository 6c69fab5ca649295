import { createRequire } from 'node:module';
import { DeviceError, option } from '../../common/errors.ts';
import { packageRoot } from '../../common/package-root.ts';
import type { TrainingEngineName } from '../engine.ts';

/** TensorFlow.js, whichever of its packages it came from. */
export type TensorFlow = typeof import('@tensorflow/tfjs-core');

export type TensorFlowName = Exclude<TrainingEngineName, 'onnx'>;

const require = createRequire(import.meta.url);

/**
 * Loads a package of TensorFlow.js.
 *
 * @throws DeviceError where it is not installed, or does not work
 */
export function openTensorFlow(name: TensorFlowName): TensorFlow {
  const { tf, problem } = loadTensorFlow(name);
  if (tf) return tf;
  throw new DeviceError(
    option('engine', name),
    problem ? `does not work here (${problem})` : 'is not installed',
    'leave it out: onnxruntime trains without it; docs/training.md says how to install it',
  );
}

/** Loads a package, and computes a sum: those built for another version of Node load and cannot compute. */
export function loadTensorFlow(name: TensorFlowName): { tf?: TensorFlow; problem?: string } {
  // TensorFlow says on standard error which processor features it uses.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  try {
    require.resolve(`@tensorflow/${name}/package.json`);
  } catch {
    return {};
  }
  try {
    const tf = silently<TensorFlow>(() => {
      const loaded: TensorFlow = require(`@tensorflow/${name}`);
      loaded.setBackend('tensorflow');
      return loaded;
    });
    const sum = tf.tidy(() => silently(() => tf.add(1, 2).dataSync()[0]));
    return sum === 3 ? { tf } : { problem: `adds 1 and 2 to ${sum}` };
  } catch (error) {
    const [first] = (error as Error).message.split('\n');
    return { problem: first.replaceAll(new URL(packageRoot).pathname, '') };
  }
}

/** TensorFlow.js warns, on the console, of every kernel that two of its packages have. */
function silently<T>(work: () => T): T {
  const { warn } = console;
  console.warn = () => {};
  try {
    return work();
  } finally {
    console.warn = warn;
  }
}
