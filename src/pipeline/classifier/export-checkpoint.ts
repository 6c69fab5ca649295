import { writeCheckpoint } from '../../../converters/pytorch/write-checkpoint.ts';
import { writeSafetensors } from '../../../converters/safetensors/write-safetensors.ts';
import { stateDictOf } from '../../../models/backbone.ts';
import { backboneMetadata } from '../../../models/metadata.ts';
import { GraphError } from '../../common/errors.ts';
import { isSameFile } from '../../common/files.ts';
import type { StateDict } from '../../common/tensor.ts';
import { readModel } from '../../graph/read.ts';

export const exportFormats = ['pytorch', 'safetensors'] as const;

export interface ExportOptions {
  readonly format?: (typeof exportFormats)[number];
  /** Puts before every key what the imported file had there for a wrapper, such as `module.`. */
  readonly prefix?: boolean;
}

/**
 * Writes an ONNX backbone's weights as a PyTorch checkpoint that `torch.load(weights_only=True)` and
 * `load_state_dict(strict=True)` take, or as a safetensors file, bit by bit what was imported or trained, in the order of
 * the file that it came from.
 *
 * @param source a backbone that this program built
 * @param target the file to write
 * @returns the number of tensors written
 * @throws GraphError where the model is no backbone of this program, or would be written over
 *
 * @example
 * ```ts
 * import { exportCheckpoint } from 'la-ood/checkpoints';
 *
 * const { tensors } = await exportCheckpoint('backbone.onnx', 'weights.pth');
 * console.log(`${tensors} tensors`);
 * ```
 */
export async function exportCheckpoint(
  source: string,
  target: string,
  { format = 'pytorch', prefix = false }: ExportOptions = {},
): Promise<{ tensors: number }> {
  if (await isSameFile(source, target))
    throw new GraphError(source, 'would be written over by its own export', 'name another output');
  const model = await readModel(source);
  const own = stateDictOf(model, source);
  const { stateDict: record } = backboneMetadata(model, source);
  const before = prefix ? (record?.prefix ?? '') : '';
  const stateDict: StateDict = new Map([...own].map(([key, tensor]) => [before + key, tensor]));
  await (format === 'safetensors' ? writeSafetensors : writeCheckpoint)(target, stateDict);
  return { tensors: stateDict.size };
}
