import type { Tensor } from '../common/tensor.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { type AddNode, addStandardised } from './distance-scores.ts';
import type { LayerDetector } from './fit-layer.ts';
import type { LayerDetectors } from './layer-detectors.ts';

/**
 * One-class SVMs as the detectors of a guard. A layer's score is rho − Σ_j alpha_j exp(−γ|sv_j − z|²) of the standardised
 * value z: positive outside. It is `detectorsModel`'s, but all layers are standardised together, in float32, and three
 * nodes are left for each: at a batch of one image, many small nodes cost more than their arithmetic.
 */
export function oneClassSvms(detectors: readonly LayerDetector[]): LayerDetectors {
  return {
    groups: detectors.map(({ tap }) => [tap]),
    addScores: (graph, which, name) =>
      addSvmScores(
        graph,
        which.map((d) => detectors[d]),
        name,
      ),
  };
}

function addSvmScores(graph: GraphBuilder, detectors: readonly LayerDetector[], name: string): void {
  const constant = (word: string, tensor: Tensor) => graph.initializer(`${name}/${word}`, tensor);
  const node: AddNode = (opType, inputs, word, attributes = {}) =>
    graph.node(opType, inputs, { name: `${name}/${word}`, attributes: { ...attributes } });
  const floats = (word: string, shape: number[], data: Float32Array) =>
    constant(word, { dtype: 'float32', shape, data });

  const watched = detectors.map(({ tap, scaler }) => ({ taps: [tap], scaler }));
  const z = addStandardised(watched, node, constant);
  const points = addPoints(graph, detectors, z, name, node, floats);
  const sums = detectors.map((detector, d) => {
    const { width, alpha } = detector;
    const count = alpha.length;
    const { rows, offsets } = kernelOf(detector);
    const vectors = floats(`vectors_${d}`, [count, width + 1], rows);
    const exponent = node(
      'Gemm',
      [points[d], vectors, floats(`offsets_${d}`, [count], offsets)],
      `exponent_${d}`,
      { transB: 1 },
    );
    const kernel = node('Exp', [exponent], `kernel_${d}`);
    // Not Gemm, which would pack a matrix of one column as one of sixteen.
    return node('MatMul', [kernel, floats(`alpha_${d}`, [count, 1], alpha)], `sum_${d}`);
  });
  const edges = floats(
    'rho',
    [detectors.length],
    Float32Array.from(detectors, ({ rho }) => rho),
  );
  graph.node('Sub', [edges, node('Concat', sums, 'sums', { axis: 1 })], { name });
}

/** Adds `[z, |z|²]` of each layer, of the standardised values of all layers side by side. */
function addPoints(
  graph: GraphBuilder,
  detectors: readonly LayerDetector[],
  z: string,
  name: string,
  node: AddNode,
  floats: (word: string, shape: number[], data: Float32Array) => string,
): string[] {
  const layers = detectors.length;
  const total = detectors.reduce((sum, { width }) => sum + width, 0);
  const isOfLayer = new Float32Array(total * layers);
  const columns: number[] = [];
  let start = 0;
  detectors.forEach(({ width }, d) => {
    for (let j = start; j < start + width; j++) {
      isOfLayer[j * layers + d] = 1;
      columns.push(j);
    }
    columns.push(total + d);
    start += width;
  });
  const squares = node('Mul', [z, z], 'squares');
  const norms = node('MatMul', [squares, floats('is_of_layer', [total, layers], isOfLayer)], 'norms');
  const together = node('Concat', [z, norms], 'values_and_norms', { axis: 1 });
  const byLayer = node('Gather', [together, graph.int64s(`${name}/columns`, columns)], 'by_layer', {
    axis: 1,
  });
  const sizes = graph.int64s(
    `${name}/sizes`,
    detectors.map(({ width }) => width + 1),
  );
  const points = detectors.map((_, d) => `${name}/point_${d}`);
  graph.node('Split', [byLayer, sizes], { name: `${name}/points`, outputs: points, attributes: { axis: 1 } });
  return points;
}

/** −γ|sv − z|² as a product with `[z, |z|²]`: the rows `[2γ sv, −γ]`, and the offsets −γ|sv|². */
function kernelOf({ supportVectors, width, gamma }: LayerDetector): {
  rows: Float32Array;
  offsets: Float32Array;
} {
  const count = supportVectors.length / width;
  const rows = new Float32Array(count * (width + 1));
  const offsets = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let norm = 0;
    for (let j = 0; j < width; j++) {
      const value = supportVectors[i * width + j];
      rows[i * (width + 1) + j] = 2 * gamma * value;
      norm += value * value;
    }
    rows[i * (width + 1) + width] = -gamma;
    offsets[i] = -gamma * norm;
  }
  return { rows, offsets };
}
