import type { RandomState } from '../common/random.ts';
import type { StandardScaler } from '../detectors/standard-scaler.ts';
import type { ModelProto } from '../graph/onnx.ts';
import type { TrainingBatch } from './batch-maker.ts';
import type { Objective } from './objective.ts';

/** What can train: onnxruntime, which is always there, and TensorFlow.js, whose packages are optional. */
export const trainingEngineNames = ['onnx', 'tfjs-node', 'tfjs-node-gpu'] as const;
export type TrainingEngineName = (typeof trainingEngineNames)[number];

/** What computes the steps of a training. */
export interface TrainingEngine {
  readonly name: TrainingEngineName;
  /**
   * @throws GraphError where the network holds something that the engine cannot train
   */
  open(task: TrainingTask): Promise<TrainingSession>;
}

export interface TrainingTask {
  /** Takes one batch of images, N × C × H × W; its first output is the logits. */
  readonly model: ModelProto;
  /** What to call it in errors. */
  readonly where: string;
  readonly objective: Objective;
  readonly optimizer: SgdOptions;
  /** How many parts a batch is computed in, one after the other; 1 where absent. */
  readonly parts?: number;
  /** The velocity of each weight, by its name, to go on from; 0 where absent. */
  readonly velocities?: ReadonlyMap<string, Float32Array>;
}

/** Stochastic gradient descent with momentum, in PyTorch's formulation. */
export interface SgdOptions {
  readonly momentum: number;
  readonly weightDecay: number;
  /** Nesterov's momentum. */
  readonly nesterov?: boolean;
  /** Gradients are scaled so that all of them together are no longer than this (Euclidean norm); never where absent. */
  readonly clip?: number;
}

/** A network that is being trained. */
export interface TrainingSession {
  /** The memory that a step of so many images takes, about, in bytes; undefined where the engine does not say. */
  memory(images: number): number | undefined;
  /**
   * Forth, back, and a move of the weights.
   *
   * @param random what this step draws from
   * @returns the loss before the move, and how many images were classified right
   */
  step(batch: TrainingBatch, rate: number, random: RandomState): Promise<{ loss: number; correct: number }>;
  /** Says mean and scale of each detector's pooled features, before the first step of co-training and anew at will. */
  standardize(scalers: readonly StandardScaler[]): void;
  /** The network with what its weights and statistics have become, and the velocity of each weight. */
  state(): Promise<{ model: ModelProto; velocities: Map<string, Float32Array> }>;
  close(): Promise<void>;
}
