import { advice, command } from '../../src/common/errors.ts';
/** The advice where no family fits: the way on which every network can be guarded. */
export const exportItself = advice`export the network with torch.onnx.export where its code is at hand, and go on with ${command('fit', 'model.onnx')}`;
