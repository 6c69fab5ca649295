import { clip, exp, hardSigmoid, hardSwish, leakyRelu, relu, sigmoid } from './activation.ts';
import { add, div, mul, sub } from './arithmetic.ts';
import { batchNormalization } from './batch-normalization.ts';
import { convolution } from './convolution.ts';
import { gemm, matMul } from './matrix-product.ts';
import { averagePool, globalAveragePool, maxPool } from './pooling.ts';
import { reduceMean, reduceSum } from './reduction.ts';
import type { Rule } from './rule.ts';
import { concat, identity, pad, reshape, slice, transpose } from './shape.ts';
import { logSoftmax } from './softmax.ts';

/** The operators of ONNX that have a gradient here. */
export const rules: Readonly<Record<string, Rule>> = {
  Add: add,
  AveragePool: averagePool,
  BatchNormalization: batchNormalization,
  Clip: clip,
  Concat: concat,
  Conv: convolution,
  Div: div,
  Exp: exp,
  Flatten: reshape,
  Gemm: gemm,
  GlobalAveragePool: globalAveragePool,
  HardSigmoid: hardSigmoid,
  HardSwish: hardSwish,
  Identity: identity,
  LeakyRelu: leakyRelu,
  LogSoftmax: logSoftmax,
  MatMul: matMul,
  MaxPool: maxPool,
  Mul: mul,
  Pad: pad,
  ReduceMean: reduceMean,
  ReduceSum: reduceSum,
  Relu: relu,
  Reshape: reshape,
  Sigmoid: sigmoid,
  Slice: slice,
  Squeeze: reshape,
  Sub: sub,
  Transpose: transpose,
  Unsqueeze: reshape,
};
