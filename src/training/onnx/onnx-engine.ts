import type { Worker } from 'node:worker_threads';
import { advice, option, UsageError } from '../../common/errors.ts';
import type { RandomState } from '../../common/random.ts';
import { elementCount, type Tensor } from '../../common/tensor.ts';
import { endWorker, startWorker } from '../../common/workers.ts';
import type { StandardScaler } from '../../detectors/standard-scaler.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { tensorFromProto, tensorToProto } from '../../graph/tensor-proto.ts';
import { encodeModel } from '../../graph/write.ts';
import type { TrainingBatch } from '../batch-maker.ts';
import type { TrainingEngine, TrainingSession, TrainingTask } from '../engine.ts';
import { layerFactors } from '../objective.ts';
import { FACTORS, meanOf, scaleOf } from './co-training-graph.ts';
import { DECAY, MOMENTUM, RATE, SHARE, velocityOf } from './sgd-graph.ts';
import { CORRECT, LABELS, LOSS, type StepGraph, stepGraph } from './step-graph.ts';
import { stepMemory } from './step-memory.ts';
import type { FromStepper, StepperSetup, ToStepper } from './stepper.worker.ts';

/** Trains on onnxruntime: a step is one run of a graph that holds the network, its gradient and the optimiser. */
export const onnxEngine: TrainingEngine = {
  name: 'onnx',
  async open(task) {
    const { model, where, objective, optimizer, velocities, parts = 1 } = task;
    if (parts > 1 && (optimizer.nesterov || optimizer.clip !== undefined))
      throw new UsageError(
        option('parts'),
        'goes with neither clipped gradients nor Nesterov’s momentum',
        advice`leave it out, or ${option('clip')} and ${option('nesterov')}`,
      );
    const graph = stepGraph(model, objective, optimizer, where);
    const state: Record<string, Tensor> = {};
    for (const proto of model.graph.initializer) {
      const { name } = proto;
      if (!graph.weights.includes(name) && !graph.statistics.includes(name)) continue;
      const tensor = tensorFromProto(proto, where);
      state[name] = tensor;
      if (!graph.weights.includes(name)) continue;
      const data = velocities?.get(name) ?? new Float32Array(tensor.data.length);
      state[velocityOf(name)] = { dtype: 'float32', shape: tensor.shape, data };
    }
    const setup: StepperSetup = { model: encodeModel(graph.model), state, told: [LOSS, CORRECT] };
    const worker = startWorker(import.meta.url, './stepper.worker', setup);
    return new OnnxSession(task, graph, worker);
  },
};

type Told = Readonly<Record<string, Tensor>>;

/** The main thread's side: onnxruntime's `run` blocks the thread that it is called on. */
class OnnxSession implements TrainingSession {
  readonly #task: TrainingTask;
  readonly #graph: StepGraph;
  readonly #worker: Worker;
  /** Whoever waits for an answer; they come in the order of the questions. */
  readonly #waiting: { resolve(told: Told): void; reject(error: Error): void }[] = [];
  #failure: Error | undefined;
  #scalers: Record<string, Tensor> = {};

  constructor(task: TrainingTask, graph: StepGraph, worker: Worker) {
    this.#task = task;
    this.#graph = graph;
    this.#worker = worker;
    worker.on('message', (answer: FromStepper) => {
      const waiting = this.#waiting.shift()!;
      if ('tensors' in answer) waiting.resolve(answer.tensors);
      else waiting.reject(new Error(answer.error));
    });
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new Error('the training session was closed')));
  }

  memory(images: number): number {
    const { model, parts = 1 } = this.#task;
    return stepMemory(model, Math.ceil(images / parts));
  }

  async step({ images, shape, labels }: TrainingBatch, rate: number, random: RandomState) {
    const { parts = 1, optimizer, objective } = this.#task;
    const factors = objective.coTraining && layerFactors(objective.coTraining, random);
    const [whole, ...sizes] = shape;
    const [size, stride] = [Math.ceil(whole / parts), elementCount(sizes)];
    let [loss, correct] = [0, 0];
    for (let start = 0; start < whole; start += size) {
      const count = Math.min(size, whole - start);
      const [share, isLast] = [count / whole, start + count === whole];
      const data = images.slice(start * stride, (start + count) * stride);
      const told = await this.#ask(
        {
          feeds: {
            [this.#graph.images]: { dtype: 'float32', shape: [count, ...sizes], data },
            [LABELS]: {
              dtype: 'int64',
              shape: [count],
              data: BigInt64Array.from(labels.subarray(start, start + count), BigInt),
            },
            ...scalar(RATE, isLast ? rate : 0),
            ...scalar(MOMENTUM, start === 0 ? optimizer.momentum : 1),
            ...scalar(DECAY, isLast ? optimizer.weightDecay : 0),
            ...scalar(SHARE, share),
            ...this.#masks(count, random),
            ...this.#scalers,
            // Densities are sums over images, where the cross-entropy is a mean.
            ...(factors && {
              [FACTORS]: {
                dtype: 'float32',
                shape: [factors.length, 1],
                data: factors.map((factor) => factor / share),
              },
            }),
          },
        },
        [data.buffer],
      );
      loss += share * Number(told[LOSS].data[0]);
      correct += Number(told[CORRECT].data[0]);
    }
    return { loss, correct };
  }

  /** What dropout keeps of so many images, as PyTorch scales it. */
  #masks(images: number, random: RandomState): Record<string, Tensor> {
    const masks: Record<string, Tensor> = {};
    for (const { name, shape, ratio } of this.#graph.masks) {
      const data = new Float32Array(images * elementCount(shape));
      for (let i = 0; i < data.length; i++) data[i] = random.random() < ratio ? 0 : 1 / (1 - ratio);
      masks[name] = { dtype: 'float32', shape: [images, ...shape], data };
    }
    return masks;
  }

  standardize(scalers: readonly StandardScaler[]): void {
    const row = (values: Float64Array): Tensor => ({
      dtype: 'float32',
      shape: [values.length],
      data: Float32Array.from(values),
    });
    this.#scalers = Object.fromEntries(
      scalers.flatMap(({ mean, scale }, layer) => [
        [meanOf(layer), row(mean)],
        [scaleOf(layer), row(scale)],
      ]),
    );
  }

  async state() {
    const state = await this.#ask({ state: true });
    const { model } = this.#task;
    const { weights, statistics } = this.#graph;
    const trained = new Set([...weights, ...statistics]);
    const initializer = model.graph.initializer.map((proto) =>
      trained.has(proto.name) ? tensorToProto(proto.name, state[proto.name]) : proto,
    );
    const velocities = new Map(
      weights.map((name) => [name, state[velocityOf(name)].data as Float32Array] as const),
    );
    const now: ModelProto = { ...model, graph: { ...model.graph, initializer } };
    return { model: now, velocities };
  }

  async close(): Promise<void> {
    await endWorker(this.#worker);
  }

  #ask(message: ToStepper, transfer: ArrayBuffer[] = []): Promise<Told> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(message, transfer);
    });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}

function scalar(name: string, value: number): Record<string, Tensor> {
  return { [name]: { dtype: 'float32', shape: [], data: Float32Array.of(value) } };
}
