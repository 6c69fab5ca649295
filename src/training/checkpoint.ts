import { z } from 'zod';
import { RunError } from '../common/errors.ts';
import type { ModelProto } from '../graph/onnx.ts';
import { getMetadata, setMetadata } from '../graph/rewrite.ts';
import { tensorFromProto, tensorToProto } from '../graph/tensor.ts';
import type { TrainingState } from './train.ts';

/** Velocities are initializers that no node uses, under the weight's name behind this. */
const VELOCITY = 'velocity/';
const EPOCHS_KEY = 'la_ood.training.epochs';

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

/** The state of a training in one ONNX file: the graph with its weights, and what the optimiser holds. */
export function checkpointModel(model: ModelProto, { epochs, velocities }: TrainingState): ModelProto {
  const { graph } = model;
  const initializer = [...graph.initializer];
  for (const [name, data] of velocities)
    initializer.push(tensorToProto(VELOCITY + name, { dtype: 'float32', shape: [data.length], data }));
  return setMetadata(
    { ...model, graph: { ...graph, initializer } },
    { [EPOCHS_KEY]: JSON.stringify(epochs) },
  );
}

/**
 * What `checkpointModel` put together.
 *
 * @param where the file, for errors
 * @throws RunError where it is no checkpoint
 */
export function stateOfCheckpoint(
  checkpoint: ModelProto,
  where: string,
): { model: ModelProto; state: TrainingState } {
  const epochs = epochsSchema.safeParse(JSON.parse(getMetadata(checkpoint)[EPOCHS_KEY] ?? 'null'));
  if (!epochs.success) throw new RunError(where, 'is no state of a training', 'remove it to begin anew');
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
    metadataProps: metadataProps.filter(({ key }) => key !== EPOCHS_KEY),
    graph: { ...graph, initializer: graph.initializer.filter((proto) => !isVelocity(proto)) },
  };
  return { model, state: { epochs: epochs.data, velocities } };
}
