import { readFile } from 'node:fs/promises';
import { backboneMetadata, encodeBackboneMetadata } from '../../../models/metadata.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import type { Preprocessing } from '../../graph/preprocessing.ts';
import { decodeModel } from '../../graph/read.ts';
import { setMetadata } from '../../graph/rewrite.ts';
import { writeModel } from '../../graph/write.ts';
import type { TrainingBackend } from '../../training/backend.ts';
import { BatchMaker } from '../../training/batch-maker.ts';
import { checkpointModel, stateOfCheckpoint } from '../../training/checkpoint.ts';
import type { LabelledImages } from '../../training/labelled-images.ts';
import type { Objective } from '../../training/objective.ts';
import type { Recipe } from '../../training/recipe.ts';
import { type EpochReport, train } from '../../training/train.ts';
import { TrainableGraph } from '../../training/trainable-graph.ts';

export interface ResumableTraining {
  /** The weights to begin with. */
  readonly model: ModelProto;
  /** What to call it in errors. */
  readonly where: string;
  /** Values besides the logits that the objective looks at. */
  readonly exposed?: readonly string[];
  readonly backend: TrainingBackend;
  readonly preprocessing: Preprocessing;
  readonly train: LabelledImages;
  readonly test: LabelledImages;
  readonly recipe: Recipe;
  readonly seed: number;
  /** The file that holds the state after the last epoch that was finished; it is gone on from where it is there. */
  readonly checkpoint: string;
  objective(graph: TrainableGraph, maker: BatchMaker): Objective;
  /** Called after each epoch, before the state is written: where it was cut off in between, it is called again. */
  keep(epochs: readonly EpochReport[], model: () => ModelProto): Promise<void>;
  readonly onProgress?: OnProgress;
}

/**
 * Trains, and writes after every epoch what is needed to go on from there: the weights, the optimiser's velocities and
 * the epochs so far. What is drawn follows from the seed and the epoch.
 *
 * @throws GraphError where the model holds an operator that training does not know; TrainingError where the loss is no
 * number any more
 */
export async function trainResumably(task: ResumableTraining): Promise<readonly EpochReport[]> {
  const { where, exposed, backend, preprocessing, checkpoint, keep, recipe, seed, onProgress } = task;
  const { model, state } = await stateBefore(checkpoint, task.model);
  const graph = new TrainableGraph(model, backend, { exposed, where });
  const maker = new BatchMaker(preprocessing);
  try {
    const steps = Math.ceil(task.train.length / recipe.batch);
    return await train(graph, task.objective(graph, maker), {
      ...{ train: task.train, test: task.test, maker, recipe, seed, onProgress },
      ...(state && { from: state }),
      note: backend.warning ?? `on ${backend.name}`,
      async afterEpoch(after) {
        const now = graph.model();
        await keep(after.epochs, () => countSteps(now, after.epochs.length * steps));
        await writeModel(checkpoint, checkpointModel(now, after));
      },
    });
  } finally {
    await maker.close();
    graph.dispose();
  }
}

async function stateBefore(checkpoint: string, model: ModelProto) {
  const bytes = await readFile(checkpoint).catch(() => undefined);
  return bytes ? stateOfCheckpoint(decodeModel(bytes, checkpoint), checkpoint) : { model, state: undefined };
}

/** PyTorch counts the steps that each batch normalisation has seen. */
function countSteps(model: ModelProto, steps: number): ModelProto {
  const { numBatchesTracked } = backboneMetadata(model);
  if (!numBatchesTracked) return model;
  const counted = Object.entries(numBatchesTracked).map(([key, count]) => [
    key,
    String(BigInt(count) + BigInt(steps)),
  ]);
  return setMetadata(model, encodeBackboneMetadata({ numBatchesTracked: Object.fromEntries(counted) }));
}
