import { attribute } from '../../graph/attributes.ts';
import { constantsOf } from '../../graph/gradient/constants.ts';
import { makeNode, makeValueInfo } from '../../graph/make.ts';
import { freshNames } from '../../graph/names.ts';
import { ElementType, type ModelProto } from '../../graph/onnx.ts';
import { inferShapes } from '../../graph/shapes.ts';

/** A graph input that says what a Dropout node drops: 0, or what others are multiplied by. */
export interface DropoutMask {
  readonly name: string;
  /** Sizes behind the batch. */
  readonly shape: readonly number[];
  /** The share that is dropped. */
  readonly ratio: number;
}

/** A graph whose Dropout nodes multiply by masks that are given to it, drawn by whoever trains it. */
export function maskDropouts(
  model: ModelProto,
  where: string,
): { model: ModelProto; masks: readonly DropoutMask[] } {
  const { graph } = model;
  const types = inferShapes(model);
  const constant = constantsOf(graph, where);
  const fresh = freshNames(model);
  const masks: DropoutMask[] = [];
  const node = graph.node.map((node) => {
    if (node.opType !== 'Dropout' || node.domain) return node;
    const [input, ratioInput = ''] = node.input;
    const ratio = Number(constant(ratioInput)?.data[0] ?? attribute(node, 'ratio')?.f ?? 0.5);
    const shape = types.get(input)?.shape?.slice(1) as number[];
    const mask = { name: fresh('mask'), shape, ratio };
    masks.push(mask);
    return { ...makeNode('Mul', [input, mask.name], node.output[0]), name: node.name };
  });
  const inputs = masks.map(({ name, shape }) =>
    makeValueInfo(name, { elemType: ElementType.float, shape: ['batch', ...shape] }),
  );
  return { model: { ...model, graph: { ...graph, node, input: [...graph.input, ...inputs] } }, masks };
}
