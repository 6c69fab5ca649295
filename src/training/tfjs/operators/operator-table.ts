import { clip, dropout, hardSigmoid, hardSwish, identity, relu, sigmoid } from './activation-operators.ts';
import { add, mul } from './arithmetic-operators.ts';
import { convolution } from './convolution-operators.ts';
import { gemm, matMul } from './linear-operators.ts';
import { batchNormalization } from './normalization-operators.ts';
import type { Operator } from './operator.ts';
import { averagePool, globalAveragePool, maxPool, reduceMean } from './pooling-operators.ts';
import { concat, flatten, pad, reshape, slice } from './shape-operators.ts';

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
