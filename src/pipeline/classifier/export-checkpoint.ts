import { writeCheckpoint } from '../../../converters/pytorch/write-checkpoint.ts';
import { stateDictOf } from '../../../models/backbone.ts';
import { GraphError } from '../../common/errors.ts';
import { isSameFile } from '../../common/files.ts';
import { readModel } from '../../graph/read.ts';

/**
 * Writes an ONNX backbone's weights as a PyTorch checkpoint that `torch.load(weights_only=True)` and
 * `load_state_dict(strict=True)` take, bit by bit what was imported or trained.
 *
 * @param source a backbone that this program built
 * @param target the `.pth` to write
 * @returns the number of tensors written
 * @throws GraphError where the model is no backbone of this program, or would be written over
 */
export async function exportCheckpoint(source: string, target: string): Promise<{ tensors: number }> {
  if (await isSameFile(source, target))
    throw new GraphError(source, 'would be written over by its own export', 'name another output');
  const stateDict = stateDictOf(await readModel(source), source);
  await writeCheckpoint(target, stateDict);
  return { tensors: stateDict.size };
}
