import { option, UsageError } from '../../common/errors.ts';
import type { RandomState } from '../../common/random.ts';
import type { StandardScaler } from '../../detectors/standard-scaler.ts';
import type { TrainingBatch } from '../batch-maker.ts';
import { crossEntropy } from '../cross-entropy.ts';
import type { TrainingEngine, TrainingSession, TrainingTask } from '../engine.ts';
import { layerFactors } from '../objective.ts';
import type { TensorFlow, TensorFlowName } from './backend.ts';
import { Density } from './density.ts';
import { Sgd } from './sgd.ts';
import { TrainableGraph } from './trainable-graph.ts';

/** Trains on TensorFlow.js, in this thread. */
export function tensorFlowEngine(name: TensorFlowName, tf: TensorFlow): TrainingEngine {
  return {
    name,
    async open(task) {
      if ((task.parts ?? 1) > 1)
        throw new UsageError(option('parts'), `is not for the engine ${name}`, 'leave one of them out');
      return new TensorFlowSession(task, tf);
    },
  };
}

class TensorFlowSession implements TrainingSession {
  readonly #task: TrainingTask;
  readonly #graph: TrainableGraph;
  readonly #sgd: Sgd;
  readonly #densities: readonly Density[];
  #scalers: readonly StandardScaler[] = [];

  constructor(task: TrainingTask, tf: TensorFlow) {
    const { model, where, objective, optimizer, velocities } = task;
    const detectors = objective.coTraining?.detectors ?? [];
    this.#task = task;
    this.#graph = new TrainableGraph(model, tf, { exposed: detectors.map(({ tap }) => tap), where });
    this.#sgd = new Sgd(tf, this.#graph.weights.values(), optimizer);
    if (velocities) this.#sgd.restore(velocities);
    this.#densities = detectors.map((detector) => new Density(tf, detector));
  }

  memory(): undefined {}

  async step({ images, shape, labels }: TrainingBatch, rate: number, random: RandomState) {
    const { tf, exposed } = this.#graph;
    const { labelSmoothing, coTraining } = this.#task.objective;
    const [logits] = exposed;
    const x = tf.tidy(() => tf.transpose(tf.tensor4d(images, shape), [0, 2, 3, 1]));
    const pass = this.#graph.forward(x, { gradients: true, random });
    const value = pass.value(logits);
    const judged = crossEntropy(value.dataSync<'float32'>(), labels, labelSmoothing);
    let { loss } = judged;
    const gradients = new Map([[logits, tf.tensor(judged.gradient, value.shape)]]);
    if (coTraining)
      layerFactors(coTraining, random).forEach((factor, layer) => {
        if (factor === 0) return;
        const { sum, gradient } = this.#densities[layer].at(pass, this.#scalers[layer], factor);
        loss += factor * sum;
        const { tap } = coTraining.detectors[layer];
        const known = gradients.get(tap);
        gradients.set(tap, known ? tf.add(known, gradient) : gradient);
        if (known) for (const part of [known, gradient]) part.dispose();
      });
    const { weights } = pass.backward(gradients);
    pass.dispose();
    x.dispose();
    if (Number.isFinite(loss)) this.#sgd.step(weights, rate);
    else for (const gradient of weights.values()) gradient.dispose();
    return { loss, correct: judged.correct };
  }

  standardize(scalers: readonly StandardScaler[]): void {
    this.#scalers = scalers;
  }

  async state() {
    return { model: this.#graph.model(), velocities: this.#sgd.state() };
  }

  async close(): Promise<void> {
    this.#sgd.dispose();
    this.#graph.dispose();
  }
}
