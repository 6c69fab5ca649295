import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import * as ort from 'onnxruntime-node';
import { readCheckpoint } from '../../converters/pytorch/read-checkpoint.ts';
import { writeCheckpoint } from '../../converters/pytorch/write-checkpoint.ts';
import { buildBackbone, stateDictOf } from '../../models/backbone.ts';
import { architectureNames, recognizeArchitecture } from '../../models/registry.ts';
import { ElementType, type ModelProto } from '../../src/graph/onnx.ts';
import { decodeModel } from '../../src/graph/read.ts';
import { encodeModel } from '../../src/graph/write.ts';
import { python } from './python.ts';

const names = [...architectureNames, 'densenet22-k24-r1', 'densenet13-plain-k5-r0.3'];
const batch = 2;

describe('backbones beside PyTorch', () => {
  let folder: string;
  /** Name and width of every tap in PyTorch's order of execution. */
  let taps: Record<string, [string, number][]>;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-backbones-'));
    taps = await python('backbones.py', 'make', folder, ...names);
  });
  after(() => rm(folder, { recursive: true }));

  for (const name of names) {
    it(`${name}: recognised, and every tap within 1e-4 of its layer's largest value`, async () => {
      const { stateDict } = await readCheckpoint(join(folder, `${name}.pth`));
      const { architecture } = recognizeArchitecture(stateDict);
      expect(architecture.name).to.equal(name);
      expect(architecture.taps).to.deep.equal(taps[name].map(([tap]) => tap));

      const model = encodeModel(buildBackbone(architecture, stateDict));
      const outputs = await runExposed(decodeModel(model, name), await floats('input.bin'));
      const expected = await floats(`${name}.bin`);
      let offset = 0;
      for (const [tap, width] of taps[name]) {
        const layer = expected.subarray(offset, (offset += batch * width));
        expect(relativeDifference(pooled(outputs[tap]), layer), tap).to.be.below(1e-4);
      }

      await writeCheckpoint(join(folder, `${name}-exported.pth`), stateDictOf(decodeModel(model, name)));
    });
  }

  it('exports load strictly and are bit-identical', async () => {
    const identical = await python<Record<string, boolean>>('backbones.py', 'verify', folder, ...names);
    expect(identical).to.deep.equal(Object.fromEntries(names.map((name) => [name, true])));
  });

  it('exports without counters, as old checkpoints are, load strictly', async () => {
    const { stateDict } = await readCheckpoint(join(folder, 'resnet20.pth'));
    for (const key of stateDict.keys()) if (key.endsWith('.num_batches_tracked')) stateDict.delete(key);
    await writeCheckpoint(join(folder, 'resnet20.pth'), stateDict);
    const model = buildBackbone(recognizeArchitecture(stateDict).architecture, stateDict);
    await writeCheckpoint(join(folder, 'resnet20-exported.pth'), stateDictOf(model));
    expect(await python('backbones.py', 'verify', folder, 'resnet20')).to.deep.equal({ resnet20: true });
  });

  async function floats(file: string): Promise<Float32Array> {
    const bytes = await readFile(join(folder, file));
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  }
});

/** Runs a backbone with all its taps as outputs. */
async function runExposed(model: ModelProto, pixels: Float32Array): Promise<ort.InferenceSession.ReturnType> {
  for (const { name, opType } of model.graph.node)
    if (opType === 'Conv')
      model.graph.output.push({ name: name!, type: { tensorType: { elemType: ElementType.float } } });
  const session = await ort.InferenceSession.create(encodeModel(model));
  const outputs = await session.run({ input: new ort.Tensor('float32', pixels, [batch, 3, 32, 32]) });
  await session.release();
  return outputs;
}

/** The mean over H and W; logits as they are. */
function pooled({ dims, data }: ort.Tensor): Float64Array {
  const [n, channels, ...size] = dims;
  const area = size.reduce((a, b) => a * b, 1);
  const values = data as Float32Array;
  return Float64Array.from({ length: n * channels }, (_, i) => {
    let sum = 0;
    for (let j = i * area; j < (i + 1) * area; j++) sum += values[j];
    return sum / area;
  });
}

function relativeDifference(actual: Float64Array, expected: Float32Array): number {
  expect(actual).to.have.length(expected.length);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(actual[i] - expected[i]));
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return difference / largest;
}
