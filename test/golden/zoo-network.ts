import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { StateDict } from '../../src/common/tensor.ts';
import {
  CheckpointError,
  exportCheckpoint,
  GraphSession,
  type Imported,
  type ImportOptions,
  importCheckpoint,
  type ModelProto,
  readCheckpoint,
  readModel,
} from '../../src/index.ts';
import { readZoo, type ZooNetwork, zooImage, zooWeights } from './zoo.ts';
import { hashOf, writeZooFile, type ZooFormat } from './zoo-files.ts';

/** Families that a file does not tell apart: they are refused, and then said. */
const undecided: Readonly<Record<string, string>> = {
  'huyvnphan-resnet18': 'huyvnphan/resnet18',
  'huyvnphan-densenet121': 'huyvnphan/densenet121',
  'robustbench-PreActResNet18': 'RobustBench/PreActResNet18',
};

/** The project's tolerances of imported families. */
const LOGITS = 1e-5;
const TAPS = 1e-4;

/**
 * Makes a network's checkpoint file in one of its formats, imports it, and compares logits and taps with those of its
 * authors' code; then exports it, and compares every tensor with the file's.
 *
 * @param name of the golden file, without its ending
 */
export async function checkZooNetwork(file: string, name: string, format?: ZooFormat): Promise<void> {
  const network = readZoo(file);
  const folder = await mkdtemp(join(tmpdir(), 'la-ood-zoo-'));
  try {
    const weights = zooWeights(network);
    expect(hashOf(weights), 'the weights').to.equal((network as unknown as { sha256: string }).sha256);
    const source = await writeZooFile(folder, network, weights, format ?? network.wrapper.format[0]);
    const target = join(folder, 'model.onnx');
    const imported = await importIt(source, target, name);
    const [height, width] = network.input.size;
    expect(imported.geometry).to.deep.include({ height, width });
    expect(imported.classes).to.equal(network.class_count);
    await compareValues(await readModel(target), network);
    await compareExport(target, folder, weights, network);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function importIt(source: string, target: string, name: string): Promise<Imported> {
  const arch = undecided[name];
  const options: ImportOptions = {};
  if (arch === undefined) return importCheckpoint(source, target, options);
  const refusal = await importCheckpoint(source, target, options).catch((error: unknown) => error);
  expect(refusal).to.be.instanceOf(CheckpointError);
  expect((refusal as Error).message)
    .to.include(`\`arch: ${arch}\``)
    .and.include('compute different things');
  return importCheckpoint(source, target, { arch });
}

async function compareValues(model: ModelProto, network: ZooNetwork): Promise<void> {
  const values = new Set(model.graph.node.flatMap(({ output }) => output));
  const taps = Object.keys(network.taps).flatMap((tap) => {
    const value = outputOf(tap, network, model, values);
    return value === undefined ? [] : [[tap, value] as const];
  });
  const exposed = [...new Set(['logits', ...taps.map(([, value]) => value)])];
  const graph = { ...model.graph, output: exposed.map((name) => ({ name })) };
  const session = await GraphSession.open({ ...model, graph }, { device: 'cpu' });
  try {
    const outputs = await session.run({ input: zooImage(network) });
    const logits = outputs.logits.data as Float32Array;
    const classes = logits.length / 2;
    const { values: wanted, sum, max_index } = network.logits;
    expect(
      distance(
        [0, 1].flatMap((i) => [...logits.subarray(i * classes, i * classes + wanted[i].length)]),
        wanted.flat(),
        largestOf(logits),
      ),
      'logits',
    ).to.be.at.most(LOGITS);
    for (const i of [0, 1]) {
      const row = logits.subarray(i * classes, (i + 1) * classes);
      const total = row.reduce((a, b) => a + b, 0);
      const scale = row.reduce((a, b) => a + Math.abs(b), 0);
      if (sum) expect(Math.abs(total - sum[i]) / scale, 'sum of the logits').to.be.at.most(LOGITS);
      if (max_index) expect(row.indexOf(Math.max(...row))).to.equal(max_index[i]);
    }
    for (const [tap, value] of taps) {
      const { data, shape } = outputs[value];
      const [, channels, ...map] = shape;
      const pixels = map.reduce((product, size) => product * size, 1);
      const means = [0, 1].flatMap((i) =>
        network.taps[tap][i].map((_, c) => {
          const start = (i * channels + c) * pixels;
          return (data as Float32Array).subarray(start, start + pixels).reduce((a, b) => a + b, 0) / pixels;
        }),
      );
      const golden = network.taps[tap].flat();
      expect(distance(means, golden, largestOf(golden)), `tap ${tap}`).to.be.at.most(TAPS);
    }
    // A tap whose place was not found would not be compared.
    expect(taps.map(([tap]) => tap)).to.deep.equal(Object.keys(network.taps));
  } finally {
    await session.close();
  }
}

/** The value of the graph that is a module's output: of the module itself, or of the last one within it. */
function outputOf(
  tap: string,
  { family }: ZooNetwork,
  model: ModelProto,
  values: ReadonlySet<string>,
): string | undefined {
  const [, path, isInput] = /^(.*?)( \(input\))?$/.exec(tap)!;
  if (isInput) return model.graph.node.find(({ name }) => name === path)?.input[0];
  const activated = `${path}.relu`;
  // timm's norms of DenseNets have their activation within.
  if (family === 'timm' && /norm\d$/.test(path) && values.has(activated)) return activated;
  if (values.has(path)) return path;
  const within = [...values].filter((value) => value.startsWith(`${path}.`));
  if (path === 'conv1') return within.at(-1);
  const blocks = within.filter((value) =>
    /^\d+$|layer\.?_?\d+$|layers\.\d+$|denselayer\d+$|pool$|down_sample\.2$/.test(
      value.slice(path.length + 1),
    ),
  );
  return blocks.at(-1) ?? within.at(-1);
}

function largestOf(values: ArrayLike<number>): number {
  return Array.from(values).reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}

function distance(values: readonly number[], wanted: readonly number[], scale: number): number {
  expect(values).to.have.length(wanted.length);
  return values.reduce((largest, value, i) => Math.max(largest, Math.abs(value - wanted[i])), 0) / scale;
}

async function compareExport(
  model: string,
  folder: string,
  weights: StateDict,
  { wrapper }: ZooNetwork,
): Promise<void> {
  const wanted = [...weights].filter(
    ([key]) => !(wrapper.counters?.startsWith('none') && key.endsWith('num_batches_tracked')),
  );
  const path = join(folder, 'back.pth');
  await exportCheckpoint(model, path);
  const { stateDict } = await readCheckpoint(path);
  expect([...stateDict.keys()].sort()).to.deep.equal(wanted.map(([key]) => key).sort());
  for (const [key, { dtype, shape, data }] of wanted) {
    const found = stateDict.get(key)!;
    expect([found.dtype, ...found.shape], key).to.deep.equal([dtype, ...shape]);
    const bytes = (of: typeof data) => Buffer.from(of.buffer as ArrayBuffer, of.byteOffset, of.byteLength);
    expect(Buffer.compare(bytes(found.data), bytes(data)), key).to.equal(0);
  }
}
