import { z } from 'zod';
import { advice, option, RunError } from '../common/errors.ts';
import type { ModelProto } from '../graph/onnx.ts';
import { getMetadata, setMetadata } from '../graph/rewrite.ts';
import { tensorFromProto, tensorToProto } from '../graph/tensor-proto.ts';
import type { TrainingEngineName } from './engine.ts';
import type { TrainingState } from './train.ts';

/** Velocities are initializers that no node uses, under the weight's name behind this. */
const VELOCITY = 'velocity/';
const EPOCHS_KEY = 'la_ood.training.epochs';
const ENGINE_KEY = 'la_ood.training.engine';

const epochsSchema = z.array(
  z.object({
    epoch: z.int().positive(),
    rate: z.number(),
    trainLoss: z.number(),
    trainAccuracy: z.number(),
    testLoss: z.number(),
    testAccuracy: z.number(),
    seconds: z.number(),
  }),
);

/** A training in one ONNX file: the network with its weights, what the optimiser holds, and which engine it is of. */
export function checkpointModel(
  { epochs, model, velocities }: TrainingState,
  engine: TrainingEngineName,
): ModelProto {
  const { graph } = model;
  const initializer = [...graph.initializer];
  for (const [name, data] of velocities)
    initializer.push(tensorToProto(VELOCITY + name, { dtype: 'float32', shape: [data.length], data }));
  return setMetadata(
    { ...model, graph: { ...graph, initializer } },
    { [EPOCHS_KEY]: JSON.stringify(epochs), [ENGINE_KEY]: engine },
  );
}

/**
 * What `checkpointModel` put together.
 *
 * @param where the file, for errors
 * @throws RunError where it is no checkpoint, or another engine's: what follows would be neither's
 */
export function stateOfCheckpoint(
  checkpoint: ModelProto,
  engine: TrainingEngineName,
  where: string,
): TrainingState {
  const notes = getMetadata(checkpoint);
  const epochs = epochsSchema.safeParse(JSON.parse(notes[EPOCHS_KEY] ?? 'null'));
  if (!epochs.success) throw new RunError(where, 'is no state of a training', 'remove it to begin anew');
  if (notes[ENGINE_KEY] !== engine)
    throw new RunError(
      where,
      `this training was begun on ${notes[ENGINE_KEY]}, and does not go on on ${engine}`,
      advice`give ${option('engine', notes[ENGINE_KEY])}, or remove the file to begin anew`,
    );
  const { graph, metadataProps, ...rest } = checkpoint;
  const isVelocity = ({ name }: { name: string }) => name.startsWith(VELOCITY);
  const velocities = new Map(
    graph.initializer
      .filter(isVelocity)
      .map((proto) => [
        proto.name.slice(VELOCITY.length),
        tensorFromProto(proto, where).data as Float32Array,
      ]),
  );
  const model = {
    ...rest,
    metadataProps: metadataProps.filter(({ key }) => key !== EPOCHS_KEY && key !== ENGINE_KEY),
    graph: { ...graph, initializer: graph.initializer.filter((proto) => !isVelocity(proto)) },
  };
  return { epochs: epochs.data, model, velocities };
}
