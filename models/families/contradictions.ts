import { intAttribute, intsAttribute } from '../../src/graph/attributes.ts';
import type { NodeProto } from '../../src/graph/onnx.ts';
import type { Network } from '../network.ts';
import type { ModuleFacts } from './evidence.ts';

type Modules = ReadonlyMap<string, ModuleFacts>;

/** Classes that yield what they are given, in inference. */
const transparent = /\.(Identity|Dropout\w*|Sequential)$/;
/** Classes without weights that the structures stand for themselves. */
const weightless =
  /\.(Identity|\w*Dropout\w*|DropPath|DropBlock2d|Flatten|Sequential|ModuleList|AvgPool2d|AdaptiveAvgPool2d|FastAdaptiveAvgPool|MaxPool2d|BlurPool2d)$/;
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
export function contradiction(
  { graph, parameters }: Network,
  modules: Modules,
  activation: string,
): string | undefined {
  const nodes = new Map(graph.nodes.map((node) => [node.name ?? '', node]));
  const parents = new Set([...modules.keys(), ...parameters.keys()].map(parentOf));
  for (const [path, module] of modules) {
    const problem =
      contradicts(module, nodes.get(path), activation) ?? (parents.has(path) ? undefined : isUnknown(module));
    if (problem) return `${path} is ${problem}`;
  }
  return undefined;
}

const parentOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('.')));

/** What a module with neither weights nor modules computes is in its code alone: the class must be a known one. */
function isUnknown({ type }: ModuleFacts): string | undefined {
  if (type.startsWith('torch.nn.modules.activation.') || weightless.test(type)) return undefined;
  return `a ${type}, of which the file does not say what it computes`;
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
  if ((node?.opType === 'MaxPool' || node?.opType === 'Conv') && /\.AvgPool2d$/.test(type))
    return `${name}, not ${node.opType}`;
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
