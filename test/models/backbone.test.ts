import { expect } from 'chai';
import * as ort from 'onnxruntime-node';
import type { Architecture } from '../../models/architecture.ts';
import { buildBackbone, stateDictOf } from '../../models/backbone.ts';
import { initialWeights } from '../../models/initial.ts';
import { backboneMetadata } from '../../models/metadata.ts';
import { architectureNamed, architectureNames, recognizeArchitecture } from '../../models/registry.ts';
import { GraphError } from '../../src/common/errors.ts';
import { RandomState } from '../../src/common/random.ts';
import { elementCount, type StateDict, type Tensor } from '../../src/common/tensor.ts';
import { decodeModel } from '../../src/graph/read.ts';
import { encodeModel } from '../../src/graph/write.ts';

/** Weights of an architecture, numbers from −0.02 to 0.02: to draw twenty million as before training takes seconds. */
function numberedWeights(architecture: Architecture, classes: number): StateDict {
  let at = 0;
  return new Map(
    Array.from(architecture.parameters(classes), ([key, shape]): [string, Tensor] => {
      if (key.endsWith('.num_batches_tracked')) return [key, scalar(0n)];
      const data = new Float32Array(elementCount(shape));
      if (key.endsWith('.running_var')) data.fill(1);
      else for (let i = 0; i < data.length; i++) data[i] = (at++ % 20011) / 500000 - 0.02;
      return [key, { dtype: 'float32', shape, data }];
    }),
  );
}

const small = ['densenet22-k24-r1', 'densenet13-plain-k5-r0.3'];

describe('backbones', () => {
  for (const name of [...architectureNames, ...small]) {
    it(`${name}: weights are recognised, run, and come back`, async () => {
      const architecture = architectureNamed(name);
      const weights = numberedWeights(architecture, 7);
      expect(recognizeArchitecture(weights)).to.deep.include({ classes: 7 });
      expect(recognizeArchitecture(weights).architecture.name).to.equal(name);

      const bytes = encodeModel(buildBackbone(architecture, weights));
      const extra = { session: { disable_prepacking: '1' } };
      const options = { graphOptimizationLevel: 'disabled', intraOpNumThreads: 1, extra } as const;
      const session = await ort.InferenceSession.create(bytes, options);
      expect(session.inputNames).to.deep.equal(['input']);
      expect(session.outputNames).to.deep.equal(['logits']);
      const input = new ort.Tensor('float32', new Float32Array(2 * 3 * 32 * 32).fill(0.5), [2, 3, 32, 32]);
      const { logits } = await session.run({ input });
      expect(logits.dims).to.deep.equal([2, 7]);
      expect((logits.data as Float32Array).every(Number.isFinite)).to.equal(true);
      await session.release();

      expectEqual(stateDictOf(decodeModel(bytes, name)), weights);
    });
  }
});

describe('buildBackbone', () => {
  const architecture = architectureNamed('resnet20');
  const weights = initialWeights(architecture, 10, new RandomState(1));

  it('says in the metadata what it is', () => {
    const normalization = { mean: [0.1, 0.2, 0.3], std: [1, 2, 3] };
    const metadata = backboneMetadata(buildBackbone(architecture, weights, { normalization }));
    expect(metadata).to.deep.include({ architecture: 'resnet20', classCount: 10, ...normalization });
    expect(metadata.taps).to.deep.equal(architecture.taps);
    expect(metadata.detectorTaps).to.deep.equal(architecture.detectorTaps);
  });

  it('refuses metadata that are not what they should be', () => {
    const model = buildBackbone(architecture, weights);
    for (const [key, value] of [
      ['la_ood.taps', '{'],
      ['la_ood.class_count', '-1'],
      ['la_ood.num_batches_tracked', '{"bn1.num_batches_tracked":"1e9"}'],
    ]) {
      const metadataProps = [...model.metadataProps, { key, value }];
      expect(() => stateDictOf({ ...model, metadataProps }, 'a.onnx')).to.throw(
        GraphError,
        `a.onnx: metadata ${key}: `,
      );
    }
  });

  it('names what a model lacks that is to be exported', () => {
    const model = buildBackbone(architecture, weights);
    expect(() => stateDictOf({ ...model, metadataProps: [] })).to.throw(
      GraphError,
      'does not say its architecture',
    );
    const initializer = model.graph.initializer.filter(({ name }) => name !== 'linear.bias');
    expect(() => stateDictOf({ ...model, graph: { ...model.graph, initializer } })).to.throw(
      GraphError,
      'has no initializer linear.bias',
    );
  });

  it('keeps counters beyond 2^53, and their absence', () => {
    const counters: StateDict = new Map(weights);
    counters.set('bn1.num_batches_tracked', scalar(2n ** 60n + 1n));
    counters.delete('layer1.0.bn1.num_batches_tracked');
    expectEqual(stateDictOf(buildBackbone(architecture, counters)), counters);
  });

  it('converts other element types to float32', () => {
    const doubles: StateDict = new Map(
      Array.from(weights, ([key, tensor]) => [
        key,
        tensor.dtype === 'float32'
          ? { ...tensor, dtype: 'float64' as const, data: Float64Array.from(tensor.data as Float32Array) }
          : tensor,
      ]),
    );
    expectEqual(stateDictOf(buildBackbone(architecture, doubles)), weights);
  });

  it('takes counters that were converted to half floats', () => {
    const half: Tensor = { dtype: 'float16', shape: [], data: Uint16Array.of(0x4900) }; // 10
    const model = buildBackbone(architecture, new Map(weights).set('bn1.num_batches_tracked', half));
    expect(stateDictOf(model).get('bn1.num_batches_tracked')).to.deep.equal(scalar(10n));
  });

  it('gives the state dict in PyTorch’s order, whatever the order it came in', () => {
    const model = buildBackbone(architecture, new Map([...weights].reverse()));
    expectEqual(stateDictOf(model), weights);
  });
});

function scalar(value: bigint): Tensor {
  return { dtype: 'int64', shape: [], data: BigInt64Array.of(value) };
}

/** Compares keys, their order, types, shapes and every bit, without chai's slow comparison of large arrays. */
function expectEqual(actual: StateDict, expected: StateDict): void {
  expect([...actual.keys()]).to.deep.equal([...expected.keys()]);
  for (const [key, { dtype, shape, data }] of expected) {
    const found = actual.get(key)!;
    expect([found.dtype, ...found.shape], key).to.deep.equal([dtype, ...shape]);
    expect(Buffer.compare(bytesOf(found.data), bytesOf(data)), key).to.equal(0);
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Tensor['data']): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}
