import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { PickleAssembler } from '../../src/common/pickle/assembler.ts';
import type { DType, StateDict, Tensor } from '../../src/common/tensor.ts';
import type { ZooNetwork } from './zoo.ts';

/** Makes the checkpoint file that a golden file describes, by the format's own rules and not by the code under test. */

const storages: Partial<Record<DType, string>> = {
  float32: 'FloatStorage',
  int64: 'LongStorage',
  float16: 'HalfStorage',
  bfloat16: 'BFloat16Storage',
};

export type ZooFormat = 'zip' | 'legacy' | 'safetensors';

/** Writes the file and what lies beside it. */
export async function writeZooFile(
  folder: string,
  network: ZooNetwork,
  weights: StateDict,
  format: ZooFormat,
): Promise<string> {
  const { wrapper } = network;
  const path = join(folder, format === 'safetensors' ? 'model.safetensors' : 'weights.pth');
  const wrapped: StateDict = new Map(
    [...weights].flatMap(([key, tensor]) => {
      if (wrapper.counters?.startsWith('none') && key.endsWith('num_batches_tracked')) return [];
      return [[wrappedKey(key, wrapper), tensor] as const];
    }),
  );
  if (wrapper.config_json !== undefined)
    await writeFile(join(folder, 'config.json'), JSON.stringify(configurationOf(network)));
  if (format === 'safetensors') writeSafetensors(path, wrapped);
  else {
    const pickled = pickle(network, wrapped, format === 'legacy');
    if (format === 'legacy') writeLegacy(path, pickled, wrapped);
    else writeZip(path, pickled, wrapped);
  }
  return path;
}

function wrappedKey(key: string, { prefix, inner_prefix = {} }: ZooNetwork['wrapper']): string {
  const inner = Object.keys(inner_prefix).find((beginning) => key.startsWith(beginning));
  return inner === undefined ? prefix + key : inner_prefix[inner] + key.slice(inner.length);
}

function configurationOf({ family, arch, class_count, input }: ZooNetwork): object {
  if (family === 'transformers') return { model_type: 'resnet', hidden_act: 'relu' };
  return {
    architecture: arch,
    num_classes: class_count,
    pretrained_cfg: {
      input_size: [3, ...input.size],
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
      crop_pct: 0.95,
      interpolation: 'bicubic',
    },
  };
}

/** Each tensor once, with the name of its storage; tied ones have the same. */
function storageNames(weights: StateDict): Map<Tensor, string> {
  return new Map([...new Set(weights.values())].map((tensor, index) => [tensor, String(index)]));
}

function pickle(network: ZooNetwork, weights: StateDict, isLegacy: boolean): Uint8Array {
  const { path, beside, whole_module } = network.wrapper;
  const out = new PickleAssembler().protocol(2);
  const names = storageNames(weights);
  const write = (depth: number) => {
    if (depth < path.length) {
      out.emit('EMPTY_DICT', 'MARK').string(path[depth]);
      write(depth + 1);
      if (depth === path.length - 1)
        for (const [key, kind] of Object.entries(beside)) writeBeside(out.string(key), kind);
      out.emit('SETITEMS');
    } else if (whole_module) writeModule(out, network, weights, names);
    else {
      emptyOrdered(out).emit('MARK');
      for (const [key, tensor] of weights) writeTensor(out.string(key), tensor, names.get(tensor)!, isLegacy);
      out.emit('SETITEMS', 'EMPTY_DICT', 'MARK').string('_metadata');
      emptyOrdered(out).emit('SETITEMS', 'BUILD');
    }
  };
  write(0);
  return out.emit('STOP').bytes();
}

function emptyOrdered(out: PickleAssembler): PickleAssembler {
  return out.global('collections', 'OrderedDict').emit('EMPTY_TUPLE', 'REDUCE');
}

function writeBeside(out: PickleAssembler, kind: string): void {
  if (/optimizer/.test(kind)) {
    out
      .emit('EMPTY_DICT', 'MARK')
      .string('state')
      .emit('EMPTY_DICT')
      .string('param_groups')
      .emit('EMPTY_LIST', 'SETITEMS');
  } else if (/^(int|epoch)/.test(kind)) out.int(7);
  else if (/str/.test(kind)) out.string('text');
  else out.emit('BINFLOAT', Buffer.from('4056d33333333333', 'hex'));
}

function writeTensor(out: PickleAssembler, { dtype, shape }: Tensor, name: string, isLegacy: boolean): void {
  const count = shape.reduce((product, size) => product * size, 1);
  out.global('torch._utils', '_rebuild_tensor_v2').emit('MARK', 'MARK');
  out.string('storage').global('torch', storages[dtype]!).string(name).string('cpu').int(count);
  if (isLegacy) out.emit('NONE');
  out.emit('TUPLE', 'BINPERSID').int(0).ints(shape).ints(strides(shape)).emit('NEWFALSE');
  emptyOrdered(out).emit('TUPLE', 'REDUCE');
}

function strides(shape: readonly number[]): number[] {
  let stride = 1;
  return [...shape]
    .reverse()
    .map((size) => (stride *= size) / size)
    .reverse();
}

/** As PyTorch of 2017 under Python 2: byte strings, classes with their sources, a back end in every module. */
function writeModule(
  out: PickleAssembler,
  { module_tree = [] }: ZooNetwork,
  weights: StateDict,
  names: Map<Tensor, string>,
): void {
  const text = (value: string) =>
    out.emit('SHORT_BINSTRING', Uint8Array.of(value.length), Buffer.from(value, 'latin1'));
  const byParent = new Map<string, string[]>();
  for (const [path] of module_tree.slice(1)) {
    const parent = path.includes('.') ? path.slice(0, path.lastIndexOf('.')) : '';
    byParent.set(parent, [...(byParent.get(parent) ?? []), path]);
  }
  const facts = new Map(module_tree.map(([path, type, attributes]) => [path, { type, attributes }]));
  const isBuffer = (field: string) => /^(running_|num_batches)/.test(field);
  const write = (path: string) => {
    const { type, attributes } = facts.get(path)!;
    const [, module, name] = /^(.*)\.([^.]+)$/.exec(type)!;
    out.emit('MARK');
    text('module').global(module, name);
    text(`${module}.py`);
    text('class Net: pass').emit('TUPLE', 'BINPERSID');
    out.emit('EMPTY_TUPLE', 'NEWOBJ', 'EMPTY_DICT', 'MARK');
    text('_backend')
      .global('torch.nn.backends.thnn', '_get_thnn_function_backend')
      .emit('EMPTY_TUPLE', 'REDUCE');
    for (const [key, value] of Object.entries(attributes))
      if (key !== 'none') writeAttribute(text(key), value);
    const own = [...weights].filter(([key]) => key.slice(0, Math.max(0, key.lastIndexOf('.'))) === path);
    for (const [dictionary, wanted] of [
      ['_parameters', false],
      ['_buffers', true],
    ] as const) {
      emptyOrdered(text(dictionary)).emit('MARK');
      for (const [key, tensor] of own) {
        const field = key.slice(key.lastIndexOf('.') + 1);
        if (isBuffer(field) !== wanted) continue;
        text(field);
        if (!wanted) out.global('torch._utils', '_rebuild_parameter').emit('MARK');
        writeTensor(out, tensor, names.get(tensor)!, true);
        if (!wanted) emptyOrdered(out.emit('NEWTRUE')).emit('TUPLE', 'REDUCE');
      }
      if (!wanted) for (const field of (attributes.none as string[]) ?? []) text(field).emit('NONE');
      out.emit('SETITEMS');
    }
    emptyOrdered(text('_modules')).emit('MARK');
    for (const child of byParent.get(path) ?? []) {
      text(child.slice(child.lastIndexOf('.') + 1));
      write(child);
    }
    out.emit('SETITEMS');
    emptyOrdered(text('_backward_hooks'));
    text('training').emit('NEWFALSE').emit('SETITEMS', 'BUILD');
  };
  write('');
}

function writeAttribute(out: PickleAssembler, value: unknown): void {
  if (typeof value === 'boolean') out.emit(value ? 'NEWTRUE' : 'NEWFALSE');
  else if (typeof value === 'string') out.string(value);
  else if (Array.isArray(value)) out.ints(value as number[]);
  else if (Number.isInteger(value)) out.int(value as number);
  else {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value as number);
    out.emit('BINFLOAT', bytes);
  }
}

function bytesOf({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

function writeAll(path: string, parts: Iterable<Uint8Array>): void {
  const file = openSync(path, 'w');
  for (const part of parts)
    for (let done = 0; done < part.length; )
      done += writeSync(file, part, done, Math.min(part.length - done, 1 << 30));
  closeSync(file);
}

function writeLegacy(path: string, pickled: Uint8Array, weights: StateDict): void {
  const small = () => new PickleAssembler().protocol(2);
  const names = storageNames(weights);
  const system = small()
    .emit('EMPTY_DICT', 'MARK')
    .string('protocol_version')
    .int(1001)
    .string('little_endian');
  system.emit('NEWTRUE').string('type_sizes').emit('EMPTY_DICT', 'SETITEMS', 'STOP');
  const sorted = [...names].sort(([, a], [, b]) => (a < b ? -1 : 1));
  const keys = small().emit('EMPTY_LIST', 'MARK');
  for (const [, name] of sorted) keys.string(name);
  writeAll(path, [
    small().int(0x1950a86a20f9469cfc6cn).emit('STOP').bytes(),
    small().int(1001).emit('STOP').bytes(),
    system.bytes(),
    pickled,
    keys.emit('APPENDS', 'STOP').bytes(),
    ...sorted.flatMap(([tensor]) => [
      new Uint8Array(BigInt64Array.of(BigInt(tensor.data.length)).buffer),
      bytesOf(tensor),
    ]),
  ]);
}

function writeZip(path: string, pickled: Uint8Array, weights: StateDict): void {
  const records: [string, Uint8Array][] = [
    ['archive/data.pkl', pickled],
    ['archive/byteorder', Buffer.from('little')],
    ...[...storageNames(weights)].map(([tensor, name]): [string, Uint8Array] => [
      `archive/data/${name}`,
      bytesOf(tensor),
    ]),
    ['archive/version', Buffer.from('3\n')],
  ];
  const parts: Uint8Array[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  for (const [name, bytes] of records) {
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(33, 8);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, Buffer.from(name)]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(position, 10);
    directory.push(
      Buffer.concat([
        Buffer.from('PK\x01\x02\x14\x00', 'latin1'),
        common,
        tail.subarray(0, 14),
        Buffer.from(name),
      ]),
    );
    parts.push(local, bytes);
    position += local.length + bytes.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(records.length, 8);
  end.writeUInt16LE(records.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(position, 16);
  writeAll(path, [...parts, central, end]);
}

function writeSafetensors(path: string, weights: StateDict): void {
  const types: Partial<Record<DType, string>> = {
    float32: 'F32',
    int64: 'I64',
    float16: 'F16',
    bfloat16: 'BF16',
  };
  let position = 0;
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  for (const [key, { dtype, shape, data }] of weights) {
    header[key] = { dtype: types[dtype], shape, data_offsets: [position, position + data.byteLength] };
    position += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc(-json.length & 7, ' ')]);
  writeAll(path, [
    new Uint8Array(BigUint64Array.of(BigInt(padded.length)).buffer),
    padded,
    ...[...weights.values()].map(bytesOf),
  ]);
}

/** SHA-256 of all tensors, as the golden file has it. */
export function hashOf(weights: StateDict): string {
  const hash = createHash('sha256');
  for (const tensor of weights.values()) hash.update(bytesOf(tensor));
  return hash.digest('hex');
}
