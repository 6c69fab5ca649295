import type { Tensor } from '../common/tensor.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { type AddNode, addStandardized } from './distance-scores.ts';
import type { LayerDetectors } from './layer-detectors.ts';
import type { LayerSvm } from './layer-svm.ts';

/**
 * One-class SVMs as the detectors of a guard. A layer's score is rho − Σ_j alpha_j exp(−γ|sv_j − z|²) of the standardised
 * value z: positive outside. It is `detectorsModel`'s, but all layers are standardised together, in float32, and layers of
 * one width are one product: at a batch of one image, many small nodes cost more than their arithmetic.
 */
export function oneClassSvms(detectors: readonly LayerSvm[]): LayerDetectors {
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

/** In one product the largest SVM has at most this many times the support vectors of the smallest. */
const UNEVEN = 2;

/** Support vectors of one product, at most: for each of a thousand images there is a kernel value of each. */
const MOST_VECTORS = 16_384;

function addSvmScores(graph: GraphBuilder, detectors: readonly LayerSvm[], name: string): void {
  const constant = (word: string, tensor: Tensor) => graph.initializer(`${name}/${word}`, tensor);
  const node: AddNode = (opType, inputs, word, attributes = {}) =>
    graph.node(opType, inputs, { name: `${name}/${word}`, attributes: { ...attributes } });
  const floats = (word: string, shape: number[], data: Float32Array) =>
    constant(word, { dtype: 'float32', shape, data });
  const int64s = (word: string, values: readonly number[]) => graph.int64s(`${name}/${word}`, values);

  const z = addStandardized(
    detectors.map(({ tap, scaler }) => ({ taps: [tap], scaler })),
    node,
    constant,
  );
  const { starts, total, isOfLayer } = placesOf(detectors);
  const squares = node('Mul', [z, z], 'squares');
  const norms = node(
    'MatMul',
    [squares, floats('is_of_layer', [total, detectors.length], isOfLayer)],
    'norms',
  );
  // An image a column, so that a layer's rows can be taken in any order and number.
  const values = node('Concat', [z, norms], 'values_and_norms', { axis: 1 });
  const columns = node('Transpose', [values], 'columns', { perm: [1, 0] });

  const order: number[] = [];
  const sums = similar(detectors).map((members, product) => {
    order.push(...members);
    const word = (what: string) => `${what}_${product}`;
    const { width } = detectors[members[0]];
    const layers = members.length;
    const rows = members.flatMap((d) => [
      ...Array.from({ length: width }, (_, j) => starts[d] + j),
      total + d,
    ]);
    const indices = constant(word('indices'), {
      dtype: 'int64',
      shape: [layers, width + 1],
      data: BigInt64Array.from(rows, BigInt),
    });
    const points = node('Gather', [columns, indices], word('points'), { axis: 0 });
    const kernels = kernelsOf(
      members.map((d) => detectors[d]),
      width,
    );
    const { count } = kernels;
    const vectors = floats(word('vectors'), [layers, count, width + 1], kernels.vectors);
    const products = node('MatMul', [vectors, points], word('products'));
    const offsets = floats(word('offsets'), [layers, count, 1], kernels.offsets);
    const kernel = node('Exp', [node('Add', [products, offsets], word('exponents'))], word('kernel'));
    const alphas = floats(word('alpha'), [layers, 1, count], kernels.alphas);
    const weighted = node('MatMul', [alphas, kernel], word('weighted'));
    return node('Reshape', [weighted, int64s(word('flat'), [layers, -1])], word('sums'));
  });
  const together = node('Concat', sums, 'together', { axis: 0 });
  const places = detectors.map((_, d) => order.indexOf(d));
  const inOrder = node('Gather', [together, int64s('places', places)], 'in_order', { axis: 0 });
  const byImage = node('Transpose', [inOrder], 'by_image', { perm: [1, 0] });
  const edges = Float32Array.from(detectors, ({ rho }) => rho);
  graph.node('Sub', [floats('rho', [detectors.length], edges), byImage], { name });
}

/** Where each layer's values begin, and of which layer each value is, as a matrix of ones: values × layers. */
function placesOf(detectors: readonly LayerSvm[]) {
  const total = detectors.reduce((sum, { width }) => sum + width, 0);
  const isOfLayer = new Float32Array(total * detectors.length);
  const starts: number[] = [];
  let start = 0;
  detectors.forEach(({ width }, d) => {
    starts.push(start);
    for (let j = start; j < start + width; j++) isOfLayer[j * detectors.length + d] = 1;
    start += width;
  });
  return { starts, total, isOfLayer };
}

/** Detectors of one width and of about as many support vectors. */
function similar(detectors: readonly LayerSvm[]): number[][] {
  const size = (d: number) => detectors[d].alpha.length;
  const bySize = [...detectors.keys()].sort(
    (a, b) => detectors[a].width - detectors[b].width || size(a) - size(b),
  );
  const groups: number[][] = [];
  for (const d of bySize) {
    const group = groups.at(-1);
    const fits =
      group &&
      detectors[group[0]].width === detectors[d].width &&
      size(d) <= UNEVEN * size(group[0]) &&
      size(d) * (group.length + 1) <= MOST_VECTORS;
    if (fits) group.push(d);
    else groups.push([d]);
  }
  return groups;
}

/**
 * −γ|sv − z|² as a product with `[z, |z|²]`: the rows `[2γ sv, −γ]`, and the offsets −γ|sv|². SVMs with fewer support
 * vectors than the largest are filled up by some of no weight.
 */
function kernelsOf(svms: readonly LayerSvm[], width: number) {
  const count = Math.max(...svms.map(({ alpha }) => alpha.length));
  const vectors = new Float32Array(svms.length * count * (width + 1));
  const offsets = new Float32Array(svms.length * count);
  const alphas = new Float32Array(svms.length * count);
  svms.forEach(({ supportVectors, gamma, alpha }, s) => {
    alphas.set(alpha, s * count);
    for (let i = 0; i < alpha.length; i++) {
      const row = (s * count + i) * (width + 1);
      let norm = 0;
      for (let j = 0; j < width; j++) {
        const value = supportVectors[i * width + j];
        vectors[row + j] = 2 * gamma * value;
        norm += value * value;
      }
      vectors[row + width] = -gamma;
      offsets[s * count + i] = -gamma * norm;
    }
  });
  return { count, vectors, offsets, alphas };
}
