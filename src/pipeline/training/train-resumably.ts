import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { backboneMetadata, encodeBackboneMetadata } from '../../../models/metadata.ts';
import { advice, option, TrainingError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import { separateParameters } from '../../graph/gradient/parameters.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import type { Preprocessing } from '../../graph/preprocessing.ts';
import { decodeModel } from '../../graph/read.ts';
import { setMetadata } from '../../graph/rewrite.ts';
import { writeModel } from '../../graph/write.ts';
import { BatchMaker } from '../../training/batch-maker.ts';
import { checkpointModel, stateOfCheckpoint } from '../../training/checkpoint.ts';
import type { TrainingEngine, TrainingSession } from '../../training/engine.ts';
import type { LabeledImages } from '../../training/labeled-images.ts';
import type { CoTraining } from '../../training/objective.ts';
import type { Recipe } from '../../training/recipe.ts';
import { type EpochReport, type TrainingState, train } from '../../training/train.ts';

export interface ResumableTraining {
  /** The weights to begin with. */
  readonly model: ModelProto;
  /** What to call it in errors. */
  readonly where: string;
  readonly engine: TrainingEngine;
  readonly preprocessing: Preprocessing;
  readonly train: LabeledImages;
  readonly test: LabeledImages;
  readonly recipe: Recipe;
  readonly seed: number;
  /** The file that holds the state after the last epoch that was finished; it is gone on from where it is there. */
  readonly checkpoint: string;
  /** What is trained for besides classification. */
  coTraining?(maker: BatchMaker): CoTraining;
  /** Called after each epoch, before the state is written: where it was cut off in between, it is called again. */
  keep(epochs: readonly EpochReport[], model: ModelProto): Promise<void>;
  readonly onProgress?: OnProgress;
}

/**
 * Trains, and writes after every epoch what is needed to go on from there: the weights, the optimiser's velocities and
 * the epochs so far. What is drawn follows from the seed and the epoch.
 *
 * @throws GraphError where the model holds an operator that training does not know; RunError where the state is another
 * engine's; TrainingError where the memory does not suffice, or the loss is no number any more
 */
export async function trainResumably(task: ResumableTraining): Promise<readonly EpochReport[]> {
  const { where, engine, preprocessing, checkpoint, keep, recipe, seed, onProgress } = task;
  const before = await stateBefore(checkpoint, engine);
  const maker = new BatchMaker(preprocessing);
  try {
    const coTraining = task.coTraining?.(maker);
    const session = await engine.open({
      ...{ model: before?.model ?? separateParameters(task.model, where), where, optimizer: recipe },
      objective: { labelSmoothing: recipe.labelSmoothing, coTraining },
      parts: recipe.parts,
      ...(before && { velocities: before.velocities }),
    });
    try {
      const steps = Math.ceil(task.train.length / recipe.batch);
      return await train(session, coTraining, {
        ...{ train: task.train, test: task.test, maker, recipe, seed, onProgress },
        ...(before && { epochs: before.epochs }),
        note: noteOf(engine, session, recipe),
        async afterEpoch(state) {
          await keep(state.epochs, countSteps(state.model, state.epochs.length * steps));
          await writeModel(checkpoint, checkpointModel(state, engine.name));
        },
      });
    } finally {
      await session.close();
    }
  } finally {
    await maker.close();
  }
}

/**
 * What computes, and the memory of a step.
 *
 * @throws TrainingError where there is less
 */
function noteOf({ name }: TrainingEngine, session: TrainingSession, { batch, parts = 1 }: Recipe): string {
  const memory = session.memory(batch);
  if (memory === undefined) return `on ${name}`;
  const gibibytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  if (memory > totalmem())
    throw new TrainingError(
      option('batch', batch),
      `a step takes about ${gibibytes(memory)}, and this machine has ${gibibytes(totalmem())}`,
      advice`take a smaller ${option('batch')}, or ${option('parts', Math.ceil((1.5 * parts * memory) / totalmem()))}`,
    );
  return `on ${name}, about ${gibibytes(memory)}`;
}

async function stateBefore(checkpoint: string, { name }: TrainingEngine): Promise<TrainingState | undefined> {
  const bytes = await readFile(checkpoint).catch(() => undefined);
  return bytes && stateOfCheckpoint(decodeModel(bytes, checkpoint), name, checkpoint);
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
