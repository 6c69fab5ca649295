import { intAttribute, intsAttribute } from '../../src/graph/attributes.ts';
import type { NodeProto } from '../../src/graph/onnx.ts';
import type { Network } from '../network.ts';
import type { ModuleFacts } from './evidence.ts';

type Modules = ReadonlyMap<string, ModuleFacts>;

/** Classes that yield what they are given, in inference. */
const transparent = /\.(Identity|Dropout\w*|Sequential)$/;
const known: Readonly<Record<string, RegExp>> = {
  Conv: /\.(Conv2d)$/,
  MaxPool: /\.(MaxPool2d)$/,
  AveragePool: /\.(AvgPool2d|AdaptiveAvgPool2d)$/,
  Relu: /\.(ReLU|ReLU6)$/,
};

/**
 * What the modules of a pickled network are otherwise than a family has it, in words; nothing where they agree. A
 * module's attributes are what its authors' code computes with.
 */
export function contradiction({ graph }: Network, modules: Modules, activation: string): string | undefined {
  const nodes = new Map(graph.nodes.map((node) => [node.name ?? '', node]));
  for (const [path, module] of modules) {
    const problem = contradicts(module, nodes.get(path), activation);
    if (problem) return `${path} is ${problem}`;
  }
  return undefined;
}

function contradicts(
  { type, attributes }: ModuleFacts,
  node: NodeProto | undefined,
  activation: string,
): string | undefined {
  const name = type.split('.').at(-1)!;
  if (node && transparent.test(type) && known[node.opType]) return `${name}, not ${node.opType}`;
  if (type.startsWith('torch.nn.modules.activation.') && name.toLowerCase() !== activation.replace('_', ''))
    return `${name}, not ${activation}`;
  if (node?.opType === 'MaxPool' && /\.AvgPool2d$/.test(type)) return `${name}, not a max-pool`;
  if (/Blur/.test(name) && !node) return `${name}, which the family has not`;
  if (/\.MaxPool2d$/.test(type)) {
    if (node?.opType !== 'MaxPool') return 'a max-pool that the family has not';
    return differs(node, attributes, { kernel_size: 'kernel_shape', stride: 'strides', padding: 'pads' });
  }
  if (/\.Conv2d$/.test(type) && node) {
    if (pair(attributes.get('dilation'))?.some((dilation) => dilation !== 1)) return 'dilated';
    if ((attributes.get('padding_mode') ?? 'zeros') !== 'zeros')
      return `padded with ${attributes.get('padding_mode')}`;
    if ((attributes.get('groups') ?? 1) !== (intAttribute(node, 'group') ?? 1)) return 'of other groups';
    return differs(node, attributes, { kernel_size: 'kernel_shape', stride: 'strides', padding: 'pads' });
  }
  return undefined;
}

/** The first of the attributes, in PyTorch's and in ONNX's name, that differs. */
function differs(
  node: NodeProto,
  attributes: ModuleFacts['attributes'],
  names: Readonly<Record<string, string>>,
): string | undefined {
  for (const [theirs, ours] of Object.entries(names)) {
    const value = pair(attributes.get(theirs));
    const defaults = ours === 'pads' ? [0, 0] : [1, 1];
    const ourValue = (intsAttribute(node, ours) ?? defaults).slice(0, 2);
    if (value && `${value}` !== `${ourValue}`) return `of ${theirs} ${value}, not ${ourValue}`;
  }
  return undefined;
}

/** One number stands for both axes. */
function pair(value: unknown): readonly number[] | undefined {
  if (typeof value === 'number') return [value, value];
  return Array.isArray(value) && value.length === 2 ? value : undefined;
}
