/** `la-ood/onnx`: ONNX graphs: files, functions from graph to graph, and running them. */

export type { DType, Tensor, TensorData } from '../common/tensor.ts';
export { checkModel } from '../graph/check.ts';
export { type TapCandidate, tapCandidates } from '../graph/classifier/candidates.ts';
export { type Classifier, describeClassifier } from '../graph/classifier/classifier.ts';
export { dynamicBatch } from '../graph/dynamic-batch.ts';
export type { ModelProto } from '../graph/onnx.ts';
export { type Normalization, type Preprocessing, prependPreprocessing } from '../graph/preprocessing.ts';
export { decodeModel, readModel } from '../graph/read.ts';
export { exposeTaps, getMetadata, pruneUnused, setMetadata } from '../graph/rewrite.ts';
export { inferShapes, type ValueType } from '../graph/shapes.ts';
export { encodeModel, writeModel } from '../graph/write.ts';
export { deviceNames } from '../runtime/device.ts';
export { GraphSession, type SessionOptions, type Tensors } from '../runtime/graph-session.ts';
