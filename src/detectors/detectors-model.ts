import { advice, command, DetectorError } from '../common/errors.ts';
import { type Tensor, toFloat32 } from '../common/tensor.ts';
import { float, type GraphBuilder } from '../graph/builder.ts';
import { ElementType, type ModelProto } from '../graph/onnx.ts';
import { tensorFromProto } from '../graph/tensor-proto.ts';
import { kernelRows, supportVectorsOf } from './kernel-rows.ts';
import { layersModel, maximum } from './layer-aggregation.ts';
import type { LayerDetectors } from './layer-detectors.ts';
import type { LayerSvm } from './layer-svm.ts';

/** Metadata key that marks a file of detectors, and says how each was fitted. */
const DETECTORS_KEY = 'la_ood.detectors';

/** Metadata key of the hash of the backbone whose features the detectors were fitted on. */
export const BACKBONE_KEY = 'la_ood.backbone_sha256';

/** Standardised features are cut off here, a million standard deviations out. */
const FARTHEST = 1e6;

/** What the metadata say of a layer; its arrays are initializers. */
type DetectorRecord = Pick<LayerSvm, 'tap' | 'nu' | 'gamma' | 'fit'>;

/**
 * Fitted one-class SVMs as one ONNX model, with the maximum over the layers; see `layersModel`. A layer's score is
 * rho − Σ_j alpha_j exp(−γ|sv_j − z|²) of the standardised value z: positive outside.
 *
 * The kernel is one MatMul and one Exp of augmented vectors, as in `RbfKernel`; onnxruntime's own `SVMRegressor` is a
 * scalar loop, and some twenty times slower.
 *
 * @param metadata further entries, for instance what the detectors were fitted on
 *
 * @example
 * ```ts
 * import { detectorsModel, detectorsOfModel } from 'la-ood/methods';
 * import { readModel, writeModel } from 'la-ood/onnx';
 *
 * const detectors = detectorsOfModel(await readModel('detectors.onnx'), 'detectors.onnx');
 * await writeModel('first.onnx', detectorsModel(detectors.slice(0, 1)));
 * ```
 */
export function detectorsModel(
  detectors: readonly LayerSvm[],
  metadata: Readonly<Record<string, string>> = {},
): ModelProto {
  const records = detectors.map(({ tap, nu, gamma, fit }): DetectorRecord => ({ tap, nu, gamma, fit }));
  const widths = new Map(detectors.map(({ tap, width }) => [tap, width]));
  const oneByOne: LayerDetectors = {
    groups: detectors.map(({ tap }) => [tap]),
    addScores(graph, which, name) {
      const scores = which.map((d) => addScore(graph, detectors[d]));
      graph.node('Concat', scores, { name, attributes: { axis: 1 } });
    },
  };
  return layersModel(oneByOne, widths, maximum, { ...metadata, [DETECTORS_KEY]: JSON.stringify(records) });
}

/** Whether a model is one that `detectorsModel` made. */
export function holdsDetectors(model: ModelProto): boolean {
  return model.metadataProps.some(({ key }) => key === DETECTORS_KEY);
}

/**
 * The detectors of a model that `detectorsModel` made.
 *
 * @param where the file, for errors
 * @throws DetectorError where the model holds none, or lacks a part of one
 *
 * @example
 * ```ts
 * import { detectorsOfModel } from 'la-ood/methods';
 * import { readModel } from 'la-ood/onnx';
 *
 * const path = 'runs/mine/detectors.onnx';
 * for (const { tap, gamma, rho } of detectorsOfModel(await readModel(path), path)) console.log(tap, gamma, rho);
 * ```
 */
export function detectorsOfModel(model: ModelProto, where: string): LayerSvm[] {
  const entry = model.metadataProps.find(({ key }) => key === DETECTORS_KEY);
  if (!entry)
    throw new DetectorError(
      where,
      'is no file of detectors',
      advice`give the detectors.onnx that ${command('fit')} wrote`,
    );
  const tensors = new Map(model.graph.initializer.map((proto) => [proto.name, proto]));
  return (JSON.parse(entry.value) as DetectorRecord[]).map(({ tap, nu, gamma, fit }) => {
    const values = (part: string): Tensor => {
      const proto = tensors.get(`${tap}/${part}`);
      if (!proto)
        throw new DetectorError(`${where}: layer ${tap}`, `its ${part} are missing`, 'fit it again');
      return tensorFromProto(proto, `${where}: ${tap}/${part}`);
    };
    const mean = values('mean').data as Float64Array;
    const width = mean.length;
    const rows = toFloat32(values('rows'));
    return {
      tap,
      width,
      nu,
      gamma,
      fit,
      scaler: { mean, scale: values('scale').data as Float64Array },
      supportVectors: supportVectorsOf(rows, width, gamma),
      alpha: toFloat32(values('alpha')),
      rho: toFloat32(values('rho'))[0],
    };
  });
}

/** Adds the nodes that score one layer. Gives the name of its score, `[batch, 1]`. */
function addScore(graph: GraphBuilder, detector: LayerSvm): string {
  const { tap, width, scaler, alpha, rho } = detector;
  const count = alpha.length;
  const constant = (part: string, tensor: Tensor) => graph.initializer(`${tap}/${part}`, tensor);
  const node = (opType: string, inputs: string[], name: string, attributes = {}) =>
    graph.node(opType, inputs, { name: `${tap}/${name}`, attributes });

  // Standardised in float64: a feature whose mean is large against its spread would lose its digits in float32.
  const double = node('Cast', [tap], 'double', { to: ElementType.double });
  const centered = node('Sub', [double, constant('mean', float64([width], scaler.mean))], 'centred');
  const scaled = node('Div', [centered, constant('scale', float64([width], scaler.scale))], 'scaled');
  // No training sample is so far out that its kernel reaches beyond; unbounded, |z|² − |z|² could be ∞ − ∞.
  const bounds = [constant('lowest', float64([], [-FARTHEST])), constant('highest', float64([], [FARTHEST]))];
  const near = node('Clip', [scaled, ...bounds], 'near');
  const z = node('Cast', [near], 'standardised', { to: ElementType.float });

  const norm = node('ReduceSumSquare', [z, constant('axis', int64([1]))], 'norm', { keepdims: 1 });
  const one = node('ConstantOfShape', [node('Shape', [norm], 'norm_shape')], 'one', {
    value: float32([1], Float32Array.of(1)),
  });
  const point = node('Concat', [z, norm, one], 'point', { axis: 1 });
  const rows = constant('rows', float32([count, width + 2], kernelRows(detector)));
  const kernel = node('Exp', [node('Gemm', [point, rows], 'exponent', { transB: 1 })], 'kernel');
  const weights = constant('alpha', float32([count, 1], alpha));
  const offset = constant('rho', float32([1], Float32Array.of(rho)));
  return node('Gemm', [kernel, weights, offset], 'score', { alpha: float(-1) });
}

const float32 = (shape: number[], data: Float32Array): Tensor => ({ dtype: 'float32', shape, data });
const float64 = (shape: number[], data: ArrayLike<number>): Tensor => ({
  dtype: 'float64',
  shape,
  data: Float64Array.from(data),
});
const int64 = (values: number[]): Tensor => ({
  dtype: 'int64',
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});
