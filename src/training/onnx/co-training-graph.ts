import { GraphError } from '../../common/errors.ts';
import type { LayerSvm } from '../../detectors/layer-svm.ts';
import type { Extension } from '../../graph/gradient/extend.ts';
import { ElementType } from '../../graph/onnx.ts';
import type { ValueType } from '../../graph/shapes.ts';

/** The input that holds what each layer's density is multiplied by in the loss, L × 1. */
export const FACTORS = 'training/factors';
/** The inputs that hold mean and scale of layer number l's pooled features. */
export const meanOf = (layer: number) => `training/mean/${layer}`;
export const scaleOf = (layer: number) => `training/scale/${layer}`;

/**
 * Writes what the detectors add to the loss: the sum, over layers and images, of the layer's factor and Σ_j α_j K(z, sv_j).
 * z is the standardised pooled feature.
 */
export function densitiesGraph(
  write: Extension,
  detectors: readonly LayerSvm[],
  types: ReadonlyMap<string, ValueType>,
  where: string,
): string {
  const densities = detectors.map((detector, layer) => {
    const rank = types.get(detector.tap)?.shape?.length;
    if (rank !== 2 && rank !== 4)
      throw new GraphError(where, `its value ${detector.tap} is no layer that detectors look at`);
    const pooled =
      rank === 4 ? write.node('Flatten', [write.node('GlobalAveragePool', [detector.tap])]) : detector.tap;
    return density(write, pooled, layer, detector);
  });
  const factors = write.input(FACTORS, ElementType.float, [detectors.length, 1]);
  const all = write.node('Concat', densities, { axis: 1 });
  return write.sum(write.node('MatMul', [all, factors]), [0, 1]);
}

/** Σ_j α_j exp(−γ |z − sv_j|²) of each image, N × 1. */
function density(
  write: Extension,
  pooled: string,
  layer: number,
  { width, gamma, supportVectors, alpha }: LayerSvm,
): string {
  const count = alpha.length;
  const [mean, scale] = [meanOf(layer), scaleOf(layer)].map((name) =>
    write.input(name, ElementType.float, [width]),
  );
  const z = write.node('Div', [write.node('Sub', [pooled, mean]), scale]);
  const [columns, squares] = [new Float32Array(width * count), new Float32Array(count)];
  for (let j = 0; j < count; j++)
    for (let i = 0; i < width; i++) {
      const value = supportVectors[j * width + i];
      columns[i * count + j] = value;
      squares[j] += value * value;
    }
  const constant = (data: Float32Array, shape: number[]) => write.tensor({ dtype: 'float32', shape, data });
  const products = write.node('MatMul', [z, constant(columns, [width, count])]);
  const lengths = write.node('Add', [
    write.sum(write.node('Mul', [z, z]), [1], true),
    constant(squares, [1, count]),
  ]);
  const distances = write.node('Sub', [lengths, write.node('Mul', [products, write.floats(2)])]);
  const kernel = write.node('Exp', [write.node('Mul', [distances, write.floats(-gamma)])]);
  return write.node('MatMul', [kernel, constant(Float32Array.from(alpha), [count, 1])]);
}
