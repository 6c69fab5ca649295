import { GraphError } from '../common/errors.ts';
import type { Attribute } from './builder.ts';
import { requireOpset } from './check.ts';
import { makeNode, makeValueInfo } from './make.ts';
import { freshNames, renameValues } from './names.ts';
import { ElementType, type ModelProto, type NodeProto } from './onnx.ts';
import { inferShapes, type Shape } from './shapes.ts';
import { requiredInputs } from './topology.ts';

/** The input that `prependPreprocessing` makes. */
const PIXELS = 'pixels';

/** Mean and standard deviation of each channel, of values between 0 and 1. */
export interface Normalisation {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * Puts the normalisation into the graph: its input becomes `pixels`, uint8 of N×H×W×C. The arithmetic is that of
 * torchvision's ToTensor and Normalize, operation by operation, so that the numbers are the same to the last bit.
 *
 * @throws GraphError where the model has not one input, of N×C×H×W floats with as many channels as `mean` and `std`
 */
export function prependPreprocessing(model: ModelProto, { mean, std }: Normalisation): ModelProto {
  const where = `graph ${model.graph.name}`;
  requireOpset(model, where);
  const image = imageInput(model, where);
  const [batch, channels, height, width] = image.shape;
  if (mean.length !== std.length || (typeof channels === 'number' && channels !== mean.length))
    throw new GraphError(
      where,
      `its input has ${channels} channels, and there are ${mean.length} means and ${std.length} deviations`,
    );

  const fresh = freshNames(model);
  const nodes: NodeProto[] = [];
  const add = (opType: string, input: string[], output: string, attributes?: Record<string, Attribute>) => {
    nodes.push(makeNode(opType, input, output, attributes));
    return output;
  };
  // Constant nodes hold in every IR version; before 4 initializers would have to be inputs too.
  const constant = (stem: string, shape: number[], values: readonly number[]) =>
    add('Constant', [], fresh(`${PIXELS}_${stem}`), {
      value: { dtype: 'float32', shape, data: Float32Array.from(values) },
    });

  const own = new Map([[PIXELS, fresh(`${PIXELS}_normalized`)]]);
  const target = own.get(image.name) ?? image.name;
  const perChannel = [1, mean.length, 1, 1];
  // Bytes are cheaper to transpose than floats.
  const planes = add('Transpose', [PIXELS], fresh(`${PIXELS}_planes`), { perm: [0, 3, 1, 2] });
  const floats = add('Cast', [planes], fresh(`${PIXELS}_float`), { to: ElementType.float });
  const unit = add('Div', [floats, constant('scale', [], [255])], fresh(`${PIXELS}_unit`));
  const centred = add('Sub', [unit, constant('mean', perChannel, mean)], fresh(`${PIXELS}_centred`));
  const scaled = add('Div', [centred, constant('std', perChannel, std)], fresh(`${PIXELS}_scaled`));
  add('Cast', [scaled], target, { to: image.elemType });

  const { graph, ...rest } = renameValues(model, own);
  const pixels = makeValueInfo(PIXELS, {
    elemType: ElementType.uint8,
    shape: [batch, height, width, mean.length],
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

function imageInput(model: ModelProto, where: string): { name: string; elemType: number; shape: Shape } {
  const inputs = requiredInputs(model.graph).map(({ name }) => name);
  if (inputs.length !== 1)
    throw new GraphError(where, `has ${inputs.length} inputs (${inputs.join(', ')}), and not one image`);
  const [name] = inputs;
  const { elemType, shape } = inferShapes(model).get(name)!;
  const floats: (number | undefined)[] = [ElementType.float, ElementType.float16, ElementType.double];
  if (!floats.includes(elemType) || shape?.length !== 4)
    throw new GraphError(where, `its input ${name} is not a batch of N×C×H×W floats`);
  return { name, elemType: elemType!, shape };
}
