import { headMeans } from './head-moments.ts';
import type { Method } from './method.ts';
import { addNormalized, normalize } from './operators.ts';

/**
 * Cosine similarity to class means: 1 − max_k cos(x, μ_k), μ_k the mean head input of the training images of class k; classes
 * without images are left out.
 *
 * Paper: Techapanurak, Suganuma and Okatani, "Hyperparameter-free out-of-distribution detection using cosine similarity", ACCV
 * 2020, whose networks are trained with it; here it is taken of any. No settings. Cost: width products for each class.
 */
export const cosine: Method = {
  name: 'cosine',
  title: 'cosine',
  needs: ['head input'],
  settings: {},
  async fit(training) {
    const { width } = training;
    const { classMeans, classCounts } = await headMeans(training, { normalized: false });
    const present = [...classCounts.keys()].filter((k) => classCounts[k] > 0);
    const means = new Float32Array(present.length * width);
    present.forEach((k, row) => {
      means.set(classMeans.subarray(k * width, (k + 1) * width), row * width);
    });
    const directions = normalize(means, width);
    return {
      addScore(nodes, { headInput }) {
        const rows = nodes.floats('means', [present.length, width], directions);
        const cosines = nodes.node('Gemm', [addNormalized(nodes, headInput), rows], 'cosines', { transB: 1 });
        const nearest = nodes.reduce('ReduceMax', cosines, 1, 'nearest');
        return nodes.node('Sub', [nodes.float('one', 1), nearest], 'distance');
      },
    };
  },
};
