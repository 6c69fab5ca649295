import { exportCheckpoint } from '../../index.ts';
import { command } from '../command.ts';

export const exportCommand = command({
  name: 'export',
  summary: 'Writes the weights of an ONNX classifier as a PyTorch checkpoint.',
  examples: [['export runs/resnet20-cifar10/backbone.onnx resnet20.pth', 'bit by bit what was imported']],
  positionals: {
    model: { describe: 'an ONNX classifier that la-ood made' },
    output: { describe: 'the .pth to write' },
  },
  options: {},
  async run({ model, output }) {
    const { tensors } = await exportCheckpoint(model, output);
    return {
      result: { model, output, tensors },
      text: `Wrote ${output}: ${tensors} tensors.`,
      next: `Next, in Python: model.load_state_dict(torch.load(${JSON.stringify(output)}, weights_only=True))`,
    };
  },
});
