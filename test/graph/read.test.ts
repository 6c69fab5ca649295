import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { GraphError } from '../../src/common/errors.ts';
import { elementCount } from '../../src/common/tensor.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { DataLocation, ElementType, type ModelProto } from '../../src/graph/onnx.ts';
import { decodeModel, readModel } from '../../src/graph/read.ts';
import { tensorFromProto } from '../../src/graph/tensor-proto.ts';
import { compareWritten, encodeModel, writeModel } from '../../src/graph/write.ts';
import { images, runModel, smallNet } from './models.ts';

let folder: string;

/** Gives each test of a block a folder of its own. */
function inFolder(): void {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'la-ood-graph-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
}

/** The message of the GraphError that something rejects with. */
async function problem(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (error) => error,
  );
  expect(error).to.be.instanceOf(GraphError);
  return (error as GraphError).message.replaceAll(folder, 'FOLDER');
}

describe('Files that are no models', () => {
  inFolder();

  const model = encodeModel(smallNet());
  const cases: [string, Uint8Array | string, string][] = [
    ['nothing', '', 'is empty'],
    [
      'a Git LFS pointer',
      'version https://git-lfs.github.com/spec/v1\noid sha256:0',
      'is a Git LFS pointer and not the model; run git lfs pull',
    ],
    ['a web page', '\n<!DOCTYPE html><html>', 'is a web page and not a model; fetch the file itself'],
    [
      'a zip checkpoint',
      'PK\x03\x04archive',
      'is a PyTorch checkpoint, or another archive; make it a model with la-ood import',
    ],
    ['HDF5', Uint8Array.of(0x89, 0x48, 0x44, 0x46, 13, 10, 26, 10), 'is an HDF5 file and not an ONNX model'],
    ['a message without a graph', Uint8Array.of(0x08, 8), 'holds no graph; is it an ONNX model?'],
    ['a model cut off', model.subarray(0, model.length >> 1), 'is no ONNX model, or is truncated: near byte'],
    ['text', 'the quick brown fox', 'is no ONNX model, or is truncated: near byte'],
  ];
  for (const [name, content, message] of cases)
    it(`says that it is ${name}`, async () => {
      const path = join(folder, 'model.onnx');
      writeFileSync(path, content);
      expect(await problem(readModel(path))).to.include(`FOLDER/model.onnx: ${message}`);
    });

  it('cannot be cut off anywhere without an error', () => {
    for (let length = 1; length < model.length; length += 7)
      try {
        // Cut between two fields of the model, the rest is a whole message.
        const { graph } = decodeModel(model.subarray(0, length), 'cut');
        expect(graph.output).to.have.length(1);
      } catch (error) {
        expect(error).to.be.instanceOf(GraphError);
      }
  });

  it('says that there is no file', async () => {
    expect(await problem(readModel(join(folder, 'none.onnx')))).to.equal(
      'FOLDER/none.onnx: there is no such file',
    );
    expect(await problem(readModel(folder))).to.equal('FOLDER: is not a file');
  });

  it('refuses text that is not UTF-8', () => {
    const bytes = encodeModel({ ...smallNet(), producerName: 'XX' });
    bytes.set([0xff, 0xfe], Buffer.from(bytes).indexOf('XX'));
    expect(() => decodeModel(bytes, 'model.onnx')).to.throw(GraphError, 'model.onnx: is no ONNX model');
  });

  it('takes a size below 1 for a free one', async () => {
    const model = smallNet();
    const { dim } = model.graph.input[0].type!.tensorType!.shape!;
    dim.splice(
      0,
      4,
      { dimValue: 0 },
      { dimValue: -1, denotation: 'kept' },
      { dimValue: 1 },
      { dimParam: 'w' },
    );
    const path = join(folder, 'm.onnx');
    writeFileSync(path, encodeModel(model));
    const read = (await readModel(path)).graph.input[0].type!.tensorType!.shape!.dim;
    expect(read.map(({ dimValue, dimParam }) => dimValue ?? dimParam)).to.deep.equal([
      undefined,
      undefined,
      1,
      'w',
    ]);
    expect(read[1].denotation).to.equal('kept');
  });

  it('refuses a size beyond 2^53', () => {
    const model = smallNet();
    model.graph.initializer[0].dims[0] = (2n ** 60n) as unknown as number;
    expect(() => decodeModel(encodeModel(model), 'model.onnx')).to.throw(
      GraphError,
      'model.onnx: TensorProto.dims is 1152921504606846976',
    );
  });
});

describe('External data', () => {
  inFolder();

  /** A model whose first weight lies in a file, as the entries say. */
  function external(entries: Record<string, string>): string {
    const model = smallNet();
    const [weight, ...others] = model.graph.initializer;
    const { rawData, ...rest } = weight;
    writeFileSync(join(folder, 'weights.bin'), rawData!);
    const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
    const moved = { ...rest, externalData, dataLocation: DataLocation.external };
    return save({ ...model, graph: { ...model.graph, initializer: [moved, ...others] } });
  }

  function save(model: ModelProto): string {
    mkdirSync(join(folder, 'sub'), { recursive: true });
    const path = join(folder, 'sub', 'model.onnx');
    writeFileSync(path, encodeModel(model));
    return path;
  }
  const inSub = (name: string) => join(folder, 'sub', name);

  it('is read when it is wanted', async () => {
    const path = external({ location: 'weights.bin' });
    writeFileSync(inSub('weights.bin'), readFileSync(join(folder, 'weights.bin')));
    const model = await readModel(path);
    const expected = smallNet();
    const [weight] = model.graph.initializer;
    expect(weight.rawData).to.equal(undefined);
    expect(tensorFromProto(weight, path)).to.deep.equal(tensorFromProto(expected.graph.initializer[0], ''));
    const feeds = { image: images(2) };
    expect((await runModel(model, feeds)).logits.data).to.deep.equal(
      (await runModel(expected, feeds)).logits.data,
    );
  });

  it('is found at its offset', async () => {
    const path = external({ location: 'weights.bin', offset: '5', length: '648' });
    writeFileSync(
      inSub('weights.bin'),
      Buffer.concat([Buffer.alloc(5), readFileSync(join(folder, 'weights.bin'))]),
    );
    const [weight] = (await readModel(path)).graph.initializer;
    expect(tensorFromProto(weight, path)).to.deep.equal(tensorFromProto(smallNet().graph.initializer[0], ''));
  });

  const place = 'FOLDER/sub/model.onnx: tensor "conv1.weight": external data';
  const beside = 'put the data file beside the model, as a file of its own';
  const hostile: [string, string, () => void, string][] = [
    ['a path upwards', '../weights.bin', () => {}, `"../weights.bin" leaves the model's folder; ${beside}`],
    [
      'a path up and down',
      'a/../../weights.bin',
      () => {},
      `"a/../../weights.bin" leaves the model's folder; ${beside}`,
    ],
    ['an absolute path', '/etc/hostname', () => {}, `"/etc/hostname" is an absolute path; ${beside}`],
    ['an absolute Windows path', 'C:\\w.bin', () => {}, `"C:\\\\w.bin" is an absolute path; ${beside}`],
    ['the folder itself', '.', () => {}, `"." leaves the model's folder; ${beside}`],
    [
      'a symbolic link',
      'link',
      () => symlinkSync('../weights.bin', inSub('link')),
      `"link" goes through a symbolic link; ${beside}`,
    ],
    [
      'a linked folder',
      'up/weights.bin',
      () => symlinkSync('..', inSub('up')),
      `"up/weights.bin" goes through a symbolic link; ${beside}`,
    ],
    [
      'a hard link',
      'hard',
      () => linkSync(join(folder, 'weights.bin'), inSub('hard')),
      `"hard" is a hard link; ${beside}`,
    ],
    ['a folder', 'folder', () => mkdirSync(inSub('folder')), `"folder" is not a file; ${beside}`],
    [
      'a missing file',
      'none.bin',
      () => {},
      '"none.bin" is missing; copy the data file along with the model',
    ],
  ];
  for (const [name, location, prepare, message] of hostile)
    it(`is not read through ${name}`, async () => {
      const path = external({ location });
      prepare();
      expect(await problem(readModel(path))).to.equal(`${place} ${message}`);
    });

  describe('of a model that is a link, as in the cache of a hub', () => {
    /** `snapshot/model.onnx` and `snapshot/weights.bin`, links to where these blobs lie. */
    function linked(modelBlob: string, weightsBlob: string): string {
      const real = external({ location: 'weights.bin' });
      const at = (name: string) => join(folder, name);
      for (const [blob, file] of [
        [modelBlob, real],
        [weightsBlob, at('weights.bin')],
      ]) {
        mkdirSync(dirname(at(blob)), { recursive: true });
        renameSync(file, at(blob));
      }
      mkdirSync(at('snapshot'));
      symlinkSync(join('..', modelBlob), at('snapshot/model.onnx'));
      symlinkSync(join('..', weightsBlob), at('snapshot/weights.bin'));
      return at('snapshot/model.onnx');
    }

    it('is read through links to where the model lies, or below', async () => {
      for (const weights of ['blobs/b', 'blobs/below/b']) {
        const path = linked('blobs/a', weights);
        const [weight] = (await readModel(path)).graph.initializer;
        const [expected] = smallNet().graph.initializer;
        expect(tensorFromProto(weight, path)).to.deep.equal(tensorFromProto(expected, ''));
        rmSync(join(folder, 'snapshot'), { recursive: true });
      }
    });

    it('is read through a link within the model’s own folder', async () => {
      const path = external({ location: 'weights.bin' });
      renameSync(join(folder, 'weights.bin'), inSub('b'));
      symlinkSync('b', inSub('weights.bin'));
      expect((await readModel(path)).graph.initializer[0].fileRange?.length).to.equal(648);
    });

    it('is not read where the link leads to another folder, be its name longer or shorter', async () => {
      for (const weights of ['blobs2/b', 'b', 'other/blobs/b']) {
        const path = linked('blobs/a', weights);
        expect(await problem(readModel(path)), weights).to.equal(
          `FOLDER/snapshot/model.onnx: tensor "conv1.weight": external data "weights.bin" goes through a symbolic link; ${beside}`,
        );
        rmSync(join(folder, 'snapshot'), { recursive: true });
      }
    });
  });

  it('ends where its file does, if nothing says how long it is', async () => {
    const path = external({ location: 'weights.bin', offset: '5' });
    writeFileSync(inSub('weights.bin'), new Uint8Array(653));
    expect((await readModel(path)).graph.initializer[0].fileRange).to.include({ offset: 5, length: 648 });
  });

  it('is refused without a location, and where its file is shorter by the time it is read', async () => {
    expect(await problem(readModel(external({ offset: '0' })))).to.equal(
      'FOLDER/sub/model.onnx: tensor "conv1.weight": external data without a location',
    );
    const path = external({ location: 'weights.bin', offset: '8', length: '648' });
    writeFileSync(inSub('weights.bin'), new Uint8Array(656));
    const [weight] = (await readModel(path)).graph.initializer;
    writeFileSync(inSub('weights.bin'), new Uint8Array(100));
    expect(() => tensorFromProto(weight, path)).to.throw(
      GraphError,
      /weights\.bin: ended at byte 100: it has changed since the model was read$/,
    );
  });

  for (const [entries, message] of [
    [{ offset: ' ' }, 'with offset " "'],
    [{ offset: '-4' }, 'with offset "-4"'],
    [{ length: '-1' }, 'with length "-1"'],
    [{ offset: '1e30' }, 'with offset "1e30"'],
    [{ offset: 'four' }, 'with offset "four"'],
  ] as const)
    it(`refuses ${JSON.stringify(entries)}`, async () => {
      const path = external({ location: 'weights.bin', ...entries });
      writeFileSync(inSub('weights.bin'), new Uint8Array(648));
      expect(await problem(readModel(path))).to.equal(`${place} ${message}`);
    });

  it('has to lie within its file', async () => {
    const path = external({ location: 'weights.bin', offset: '4', length: '648' });
    writeFileSync(inSub('weights.bin'), new Uint8Array(648));
    expect(await problem(readModel(path))).to.equal(
      'FOLDER/sub/model.onnx: tensor "conv1.weight": bytes 4 to 652 of weights.bin, which has 648; copy the data file again',
    );
  });

  it('has to be as long as the tensor', async () => {
    const path = external({ location: 'weights.bin', length: '640' });
    writeFileSync(inSub('weights.bin'), new Uint8Array(648));
    const [weight] = (await readModel(path)).graph.initializer;
    expect(() => tensorFromProto(weight, 'model.onnx')).to.throw(
      GraphError,
      'model.onnx: tensor "conv1.weight": float32 of shape [6,3,3,3] takes 648 bytes, and 640 are there',
    );
  });

  it('moves into the file that the model is written to', async () => {
    const path = external({ location: 'weights.bin' });
    writeFileSync(inSub('weights.bin'), readFileSync(join(folder, 'weights.bin')));
    const elsewhere = join(folder, 'elsewhere', 'model.onnx');
    await writeModel(elsewhere, await readModel(path));
    expect(encodeModel(await readModel(elsewhere))).to.deep.equal(encodeModel(smallNet()));
  });

  it('can lie beyond 2 GB', async () => {
    const offset = 2 ** 31 + 5;
    const path = external({ location: 'weights.bin', offset: String(offset), length: '648' });
    // A file with a hole: it takes no space.
    const file = openSync(inSub('weights.bin'), 'w');
    writeSync(file, readFileSync(join(folder, 'weights.bin')), 0, 648, offset);
    closeSync(file);
    expect(encodeModel(await readModel(path))).to.deep.equal(encodeModel(smallNet()));
  });

  it('moves beside the file where there is too much of it', async () => {
    const path = join(folder, 'large', 'model.onnx');
    const model = sums();
    await writeModel(path, model, { inlineLimit: 1000 });
    const read = await readModel(path);
    expect(read.graph.initializer.map(({ fileRange }) => fileRange?.offset)).to.deep.equal([
      0,
      4096,
      undefined,
    ]);
    expect(encodeModel(read)).to.deep.equal(encodeModel(model));

    const again = join(folder, 'again', 'model.onnx');
    await writeModel(again, read, { inlineLimit: 1000 });
    expect(encodeModel(await readModel(again))).to.deep.equal(encodeModel(model));

    const session = await InferenceSession.create(again);
    const { y } = await session.run({ x: new Tensor('float32', new Float32Array(400), [400]) });
    await session.release();
    expect((y.data as Float32Array)[7]).to.be.closeTo(7 + 0.7 + 3, 1e-6);
  });

  it('is compared with what is written, byte by byte', async () => {
    const path = external({ location: 'weights.bin' });
    renameSync(join(folder, 'weights.bin'), inSub('weights.bin'));
    const model = await readModel(path);
    const copy = join(folder, 'copy.onnx');
    await writeModel(copy, model);
    compareWritten(copy, model, 'copy.onnx');
    const bytes = readFileSync(copy);
    for (const at of [0, 500, bytes.length - 1]) {
      writeFileSync(copy, bytes.with(at, bytes[at] ^ 1));
      expect(() => compareWritten(copy, model, 'copy.onnx'), String(at)).to.throw(
        GraphError,
        /^copy\.onnx: does not hold what was written to it, near byte \d+; the disk may be faulty$/,
      );
    }
    writeFileSync(copy, bytes.subarray(0, -1));
    expect(() => compareWritten(copy, model, 'copy.onnx')).to.throw(GraphError);
    writeFileSync(copy, '');
    expect(() => compareWritten(copy, model, 'copy.onnx')).to.throw(GraphError, 'near byte 0;');
  });

  it('is not written over while it is in use', async () => {
    const path = join(folder, 'large', 'model.onnx');
    await writeModel(path, sums(), { inlineLimit: 1000 });
    const read = await readModel(path);
    const message = 'holds the data of tensor "a" and would be written over; give the model another name';
    for (const target of [path, `${path}.data`])
      expect(await problem(writeModel(target, read))).to.equal(`FOLDER/large/model.onnx.data: ${message}`);
    expect(encodeModel(await readModel(path))).to.have.length.above(3000);
  });

  /** y = x + a + b + c: two tensors of 1600 bytes, and one of 4. */
  function sums(): ModelProto {
    const graph = new GraphBuilder('sums');
    const constant = (name: string, shape: number[], value: (i: number) => number) =>
      graph.initializer(name, {
        dtype: 'float32',
        shape,
        data: Float32Array.from({ length: elementCount(shape) }, (_, i) => value(i)),
      });
    graph.input('x', ElementType.float, [400]);
    const terms = [
      constant('a', [400], (i) => i),
      constant('b', [400], (i) => i / 10),
      constant('c', [], () => 3),
    ];
    graph.node('Sum', ['x', ...terms], { name: 'y' });
    graph.output('y', ElementType.float, [400]);
    return graph.build();
  }
});
