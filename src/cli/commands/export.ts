import { exportCheckpoint, exportFormats } from '../../index.ts';
import { command } from '../command.ts';

export const exportCommand = command({
  name: 'export',
  summary: 'Writes the weights of an ONNX classifier as a PyTorch checkpoint or a safetensors file.',
  examples: [
    ['export runs/resnet20-cifar10/backbone.onnx resnet20.pth', 'bit by bit what was imported'],
    ['export resnet50.onnx model.safetensors --format safetensors', 'for load_file of safetensors.torch'],
  ],
  positionals: {
    model: { describe: 'an ONNX classifier that la-ood imported from a checkpoint or trained' },
    output: { describe: 'the file to write' },
  },
  options: {
    format: { describe: 'the format to write', choices: exportFormats, default: 'pytorch' },
    prefix: {
      type: 'boolean',
      describe: 'put before every key what the imported file had there, such as module.',
    },
  },
  async run({ model, output, format, prefix }) {
    const { tensors } = await exportCheckpoint(model, output, { format, prefix });
    const load =
      format === 'safetensors'
        ? `safetensors.torch.load_file(${JSON.stringify(output)})`
        : `torch.load(${JSON.stringify(output)}, weights_only=True)`;
    return {
      result: { model, output, tensors },
      text: `Wrote ${output}: ${tensors} tensors.`,
      next: `Next, in Python: model.load_state_dict(${load})`,
    };
  },
});
