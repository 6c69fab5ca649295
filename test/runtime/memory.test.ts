import { expect } from 'chai';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { largestLiveBytes } from '../../src/graph/live-bytes.ts';
import { ElementType } from '../../src/graph/onnx.ts';
import { prependPreprocessing } from '../../src/graph/preprocessing.ts';
import { rowsAtOnce } from '../../src/pipeline/features/feature-rows.ts';
import { fastestBatchSize } from '../../src/runtime/batch-size.ts';
import { planMemory } from '../../src/runtime/memory.ts';
import { SessionPool } from '../../src/runtime/session-pool.ts';
import { convolutionalNet } from '../graph/classifier/networks.ts';

const MIB = 2 ** 20;

describe('the memory that running a graph takes', () => {
  it('is what is alive at once, for an image', () => {
    // In a block the shortcut, the inner convolution and its activation are: 3 × 4 channels of 8 × 8 float32.
    const plane = 4 * 8 * 8;
    expect(largestLiveBytes(convolutionalNet())).to.equal(3 * 4 * plane);
    // Whatever the batch is called, and however many blocks follow each other.
    expect(largestLiveBytes(convolutionalNet({ batch: 'N', blocks: 5 }))).to.equal(3 * 4 * plane);
  });

  it('bounds the batch first, and then the sessions', () => {
    const large = convolutionalNet({ size: 512 });
    const image = 3.5 * largestLiveBytes(large);
    const plan = (mib: number, cores: number) => planMemory(large, mib * MIB, cores);
    expect(plan(100_000, 2)).to.deep.equal({ sessions: 2, largestBatch: 128 });
    const { sessions, largestBatch } = plan(1200, 4);
    expect(sessions).to.equal(4);
    expect(sessions * largestBatch * image).to.be.at.most((1200 - 400) * MIB);
    expect(plan(700, 4).sessions).to.be.below(4);
    expect(plan(1, 4)).to.deep.equal({ sessions: 1, largestBatch: 1 });
  });

  it('bounds the rows of features that are scored at once, which are never very few', () => {
    const graph = new GraphBuilder('scorer');
    const data = new Float32Array(8 * 100_000);
    const bank = graph.initializer('bank', { dtype: 'float32', shape: [8, 100_000], data });
    const similarities = graph.node('MatMul', [graph.input('x', ElementType.float, ['batch', 8]), bank]);
    const score = graph.node('ReduceMax', [similarities], { name: 'score', attributes: { keepdims: 0 } });
    graph.output(score, ElementType.float, ['batch', 100_000]);
    const model = graph.build();
    expect(rowsAtOnce(model)).to.equal(1000);
    const row = 3.5 * largestLiveBytes(model);
    expect(rowsAtOnce(model, 500 * MIB)).to.be.within(16, (100 * MIB) / row);
    expect(rowsAtOnce(model, 1)).to.equal(16);
  });

  it('is kept to while the batch size is measured, which says what it does', async () => {
    const preprocessing = { mean: [0, 0, 0], std: [1, 1, 1] };
    const model = prependPreprocessing(convolutionalNet({ size: 256 }), preprocessing);
    const pool = await SessionPool.open(model, 'cpu', 500 * MIB);
    const tasks = new Set<string>();
    const sizes: number[] = [];
    const feedsOf = (count: number) => {
      sizes.push(count);
      const data = new Uint8Array(count * 256 * 256 * 3);
      return { pixels: { dtype: 'uint8', shape: [count, 256, 256, 3], data } } as const;
    };
    try {
      const batch = await fastestBatchSize(pool, feedsOf, ({ task }) => tasks.add(task));
      expect(sizes).to.include(batch);
      expect(Math.max(...sizes)).to.be.at.most(pool.largestBatch);
      expect([...tasks]).to.deep.equal(['measuring the batch size']);
    } finally {
      await pool.close();
    }
  });
});
