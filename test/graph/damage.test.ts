import { expect } from 'chai';
import fc from 'fast-check';
import { GraphError } from '../../src/common/errors.ts';
import { checkModel } from '../../src/graph/check.ts';
import { dynamicBatch } from '../../src/graph/dynamic-batch.ts';
import type { ModelProto } from '../../src/graph/onnx.ts';
import { prependPreprocessing } from '../../src/graph/preprocessing.ts';
import { decodeModel } from '../../src/graph/read.ts';
import { exposeTaps, pruneUnused } from '../../src/graph/rewrite.ts';
import { tensorFromProto } from '../../src/graph/tensor-proto.ts';
import { encodeModel } from '../../src/graph/write.ts';
import { branching, smallNet } from './models.ts';

const steps: Record<string, (model: ModelProto) => unknown> = {
  checkModel: (model) => checkModel(model, 'm.onnx'),
  exposeTaps: (model) => exposeTaps(model, ['conv1', 'conv2', 'a'], 'm.onnx'),
  pruneUnused,
  prependPreprocessing: (model) => prependPreprocessing(model, { mean: [0, 0, 0], std: [1, 1, 1] }),
  dynamicBatch,
  tensorFromProto: (model) => model.graph.initializer.map((tensor) => tensorFromProto(tensor, 'm.onnx')),
  encodeModel,
};

describe('Models with damaged bytes', () => {
  const models = [smallNet({ batch: 2 }), smallNet(), branching()].map(encodeModel);
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255) });
  for (const [name, step] of Object.entries(steps))
    it(`are taken or refused by ${name}, and nothing else happens`, () => {
      fc.assert(
        fc.property(
          fc.constantFrom(...models),
          fc.array(change, { minLength: 1, maxLength: 4 }),
          (bytes, changes) => {
            const damaged = bytes.slice();
            for (const { at, byte } of changes) damaged[at % bytes.length] = byte;
            try {
              step(decodeModel(damaged, 'm.onnx'));
            } catch (error) {
              expect(error).to.be.instanceOf(GraphError);
              expect((error as Error).message).not.to.include('\n');
            }
          },
        ),
        { numRuns: 300 },
      );
    });
});
