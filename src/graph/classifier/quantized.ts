import type { ModelProto, NodeProto } from '../onnx.ts';
import type { ImageFlow } from './image-flow.ts';

/**
 * The ways in which onnxruntime's tools quantise a network to 8 bits.
 *
 * - `QDQ`: static, a QuantizeLinear and a DequantizeLinear beside each operator of floats
 * - `dynamic`: DynamicQuantizeLinear takes the range of a whole batch, integers are multiplied, and what comes out is scaled
 * - `QOperator`: static, operators that take and yield integers (`QLinearConv`)
 */
export type Quantization = 'QDQ' | 'dynamic' | 'QOperator';

/** Operators that take the range of all images of a batch together. */
const ofBatchRange = new Set(['DynamicQuantizeLinear', 'DynamicQuantizeMatMul', 'DynamicQuantizeLSTM']);

/** How a network is quantised; undefined where it is not. */
export function quantizationOf({ graph }: ModelProto): Quantization | undefined {
  const has = (test: (operator: string) => boolean) => graph.node.some(({ opType }) => test(opType));
  if (has((operator) => ofBatchRange.has(operator))) return 'dynamic';
  if (has((operator) => /^(QLinear|QGemm$)/.test(operator))) return 'QOperator';
  return has((operator) => operator === 'QuantizeLinear') ? 'QDQ' : undefined;
}

/**
 * The value that the network goes on with: where all that a value is for is to be quantised, what it is after that. Read
 * there, it costs nothing: onnxruntime computes the operators around it with integers as if nobody read it.
 */
export function asQuantized(flow: ImageFlow, value: string): string {
  return dequantized(flow, value)[0]?.output[0] ?? value;
}

/** The nodes that take a value, be it quantised before. */
export function usersBeyond(flow: ImageFlow, value: string): readonly NodeProto[] {
  const read = dequantized(flow, value);
  return read.length > 0 ? read.flatMap(({ output }) => flow.users(output[0])) : flow.users(value);
}

/** The nodes that dequantise a value, where all that it is for is to be quantised. */
function dequantized(flow: ImageFlow, value: string): readonly NodeProto[] {
  const [quantize, ...others] = flow.users(value);
  if (quantize?.opType !== 'QuantizeLinear' || others.length > 0) return [];
  const users = flow.users(quantize.output[0]);
  return users.every(({ opType }) => opType === 'DequantizeLinear') ? users : [];
}

/** What an operator of integers is called where it is one of floats. */
const ofFloats: Readonly<Record<string, string>> = { ConvInteger: 'Conv', MatMulInteger: 'MatMul' };

/**
 * Where the product of integers is a float again: its own scale is multiplied, and a bias added.
 *
 * @returns by the value's name, the operator of floats that it stands for
 */
export function integerProducts(flow: ImageFlow): Map<string, string> {
  const products = new Map<string, string>();
  for (const { opType, output } of flow.nodes) {
    const operator = ofFloats[opType];
    if (!operator) continue;
    let [value] = output;
    for (const step of ['Cast', 'Mul', 'Add']) {
      const [user, ...others] = flow.users(value);
      const isBias = user?.input.filter(flow.carries).length === 1;
      if (user?.opType === step && others.length === 0 && (step !== 'Add' || isBias)) [value] = user.output;
    }
    products.set(value, operator);
  }
  return products;
}
