import type { GraphBuilder } from '../graph/builder.ts';
import { NodeScope } from '../graph/node-scope.ts';
import { addStandardized } from './distance-scores.ts';
import { kernelRows } from './kernel-rows.ts';
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
  const nodes = new NodeScope(graph, name);
  const z = addStandardized(
    detectors.map(({ tap, scaler }) => ({ taps: [tap], scaler })),
    nodes,
  );
  const { starts, total, isOfLayer } = placesOf(detectors);
  const squares = nodes.node('Mul', [z, z], 'squares');
  const norms = nodes.node(
    'MatMul',
    [squares, nodes.floats('is_of_layer', [total, detectors.length], isOfLayer)],
    'norms',
  );
  // An image a column, so that a layer's rows can be taken in any order and number.
  const values = nodes.node('Concat', [z, norms], 'values_and_norms', { axis: 1 });
  const columns = nodes.node('Transpose', [values], 'columns', { perm: [1, 0] });

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
    const indices = nodes.tensor(word('indices'), {
      dtype: 'int64',
      shape: [layers, width + 1],
      data: BigInt64Array.from(rows, BigInt),
    });
    const points = nodes.node('Gather', [columns, indices], word('points'), { axis: 0 });
    const kernels = kernelsOf(
      members.map((d) => detectors[d]),
      width,
    );
    const { count } = kernels;
    const vectors = nodes.floats(word('vectors'), [layers, count, width + 1], kernels.vectors);
    const products = nodes.node('MatMul', [vectors, points], word('products'));
    const offsets = nodes.floats(word('offsets'), [layers, count, 1], kernels.offsets);
    const kernel = nodes.node(
      'Exp',
      [nodes.node('Add', [products, offsets], word('exponents'))],
      word('kernel'),
    );
    const alphas = nodes.floats(word('alpha'), [layers, 1, count], kernels.alphas);
    const weighted = nodes.node('MatMul', [alphas, kernel], word('weighted'));
    return nodes.node('Reshape', [weighted, nodes.int64s(word('flat'), [layers, -1])], word('sums'));
  });
  const together = nodes.node('Concat', sums, 'together', { axis: 0 });
  const places = detectors.map((_, d) => order.indexOf(d));
  const inOrder = nodes.node('Gather', [together, nodes.int64s('places', places)], 'in_order', { axis: 0 });
  const byImage = nodes.node('Transpose', [inOrder], 'by_image', { perm: [1, 0] });
  const edges = Float32Array.from(detectors, ({ rho }) => rho);
  graph.node('Sub', [nodes.floats('rho', [detectors.length], edges), byImage], { name });
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
  svms.forEach((svm, s) => {
    const rows = kernelRows(svm);
    alphas.set(svm.alpha, s * count);
    for (let i = 0; i < svm.alpha.length; i++) {
      const row = rows.subarray(i * (width + 2), (i + 1) * (width + 2));
      vectors.set(row.subarray(0, width + 1), (s * count + i) * (width + 1));
      offsets[s * count + i] = row[width + 1];
    }
  });
  return { count, vectors, offsets, alphas };
}
