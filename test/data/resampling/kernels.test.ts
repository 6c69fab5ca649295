import { expect } from 'chai';
import { kernels as jpeg } from '../../../data/jpeg/kernels.wasm.ts';
import { kernels as planes } from '../../../data/planes/kernels.wasm.ts';
import { kernels as resampling } from '../../../data/resampling/kernels.wasm.ts';
import { assembleKernels } from '../assemble-kernels.ts';

describe('WebAssembly kernels', () => {
  for (const [folder, kernels] of Object.entries({ jpeg, planes, resampling }))
    it(`of ${folder} are what their source says`, async () => {
      expect(await assembleKernels(folder as 'jpeg')).to.equal(kernels);
    });
});
