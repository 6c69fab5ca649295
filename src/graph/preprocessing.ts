import { GraphError } from '../common/errors.ts';
import type { Attribute } from './builder.ts';
import { requireOpset } from './check.ts';
import { imageInput } from './classifier/image-input.ts';
import { makeNode, makeValueInfo } from './make.ts';
import { freshNames, renameValues } from './names.ts';
import { ElementType, type ModelProto, type NodeProto } from './onnx.ts';

/** The input that `prependPreprocessing` makes. */
export const PIXELS = 'pixels';

/** Mean and standard deviation of each channel, of values between 0 and 1. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** What a network wants done to bytes: (byte × scale - mean) / std, channel by channel. */
export interface Preprocessing extends Normalization {
  /** 1 / 255 where absent. */
  readonly scale?: number;
  /** The order of the network's channels, and of mean and std; RGB where absent. */
  readonly channelOrder?: 'RGB' | 'BGR';
}

/** The scale of ToTensor. */
export const UNIT_SCALE = 1 / 255;

/**
 * Puts the normalisation into the graph: its input becomes `pixels`, uint8 of N×H×W×3, whatever layout and element
 * type the network takes. The arithmetic is that of torchvision's ToTensor and Normalize, operation by operation, so
 * that the numbers are the same to the last bit.
 *
 * @param preprocessing absent for a network that takes bytes, and normalises by itself
 * @throws GraphError where the model has not one input of images, with as many channels as `mean` and `std`, or takes
 * bytes where there is a normalisation, or floats where there is none
 *
 * @example
 * ```ts
 * import { prependPreprocessing, readModel, writeModel } from 'la-ood/onnx';
 *
 * const ofPixels = prependPreprocessing(await readModel('resnet.onnx'), {
 *   mean: [0.485, 0.456, 0.406],
 *   std: [0.229, 0.224, 0.225],
 * });
 * await writeModel('resnet-of-pixels.onnx', ofPixels);
 * ```
 */
export function prependPreprocessing(model: ModelProto, preprocessing?: Preprocessing): ModelProto {
  const where = `graph ${model.graph.name}`;
  requireOpset(model, where);
  const image = imageInput(model, where);
  const { batch, channels, height, width, layout } = image;
  const isBytes = image.elemType === ElementType.uint8;
  if (isBytes !== (preprocessing === undefined))
    throw new GraphError(
      where,
      isBytes
        ? `its input ${image.name} is bytes, which are not normalised`
        : `its input ${image.name} is floats, and no normalisation is given`,
    );
  const { mean = [], std = mean, scale = UNIT_SCALE, channelOrder } = preprocessing ?? {};
  if (
    preprocessing &&
    (mean.length !== std.length || (typeof channels === 'number' && channels !== mean.length))
  )
    throw new GraphError(
      where,
      `its input has ${channels} channels, and there are ${mean.length} means and ${std.length} deviations`,
    );

  const fresh = freshNames(model);
  const nodes: NodeProto[] = [];
  let last = PIXELS;
  const add = (opType: string, stem: string, inputs: string[], attributes?: Record<string, Attribute>) => {
    const output = fresh(`${PIXELS}_${stem}`);
    nodes.push(makeNode(opType, [last, ...inputs], output, attributes));
    last = output;
  };
  // Constant nodes hold in every IR version; before 4 initializers would have to be inputs too.
  const constant = (stem: string, shape: number[], data: Float32Array | BigInt64Array) => {
    const output = fresh(`${PIXELS}_${stem}`);
    const dtype = data instanceof Float32Array ? 'float32' : 'int64';
    nodes.push(makeNode('Constant', [], output, { value: { dtype, shape, data } }));
    return output;
  };
  const own = new Map([[PIXELS, fresh(`${PIXELS}_normalized`)]]);
  const target = own.get(image.name) ?? image.name;
  const perChannel = layout === 'NCHW' ? [1, mean.length, 1, 1] : [1, 1, 1, mean.length];
  const each = (stem: string, values: readonly number[]) =>
    constant(stem, perChannel, Float32Array.from(values));

  if (channelOrder === 'BGR')
    add('Gather', 'bgr', [constant('order', [3], BigInt64Array.of(2n, 1n, 0n))], { axis: 3 });
  // Bytes are cheaper to transpose than floats.
  if (layout === 'NCHW') add('Transpose', 'planes', [], { perm: [0, 3, 1, 2] });
  if (!isBytes) {
    add('Cast', 'float', [], { to: ElementType.float });
    if (scale === UNIT_SCALE) add('Div', 'unit', [constant('scale', [], Float32Array.of(255))]);
    else if (scale !== 1) add('Mul', 'scaled_bytes', [constant('scale', [], Float32Array.of(scale))]);
    if (mean.some((value) => value !== 0)) add('Sub', 'centred', [each('mean', mean)]);
    if (std.some((value) => value !== 1)) add('Div', 'scaled', [each('std', std)]);
  }
  nodes.push(makeNode('Cast', [last], target, { to: image.elemType }));

  const { graph, ...rest } = renameValues(model, own);
  const pixels = makeValueInfo(PIXELS, {
    elemType: ElementType.uint8,
    shape: [batch, height, width, isBytes ? channels : mean.length],
  });
  return {
    ...rest,
    graph: {
      ...graph,
      node: [...nodes, ...graph.node],
      input: graph.input.map((input) => (input.name === target ? pixels : input)),
    },
  };
}
