import { writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { makeNode, makeValueInfo } from '../../../src/graph/make.ts';
import { ElementType, type ModelProto } from '../../../src/graph/onnx.ts';
import {
  encodeModel,
  extractFeatures,
  guardRun,
  importClassifier,
  RunFolder,
  scoreImages,
} from '../../../src/index.ts';
import { temporaryFolder } from '../../data/images.ts';
import { smallNet } from '../../graph/models.ts';

describe('A classifier whose classes do not exclude each other', () => {
  const folder = temporaryFolder();

  it('is guarded without what takes one class an image, and the guard says so', async () => {
    await writeFile(folder.at('sigmoid.onnx'), encodeModel(withSigmoid(smallNet())));
    await RunFolder.use(folder.at('run'), async (run) => {
      const preprocessing = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };
      await importClassifier(folder.at('sigmoid.onnx'), run.file('backbone.onnx'), { preprocessing });
      await extractFeatures(run, {
        train: { name: 'demo', source: 'demo:train:200' },
        test: { name: 'demo', source: 'demo:test:100' },
        ood: [{ name: 'noise', source: 'demo:noise:40' }],
        corrupted: 50,
      });
      const guard = await guardRun(run, { rate: 0.1, watch: ['content'] });
      if (guard.kind !== 'questions') throw new Error(guard.kind);
      expect(guard.components).to.deep.equal(['mahalanobis++']);
      expect(guard.notes).to.include('Mahalanobis++: one mean for all classes: an image may be of several');
      expect(guard.notes).to.include(
        'without GEN: it takes a softmax, and classes do not exclude each other here (a sigmoid)',
      );
      const both = await guardRun(run, { rate: 0.1 });
      expect(both).to.deep.include({ kind: 'questions', questions: ['content', 'conditions'] });
      let images = 0;
      for await (const row of scoreImages(run.file('guarded.onnx'), ['demo:noise:5'])) {
        images++;
        expect(row.reason !== '').to.equal(row.isOod);
        for (const pValue of [row.pValue, row.contentPValue!, row.conditionsPValue!])
          expect(pValue).to.be.within(1 / 101, 1);
      }
      expect(images).to.equal(5);
    });
  });
});

/** Ends in the probability of each class. */
function withSigmoid(model: ModelProto): ModelProto {
  const { graph } = model;
  const output = makeValueInfo('probabilities', { elemType: ElementType.float, shape: ['batch', 5] });
  return {
    ...model,
    graph: {
      ...graph,
      node: [...graph.node, makeNode('Sigmoid', ['logits'], 'probabilities')],
      output: [output],
    },
  };
}
