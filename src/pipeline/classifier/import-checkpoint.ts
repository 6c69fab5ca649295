import { basename } from 'node:path';
import { readCheckpoint } from '../../../converters/pytorch/read-checkpoint.ts';
import { buildBackbone, stateDictOf } from '../../../models/backbone.ts';
import { architectureNamed, recogniseArchitecture } from '../../../models/registry.ts';
import { isCounter } from '../../../models/weights.ts';
import { CheckpointError, GraphError } from '../../common/errors.ts';
import { isSameFile, sha256File } from '../../common/files.ts';
import { type DType, elementCount, type StateDict, toFloat32 } from '../../common/tensor.ts';
import { checkModel } from '../../graph/check.ts';
import type { Normalisation } from '../../graph/preprocessing.ts';
import { readModel } from '../../graph/read.ts';
import { setMetadata } from '../../graph/rewrite.ts';
import { writeModel } from '../../graph/write.ts';
import { GraphSession } from '../../runtime/graph-session.ts';

export interface ImportOptions {
  /** The architecture's name; found from the checkpoint's keys and shapes where absent. */
  readonly arch?: string;
  /** The class count that the network must have. */
  readonly classes?: number;
  /** Where a checkpoint holds several sets of weights, the key of the one wanted: `ema`. */
  readonly wrapper?: string;
  /** What the weights were trained with; a checkpoint does not say. The architecture's default where absent. */
  readonly normalisation?: Normalisation;
}

export interface Imported {
  readonly architecture: string;
  readonly classes: number;
  readonly parameters: number;
  readonly taps: readonly string[];
  readonly normalisation: Normalisation;
  /** How the weights were found: wrapper, prefix, conversions. */
  readonly notes: readonly string[];
}

/**
 * Turns a PyTorch checkpoint into an ONNX backbone; then reads that file back, compares every weight, and runs it once.
 *
 * @param source a file that `torch.save` wrote, of any name
 * @param target the `.onnx` to write
 * @throws CheckpointError where the checkpoint cannot be read, is of no known architecture, or would be written over
 */
export async function importCheckpoint(
  source: string,
  target: string,
  options: ImportOptions = {},
): Promise<Imported> {
  if (await isSameFile(source, target))
    throw new CheckpointError(source, 'would be written over by its own import', 'name another output');
  const { stateDict, notes } = await readCheckpoint(source, { wrapper: options.wrapper });
  const architecture = options.arch
    ? architectureNamed(options.arch)
    : recogniseArchitecture(stateDict, source).architecture;
  const normalisation = options.normalisation ?? architecture.defaultNormalisation;
  const backbone = buildBackbone(architecture, stateDict, {
    where: source,
    classes: options.classes,
    normalisation,
  });
  const model = setMetadata(backbone, {
    'la_ood.source': basename(source),
    'la_ood.source_sha256': await sha256File(source),
  });
  let classes = 0;
  await writeModel(target, model, {
    check: async (written) => {
      classes = await verify(written, target, stateDict);
    },
  });
  return {
    architecture: architecture.name,
    classes,
    parameters: countParameters(stateDict),
    taps: architecture.taps,
    normalisation,
    notes: [...notes, ...conversions(stateDict)],
  };
}

/** Compares the written file's weights with the checkpoint's, runs it on a grey image, and gives its class count. */
async function verify(written: string, path: string, stateDict: StateDict): Promise<number> {
  const model = await readModel(written);
  checkModel(model, path);
  for (const [key, tensor] of stateDictOf(model, path)) {
    const wanted = toFloat32(stateDict.get(key)!);
    const written = toFloat32(tensor);
    if (!written.every((value, i) => value === wanted[i]))
      throw new GraphError(
        `${path}: ${key}`,
        'does not hold what the checkpoint holds',
        'the disk may be faulty',
      );
  }
  const session = await GraphSession.open(model, { device: 'cpu' });
  try {
    const image = { dtype: 'float32', shape: [1, 3, 32, 32], data: new Float32Array(3 * 32 * 32) } as const;
    const { logits } = await session.run({ input: image });
    if (!(logits.data as Float32Array).every(Number.isFinite))
      throw new GraphError(
        path,
        'gives logits that are not finite for a grey image',
        'its weights are unusable',
      );
    return logits.shape[1];
  } finally {
    await session.close();
  }
}

/** What had to be made float32: ONNX backbones hold no other weights. */
function conversions(stateDict: StateDict): string[] {
  const counts = new Map<DType, number>();
  for (const [key, { dtype }] of stateDict)
    if (dtype !== 'float32' && !isCounter(key)) counts.set(dtype, (counts.get(dtype) ?? 0) + 1);
  return Array.from(counts, ([dtype, count]) => `${count} tensors converted from ${dtype} to float32`);
}

/** Weights and biases; not the running statistics and counters of batch normalisation. */
export function countParameters(stateDict: StateDict): number {
  let count = 0;
  for (const [key, { shape }] of stateDict)
    if (!isCounter(key) && !/\.running_(mean|var)$/.test(key)) count += elementCount(shape);
  return count;
}
