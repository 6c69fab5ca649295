import { createRequire } from 'node:module';
import { DeviceError } from '../common/errors.ts';
import { packageRoot } from '../common/package-root.ts';

/** TensorFlow.js, whichever of its packages it came from. */
export type TensorFlow = typeof import('@tensorflow/tfjs-core');

/** What can train, the fastest first; each is an optional package. */
export const trainingBackendNames = ['tfjs-node-gpu', 'tfjs-node', 'tfjs-backend-cpu'] as const;
export type TrainingBackendName = (typeof trainingBackendNames)[number];

/** TensorFlow.js, ready to compute. */
export interface TrainingBackend {
  readonly name: TrainingBackendName;
  readonly tf: TensorFlow;
  /** What the user should know before waiting for it. */
  readonly warning?: string;
}

export interface TrainingBackendExamination {
  readonly backend: TrainingBackendName;
  readonly works: boolean;
  /** Why it does not; nothing where it is only not installed. */
  readonly problem?: string;
}

const require = createRequire(import.meta.url);

/**
 * Loads the fastest backend that works here. The packages are loaded by this call, and by nothing else in the program.
 *
 * @param only the backend to take; the first that works where absent
 * @throws DeviceError where none works
 */
export function openTrainingBackend(only?: TrainingBackendName): TrainingBackend {
  const problems: string[] = [];
  for (const name of only ? [only] : trainingBackendNames) {
    const { tf, problem } = load(name);
    if (tf) return { name, tf, warning: warningOf(name) };
    if (problem) problems.push(`${name}: ${problem}`);
  }
  throw new DeviceError(
    'training',
    problems.length > 0 ? `TensorFlow.js does not work here (${problems.join('; ')})` : 'needs TensorFlow.js',
    // Its install script fetches TensorFlow; a clone's .npmrc lets none run.
    'npm install --ignore-scripts=false @tensorflow/tfjs-node@4.22.0 in the folder that la-ood is installed in; la-ood doctor tells more',
  );
}

/** Tries every backend, the fastest first: training takes the first that works. */
export function examineTrainingBackends(): TrainingBackendExamination[] {
  return trainingBackendNames.map((backend) => {
    const { tf, problem } = load(backend);
    return { backend, works: tf !== undefined, problem };
  });
}

function warningOf(name: TrainingBackendName): string | undefined {
  return name === 'tfjs-backend-cpu'
    ? 'TensorFlow.js runs in plain JavaScript here, a hundred times slower than @tensorflow/tfjs-node; la-ood doctor tells why'
    : undefined;
}

/** Loads a package, and computes a sum: those built for another version of Node load and cannot compute. */
function load(name: TrainingBackendName): { tf?: TensorFlow; problem?: string } {
  // TensorFlow says on standard error which processor features it uses.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  try {
    require.resolve(`@tensorflow/${name}/package.json`);
  } catch {
    return {};
  }
  try {
    // The package of the JavaScript backend registers itself, and is used through the core.
    const tf = silently<TensorFlow>(() => {
      const loaded = require(`@tensorflow/${name}`);
      const tf: TensorFlow = name === 'tfjs-backend-cpu' ? require('@tensorflow/tfjs-core') : loaded;
      tf.setBackend(name === 'tfjs-backend-cpu' ? 'cpu' : 'tensorflow');
      return tf;
    });
    const sum = tf.tidy(() => silently(() => tf.add(1, 2).dataSync()[0]));
    return sum === 3 ? { tf } : { problem: `adds 1 and 2 to ${sum}` };
  } catch (error) {
    const [first] = (error as Error).message.split('\n');
    return { problem: first.replaceAll(new URL(packageRoot).pathname, '') };
  }
}

/** TensorFlow.js warns, on the console, of every kernel that two of its packages have, and of its own slowness. */
function silently<T>(work: () => T): T {
  const { warn } = console;
  console.warn = () => {};
  try {
    return work();
  } finally {
    console.warn = warn;
  }
}
