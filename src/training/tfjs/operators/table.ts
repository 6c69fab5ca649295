import { clip, dropout, hardSigmoid, hardSwish, identity, relu, sigmoid } from './activation.ts';
import { add, mul } from './arithmetic.ts';
import { convolution } from './convolution.ts';
import { gemm, matMul } from './linear.ts';
import { batchNormalization } from './normalisation.ts';
import type { Operator } from './operator.ts';
import { averagePool, globalAveragePool, maxPool, reduceMean } from './pooling.ts';
import { concat, flatten, pad, reshape, slice } from './shape.ts';

/** The operators of ONNX that can be trained through. */
export const operators: Readonly<Record<string, Operator>> = {
  Add: add,
  AveragePool: averagePool,
  BatchNormalization: batchNormalization,
  Clip: clip,
  Concat: concat,
  Conv: convolution,
  Dropout: dropout,
  Flatten: flatten,
  Gemm: gemm,
  GlobalAveragePool: globalAveragePool,
  HardSigmoid: hardSigmoid,
  HardSwish: hardSwish,
  Identity: identity,
  MatMul: matMul,
  MaxPool: maxPool,
  Mul: mul,
  Pad: pad,
  ReduceMean: reduceMean,
  Relu: relu,
  Reshape: reshape,
  Sigmoid: sigmoid,
  Slice: slice,
  Squeeze: reshape,
};
