import type { Worker } from 'node:worker_threads';
import type { RandomState } from '../../common/random.ts';
import type { Tensor } from '../../common/tensor.ts';
import { endWorker, startWorker } from '../../common/workers.ts';
import type { StandardScaler } from '../../detectors/standard-scaler.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { tensorFromProto, tensorToProto } from '../../graph/tensor.ts';
import { encodeModel } from '../../graph/write.ts';
import type { TrainingBatch } from '../batch-maker.ts';
import type { TrainingEngine, TrainingSession, TrainingTask } from '../engine.ts';
import { layerFactors } from '../objective.ts';
import { FACTORS, meanOf, scaleOf } from './co-training-graph.ts';
import { RATE, velocityOf } from './sgd-graph.ts';
import { CORRECT, LABELS, LOSS, type StepGraph, stepGraph } from './step-graph.ts';
import type { FromStepper, StepperSetup, ToStepper } from './stepper.worker.ts';

/** Trains on onnxruntime: a step is one run of a graph that holds the network, its gradient and the optimiser. */
export const onnxEngine: TrainingEngine = {
  name: 'onnx',
  async open(task) {
    const { model, where, objective, optimiser, velocities } = task;
    const graph = stepGraph(model, objective, optimiser, where);
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

  async step({ images, shape, labels }: TrainingBatch, rate: number, random: RandomState) {
    const { coTraining } = this.#task.objective;
    const feeds: Record<string, Tensor> = {
      [this.#graph.images]: { dtype: 'float32', shape, data: images },
      [LABELS]: { dtype: 'int64', shape: [labels.length], data: BigInt64Array.from(labels, BigInt) },
      [RATE]: { dtype: 'float32', shape: [], data: Float32Array.of(rate) },
      ...this.#scalers,
    };
    for (const { name, shape: sizes, ratio } of this.#graph.masks) {
      const size = sizes.reduce((product, length) => product * length, labels.length);
      const data = new Float32Array(size);
      for (let i = 0; i < size; i++) data[i] = random.random() < ratio ? 0 : 1 / (1 - ratio);
      feeds[name] = { dtype: 'float32', shape: [labels.length, ...sizes], data };
    }
    if (coTraining) {
      const data = layerFactors(coTraining, random);
      feeds[FACTORS] = { dtype: 'float32', shape: [data.length, 1], data };
    }
    const transfer = [images.buffer as ArrayBuffer];
    const told = await this.#ask({ feeds }, transfer);
    const [loss, correct] = [LOSS, CORRECT].map((name) => Number(told[name].data[0]));
    return { loss, correct };
  }

  standardise(scalers: readonly StandardScaler[]): void {
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
