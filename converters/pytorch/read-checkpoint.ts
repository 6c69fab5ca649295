import { CheckpointError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import type { StateDict } from '../../src/common/tensor.ts';
import { readSafetensors } from '../safetensors/read-safetensors.ts';
import type { CheckpointContents } from './contents.ts';
import { CheckpointFile } from './file.ts';
import { readLegacyFormat } from './legacy-format.ts';
import { recognizeFormat } from './recognize-format.ts';
import { type FoundStateDict, findStateDict, partOf, stripPrefixes, type TensorTable } from './state-dict.ts';
import { TensorReader } from './tensors.ts';
import { UnreadableTensor } from './torch-pickle.ts';
import { checkUsable } from './usable.ts';
import { readZipFormat } from './zip-format.ts';

/** The weights of a PyTorch checkpoint, and how they were found in it. */
export interface Checkpoint extends Omit<FoundStateDict, 'tensors'> {
  readonly stateDict: StateDict;
  /** `zip`: `torch.save` since PyTorch 1.6; `legacy`: before. */
  readonly format: 'zip' | 'legacy' | 'safetensors';
}

export interface ReadCheckpointOptions {
  /** The key to look under, where a checkpoint holds several sets of weights: `ema`. */
  readonly wrapper?: string;
  /** Reads weights with NaN, infinities or negative variances too, for looking at them. */
  readonly allowUnusable?: boolean;
}

/**
 * Reads the state dict of a checkpoint made by `torch.save` or `safetensors`, whatever the file is called, or of a network
 * that was pickled itself, and executes nothing in it.
 * The tensors are bit-identical to PyTorch's, contiguous, in the file's order; tied ones share their data.
 *
 * @throws CheckpointError on whatever is damaged, hostile, unsupported or not a checkpoint, and by default on weights
 *   with NaN, infinities or negative running variances
 *
 * @example
 * ```ts
 * import { readCheckpoint } from 'la-ood/checkpoints';
 *
 * const { stateDict, format } = await readCheckpoint('resnet50-0676ba61.pth');
 * for (const [key, { dtype, shape }] of stateDict) console.log(format, key, dtype, shape);
 * ```
 */
export async function readCheckpoint(path: string, options: ReadCheckpointOptions = {}): Promise<Checkpoint> {
  const file = await CheckpointFile.open(path);
  try {
    const format = await recognizeFormat(file);
    if (format === 'safetensors') {
      const notes: string[] = [];
      const read = await readSafetensors(file);
      const fail = (problem: string, remedy?: string) => file.fail(problem, remedy);
      const part = options.wrapper === undefined ? read : partOf(read, options.wrapper, fail);
      const { tensors, prefix } = stripPrefixes(part, notes);
      if (!options.allowUnusable) checkUsable(tensors, path);
      return { stateDict: tensors, format, prefix, extras: new Map(), sets: [], notes };
    }
    const contents = await (format === 'zip' ? readZipFormat(file) : readLegacyFormat(file));
    const fail = (problem: string, remedy?: string) => file.fail(problem, remedy);
    const { tensors, ...found } = findStateDict(contents.root, fail, options.wrapper);
    const stateDict = await readTensors(tensors, contents, path);
    if (!options.allowUnusable) checkUsable(stateDict, path);
    return { stateDict, format, ...found };
  } finally {
    await file.close();
  }
}

async function readTensors(
  tensors: TensorTable,
  { readStorage }: CheckpointContents,
  path: string,
): Promise<StateDict> {
  const reader = new TensorReader(readStorage);
  const stateDict: StateDict = new Map();
  for (const [key, tensor] of tensors) {
    const where = `${path}: ${printable(key)}`;
    if (tensor instanceof UnreadableTensor) throw new CheckpointError(where, tensor.problem, tensor.remedy);
    stateDict.set(key, await reader.read(tensor, where));
  }
  return stateDict;
}
