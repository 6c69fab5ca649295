import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { checkModel } from '../../src/graph/check.ts';
import { dynamicBatch } from '../../src/graph/dynamic-batch.ts';
import { prependPreprocessing } from '../../src/graph/preprocessing.ts';
import { readModel } from '../../src/graph/read.ts';
import { exposeTaps, setMetadata } from '../../src/graph/rewrite.ts';
import { type MessageName, messageType } from '../../src/graph/schema.ts';
import { writeModel } from '../../src/graph/write.ts';
import { largestDifference, runModel, smallNet } from '../graph/models.ts';
import { python } from './python.ts';

interface PythonField {
  readonly name: string;
  readonly type: string;
  readonly repeated: boolean;
  readonly packed: boolean;
}

describe('ONNX beside the Python package', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'la-ood-parity-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('brings its models through unchanged: functions, float8, metadata, external and sparse data, fields of the future', async () => {
    const theirs = mkdtempSync(join(folder, 'theirs-'));
    const ours = join(folder, 'ours');
    const names = await python<string[]>('graph.py', 'write', theirs);
    for (const name of names)
      await writeModel(join(ours, `${name}.onnx`), await readModel(join(theirs, `${name}.onnx`)));
    const differences = await python<Record<string, string[]>>('graph.py', 'compare', theirs, ours);
    expect(differences).to.deep.equal(Object.fromEntries(names.map((name) => [name, []])));
  });

  it('has the fields of its schema, under their names, numbers and types', async () => {
    const schema = await python<Record<string, Record<number, PythonField>>>('graph.py', 'schema');
    const compared = new Set<string>();
    const compare = (ours: MessageName, theirs: string) => {
      if (compared.has(`${ours} ${theirs}`)) return;
      compared.add(`${ours} ${theirs}`);
      for (const { id, name, type, repeated, packed, resolvedType } of messageType(ours).setup()
        .fieldsArray) {
        const field = schema[theirs][id];
        const camel = field?.name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
        expect({ name, repeated, packed }, `${ours}.${id}`).to.deep.equal({
          name: camel,
          repeated: field.repeated,
          packed: field.packed,
        });
        if (resolvedType) compare(type as MessageName, field.type);
        else expect(type, `${ours}.${name}`).to.equal(field.type);
      }
    };
    compare('ModelProto', 'onnx.ModelProto');
    expect(compared).to.include('TypeProto onnx.TypeProto');
  });

  for (const opset of [9, 13, 18, 21])
    it(`passes its checker after rewriting, at opset ${opset}`, async () => {
      const taps = exposeTaps(smallNet({ opset }), ['conv1', 'conv2', 'flat'], 'small.onnx');
      const model = prependPreprocessing(setMetadata(taps, { taps: 'conv1' }), {
        mean: [0.5, 0.5, 0.5],
        std: [0.2, 0.2, 0.2],
      });
      const path = join(folder, `rewritten${opset}.onnx`);
      await writeModel(path, model);
      expect(await python('graph.py', 'check', path)).to.equal(null);
    });

  it('normalises as torch does, to the last bit', async () => {
    const pixels = Uint8Array.from({ length: 4 * 8 * 8 * 3 }, (_, i) => i);
    const path = join(folder, 'pixels.bin');
    writeFileSync(path, pixels);
    const expected = await python<number[]>('graph.py', 'normalize', path, '4', '8', '8', '3');
    const model = prependPreprocessing(smallNet(), {
      mean: [0.4914, 0.4822, 0.4465],
      std: [0.2023, 0.1994, 0.201],
    });
    const output = [...model.graph.output, { name: 'image' }];
    const { image } = await runModel(
      { ...model, graph: { ...model.graph, output } },
      { pixels: { data: pixels, dims: [4, 8, 8, 3] } },
    );
    expect(Array.from(image.data as Float32Array)).to.deep.equal(expected);
  });

  it('taps what torch exports, be its batch size fixed or free', async () => {
    const theirs = await python<Record<string, number[]>>('graph.py', 'export', folder);
    const images = { data: Float32Array.from(theirs.images), dims: [5, 3, 9, 9] };
    for (const name of ['fixed.onnx', 'free.onnx']) {
      const exported = await readModel(join(folder, name));
      checkModel(exported, name);
      const tapped = exposeTaps(dynamicBatch(exported), ['/conv1/Conv', '/conv2/Conv'], name);
      checkModel(tapped, name);
      const ours = await runModel(tapped, { image: images });
      for (const [tap, expected] of [
        ['logits', theirs.logits],
        ['/conv1/Conv', theirs.conv1],
        ['/conv2/Conv', theirs.conv2],
      ] as const)
        expect(largestDifference(ours[tap].data as Float32Array, expected), `${name} ${tap}`).to.be.below(
          1e-5,
        );
    }
  });
});
