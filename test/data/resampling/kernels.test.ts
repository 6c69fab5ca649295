import { expect } from 'chai';
import { kernels as jpeg } from '../../../data/jpeg/jpeg-kernels.wasm.ts';
import { kernels as planes } from '../../../data/planes/interleave-kernels.wasm.ts';
import { kernels as resampling } from '../../../data/resampling/resampling-kernels.wasm.ts';
import { assembleKernels, kernelFiles } from '../assemble-kernels.ts';

describe('WebAssembly kernels', () => {
  const assembled = [jpeg, planes, resampling];
  for (const [k, file] of kernelFiles.entries())
    it(`of ${file}.wat are what their source says`, async () => {
      expect(await assembleKernels(file)).to.equal(assembled[k]);
    });
});
