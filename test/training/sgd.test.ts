import { expect } from 'chai';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { nextOf } from '../../src/graph/gradient/output-names.ts';
import { ElementType } from '../../src/graph/onnx.ts';
import type { SgdOptions } from '../../src/training/engine.ts';
import { appendSgd, DECAY, MOMENTUM, RATE, SHARE, velocityOf } from '../../src/training/onnx/sgd-graph.ts';
import { opened, type Values } from '../graph/gradient/session.ts';

const [rate, momentum, weightDecay] = [0.1, 0.9, 0.01];
const gradients = [
  [1, -2, 0.5],
  [0.25, 1, -1],
];
const start = [0.3, -0.4, 2];

describe('stochastic gradient descent as a graph', () => {
  it("is PyTorch's, with Nesterov's momentum and without", async () => {
    for (const nesterov of [false, true]) {
      let [weight, velocity] = [start, [0, 0, 0]];
      const moved = await moves({ momentum, weightDecay, nesterov });
      for (const [step, raw] of gradients.entries()) {
        const gradient = raw.map((value, i) => value + weightDecay * weight[i]);
        velocity = gradient.map((value, i) => value + momentum * velocity[i]);
        const direction = nesterov ? gradient.map((value, i) => value + momentum * velocity[i]) : velocity;
        weight = weight.map((value, i) => value - rate * direction[i]);
        moved[step].forEach((value, i) => {
          expect(value).closeTo(weight[i], 1e-6);
        });
      }
    }
  });

  it('shrinks gradients that are longer than they may be, and no others', async () => {
    const plain = { momentum: 0, weightDecay: 0 };
    const [free] = await moves(plain);
    const [loose] = await moves({ ...plain, clip: 100 });
    expect(loose).deep.equals(free);
    const [short] = await moves({ ...plain, clip: 0.5 });
    const length = Math.sqrt(short.reduce((sum, value, i) => sum + ((start[i] - value) / rate) ** 2, 0));
    expect(length).closeTo(0.5, 1e-5);
  });

  /** The weight after each step. */
  async function moves(options: SgdOptions): Promise<number[][]> {
    const builder = new GraphBuilder('given');
    builder.input('w', ElementType.float, [3]);
    builder.input('g', ElementType.float, [3]);
    builder.node('Identity', ['g'], { name: 'gradient/w' });
    builder.output('gradient/w', ElementType.float, [3]);
    const run = await opened(appendSgd(builder.build(), new Map([['w', [3]]]), options));
    const list = (values: Iterable<number>) => ({ data: Float32Array.from(values), shape: [3] });
    const scalar = (value: number) => ({ data: Float32Array.of(value), shape: [] });
    let state: Values = { w: list(start), [velocityOf('w')]: list([0, 0, 0]) };
    const found: number[][] = [];
    for (const g of gradients) {
      const scalars = {
        [RATE]: scalar(rate),
        [MOMENTUM]: scalar(options.momentum),
        [DECAY]: scalar(options.weightDecay),
        [SHARE]: scalar(1),
      };
      const results = await run({ ...state, ...scalars, g: list(g) });
      state = { w: list(results[nextOf('w')]), [velocityOf('w')]: list(results[nextOf(velocityOf('w'))]) };
      found.push([...results[nextOf('w')]]);
    }
    return found;
  }
});
