import { GraphError } from '../../common/errors.ts';
import { intsAttribute } from '../attributes.ts';
import { ElementType, type ModelProto } from '../onnx.ts';
import { type Dim, inferShapes, type Shape } from '../shapes.ts';
import { consumers, requiredInputs } from '../topology.ts';

/** Where the channels lie: PyTorch's N×C×H×W, or TensorFlow's N×H×W×C. */
export type Layout = 'NCHW' | 'NHWC';

/** The one input of a network for images. */
export interface ImageInput {
  readonly name: string;
  readonly layout: Layout;
  /** One of `ElementType`: a kind of float, or uint8 where the network normalises by itself. */
  readonly elemType: number;
  readonly batch: Dim;
  readonly channels: Dim;
  readonly height: Dim;
  readonly width: Dim;
}

const pixelTypes = new Set<number | undefined>([
  ElementType.float,
  ElementType.float16,
  ElementType.double,
  ElementType.uint8,
]);

/** Pixels that a network may take at once, more than any does: 8192 × 8192. */
const MAX_PIXELS = 2 ** 26;

/**
 * Finds a network's input. Three channels tell the layout; where the sizes leave it open, the first operator does.
 *
 * @param where the file, for errors
 * @throws GraphError where there are several inputs, or the only one takes no images, or images beyond reason
 */
export function imageInput(model: ModelProto, where: string): ImageInput {
  const names = requiredInputs(model.graph).map(({ name }) => name);
  if (names.length !== 1)
    throw new GraphError(
      where,
      `has ${names.length} inputs (${names.join(', ')}), and not one image`,
      'export the classifier alone',
    );
  const [name] = names;
  const { elemType, shape } = inferShapes(model, where).get(name)!;
  const layout = shape?.length === 4 ? layoutOf(model, name, shape) : undefined;
  if (!pixelTypes.has(elemType) || !layout)
    throw new GraphError(where, `its input ${name} is not a batch of N×C×H×W or N×H×W×C floats or bytes`);
  const order = layout === 'NCHW' ? [0, 1, 2, 3] : [0, 3, 1, 2];
  const [batch, channels, height, width] = order.map((axis) => shape![axis]);
  if (Number(height) * Number(width) > MAX_PIXELS)
    throw new GraphError(
      where,
      `its input ${name} takes images of ${height} × ${width} pixels`,
      'export it again',
    );
  return { name, layout, elemType: elemType!, batch, channels, height, width };
}

function layoutOf(model: ModelProto, name: string, [, second, , fourth]: Shape): Layout | undefined {
  if (second === 3 && fourth !== 3) return 'NCHW';
  if (fourth === 3 && second !== 3) return 'NHWC';
  for (const node of consumers(model.graph).get(name) ?? []) {
    if (node.opType === 'Conv') return 'NCHW';
    if (node.opType === 'Transpose' && String(intsAttribute(node, 'perm')) === '0,3,1,2') return 'NHWC';
  }
  // Images of one channel, or of four, are told apart by their sizes.
  if (typeof second !== 'number' || typeof fourth !== 'number') return undefined;
  return second < fourth ? 'NCHW' : 'NHWC';
}
