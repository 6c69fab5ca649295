import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { writeSafetensors } from '../../../converters/safetensors/write-safetensors.ts';
import { chooseNetwork } from '../../../models/families/choose.ts';
import { backboneMetadata } from '../../../models/metadata.ts';
import { adviceText } from '../../../src/common/errors.ts';
import type { StateDict, Tensor } from '../../../src/common/tensor.ts';
import {
  CheckpointError,
  type CheckpointInspection,
  exportCheckpoint,
  GraphSession,
  type ImportOptions,
  importCheckpoint,
  inspectFile,
  RandomState,
  readCheckpoint,
  readModel,
  UsageError,
  writeCheckpoint,
} from '../../../src/index.ts';
import { writeZooFile } from '../../golden/zoo-files.ts';

/** Weights of small networks with the keys of published families. */

const random = new RandomState(5);

function filled(shape: readonly number[], low: number, high: number): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const data = Float32Array.from({ length: count }, () => low + (high - low) * random.random());
  return { dtype: 'float32', shape, data };
}

class Weights {
  readonly stateDict: StateDict = new Map();

  layer(path: string, shape: readonly number[], bias = false): this {
    const fan = shape.slice(1).reduce((product, size) => product * size, 1);
    this.stateDict.set(`${path}.weight`, filled(shape, -Math.sqrt(6 / fan), Math.sqrt(6 / fan)));
    if (bias) this.stateDict.set(`${path}.bias`, filled([shape[0]], -0.1, 0.1));
    return this;
  }

  norm(path: string, channels: number): this {
    for (const [field, low, high] of [
      ['weight', 0.5, 1.5],
      ['bias', -0.1, 0.1],
      ['running_mean', -0.1, 0.1],
      ['running_var', 0.5, 1.5],
    ] as const)
      this.stateDict.set(`${path}.${field}`, filled([channels], low, high));
    this.stateDict.set(`${path}.num_batches_tracked`, {
      dtype: 'int64',
      shape: [],
      data: BigInt64Array.of(2n ** 55n + 1n),
    });
    return this;
  }
}

/** A residual network of basic blocks, one a stage, with torchvision's keys. */
function resNet(kernel: number, widths = [8, 12, 16, 20], classes = 3, head = 'fc'): StateDict {
  const weights = new Weights().layer('conv1', [widths[0], 3, kernel, kernel]).norm('bn1', widths[0]);
  for (const [s, width] of widths.entries()) {
    const inputs = widths[Math.max(0, s - 1)];
    const block = `layer${s + 1}.0`;
    weights.layer(`${block}.conv1`, [width, inputs, 3, 3]).norm(`${block}.bn1`, width);
    weights.layer(`${block}.conv2`, [width, width, 3, 3]).norm(`${block}.bn2`, width);
    if (s > 0)
      weights.layer(`${block}.downsample.0`, [width, inputs, 1, 1]).norm(`${block}.downsample.1`, width);
  }
  return weights.layer(head, [classes, widths.at(-1)!], true).stateDict;
}

/** A pre-activation network with the keys of kuangliu and RobustBench. */
function preactivation(): StateDict {
  const widths = [8, 12, 16, 20];
  const weights = new Weights().layer('conv1', [8, 3, 3, 3]);
  for (const [s, width] of widths.entries()) {
    const inputs = widths[Math.max(0, s - 1)];
    const block = `layer${s + 1}.0`;
    weights.norm(`${block}.bn1`, inputs).layer(`${block}.conv1`, [width, inputs, 3, 3]);
    weights.norm(`${block}.bn2`, width).layer(`${block}.conv2`, [width, width, 3, 3]);
    if (s > 0) weights.layer(`${block}.shortcut.0`, [width, inputs, 1, 1]);
  }
  return weights.layer('linear', [10, 20], true).stateDict;
}

function wideResNet(): StateDict {
  const widths = [16, 16, 32, 64];
  const weights = new Weights().layer('conv1', [16, 3, 3, 3]);
  for (const [s, width] of widths.slice(1).entries()) {
    const [inputs, block] = [widths[s], `block${s + 1}.layer.0`];
    weights.norm(`${block}.bn1`, inputs).layer(`${block}.conv1`, [width, inputs, 3, 3]);
    weights.norm(`${block}.bn2`, width).layer(`${block}.conv2`, [width, width, 3, 3]);
    if (width !== inputs) weights.layer(`${block}.convShortcut`, [width, inputs, 1, 1]);
  }
  return weights.norm('bn1', 64).layer('fc', [10, 64], true).stateDict;
}

const renamed = (weights: StateDict, change: (key: string) => string): StateDict =>
  new Map([...weights].map(([key, tensor]) => [change(key), tensor]));

describe('checkpoints of published families', () => {
  let root: string;
  let count = 0;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'la-ood-import-'));
  });
  after(() => rm(root, { recursive: true }));

  /** Writes weights into a folder of their own, with what lies beside them. */
  async function saved(weights: StateDict, files: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const folder = join(root, String(count++));
    await mkdir(folder);
    const path = join(folder, 'weights.pth');
    await writeCheckpoint(path, weights);
    for (const [name, content] of Object.entries(files))
      await writeFile(join(folder, name), JSON.stringify(content));
    return path;
  }

  /** Weights under keys of the file, as a training script saves them. */
  async function savedUnder(weights: StateDict, path: string[], prefix = ''): Promise<string> {
    const folder = join(root, String(count++));
    await mkdir(folder);
    const wrapper = { format: ['zip'], whole_module: false, path, prefix, beside: { epoch: 'int' } } as const;
    return writeZooFile(folder, { wrapper } as never, weights, 'zip');
  }

  async function imported(source: string, options: ImportOptions = {}) {
    const target = join(root, `${count++}.onnx`);
    const report = await importCheckpoint(source, target, options);
    const model = await readModel(target);
    const { height, width } = report.geometry;
    const session = await GraphSession.open(model, { device: 'cpu' });
    const pixels = new RandomState(1);
    const data = Float32Array.from({ length: 3 * height * width }, () => pixels.random() - 0.5);
    const { logits } = await session.run({ input: { dtype: 'float32', shape: [1, 3, height, width], data } });
    await session.close();
    return { ...report, target, model, logits: [...(logits.data as Float32Array)] };
  }

  async function refusal(work: Promise<unknown>): Promise<Error> {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(Error);
    return error as Error;
  }

  it('are built, and what was assumed is reported and recorded', async () => {
    const { architecture, classes, geometry, assumptions, origin, model, taps } = await imported(
      await saved(resNet(7)),
    );
    expect([architecture, classes, origin]).to.deep.equal([
      'torchvision/resnet10',
      3,
      'torchvision/resnet10',
    ]);
    expect(geometry).to.deep.equal({ height: 224, width: 224, filter: 'bilinear', shorterSide: 256 });
    expect(assumptions).to.include('stem: stride 2, then a max-pool 3×3 with stride 2');
    const metadata = backboneMetadata(model);
    expect(metadata.assumptions).to.deep.equal(assumptions);
    expect(metadata.taps).to.deep.equal(taps);
    expect(taps).to.include.members(['conv1', 'layer4.0.conv2', 'logits']);
  });

  it('take other sizes, and other taps', async () => {
    const source = await saved(resNet(7));
    const { model, taps } = await imported(source, { size: { height: 96, width: 64 }, taps: ['layer?.0'] });
    expect(taps).to.deep.equal(['layer1.0', 'layer2.0', 'layer3.0', 'layer4.0', 'logits']);
    const { shape } = model.graph.input[0].type!.tensorType!;
    expect(shape!.dim.slice(1).map(({ dimValue }) => dimValue)).to.deep.equal([3, 96, 64]);
  });

  describe('with other keys', () => {
    const plain = resNet(7);
    let wanted: number[];
    before(async () => {
      wanted = (await imported(await saved(plain))).logits;
    });

    for (const [what, change] of Object.entries<(key: string) => string>({
      'module.': (key) => `module.${key}`,
      'module.model.': (key) => `module.model.${key}`,
      'encoder.': (key) => `encoder.${key}`,
      'any other prefix': (key) => `my_net.inner.${key}`,
      'wrapped layers': (key) =>
        key.replace(/^(layer\d)\./, '$1.module.').replace(/^conv1\./, 'conv1._orig_mod.'),
      'a body and a head': (key) =>
        key.startsWith('fc.') ? key.replace('fc', 'classifier') : `backbone.${key}`,
      'a wrapped body and head': (key) => (key.startsWith('fc.') ? `model.${key}` : `model.encoder.${key}`),
    }))
      it(`${what}: compute the same, and come back`, async () => {
        const weights = renamed(plain, change);
        const { logits, target } = await imported(await saved(weights));
        expect(logits).to.deep.equal(wanted);
        const back = join(root, `${count++}.pth`);
        await exportCheckpoint(target, back, { prefix: true });
        const { stateDict, prefix = '' } = await readCheckpoint(back);
        expect([...stateDict].map(([key, tensor]) => [prefix + key, tensor])).to.deep.equal([...weights]);
      });

    it('a tensor under two keys stays one', async () => {
      const tied: StateDict = new Map([...plain, ['head.weight', plain.get('fc.weight')!]]);
      const { logits, target } = await imported(await saved(tied));
      expect(logits).to.deep.equal(wanted);
      const back = join(root, `${count++}.pth`);
      await exportCheckpoint(target, back);
      const { stateDict } = await readCheckpoint(back);
      expect([...stateDict.keys()]).to.deep.equal([...tied.keys()]);
      expect(stateDict.get('head.weight')!.data).to.equal(stateDict.get('fc.weight')!.data);
    });

    it('profilers and counters are left out, and named', async () => {
      const counted: StateDict = new Map(plain);
      counted.set('total_ops', { dtype: 'float64', shape: [1], data: Float64Array.of(3) });
      counted.set('steps', { dtype: 'int64', shape: [], data: BigInt64Array.of(3n) });
      const { logits, notes } = await imported(await saved(counted));
      expect(logits).to.deep.equal(wanted);
      expect(notes).to.deep.equal(['left out, as no weights: total_ops, steps']);
    });

    it('the mean and deviation of images become the normalisation, and come back', async () => {
      const pair = (values: number[]): Tensor => ({
        dtype: 'float32',
        shape: [1, 3, 1, 1],
        data: Float32Array.from(values),
      });
      const weights: StateDict = new Map([
        ['0.mean', pair([0.5, 0.25, 0.125])],
        ['0.std', pair([0.25, 0.5, 0.25])],
        ...renamed(plain, (key) => `1.${key}`),
      ]);
      const { logits, normalization, origin, target, notes } = await imported(await saved(weights));
      expect(logits).to.deep.equal(wanted);
      expect([normalization, origin]).to.deep.equal([
        { mean: [0.5, 0.25, 0.125], std: [0.25, 0.5, 0.25] },
        'the checkpoint',
      ]);
      expect(notes).to.include('0.mean and 0.std are taken as the mean and deviation of images');
      const back = join(root, `${count++}.pth`);
      await exportCheckpoint(target, back);
      expect([...(await readCheckpoint(back)).stateDict]).to.deep.equal([...weights]);
    });

    it('half floats come back as such, bit by bit', async () => {
      for (const dtype of ['float16', 'bfloat16'] as const) {
        const half: StateDict = new Map(
          [...plain].map(([key, tensor]): [string, Tensor] => {
            if (tensor.dtype !== 'float32') return [key, tensor];
            // Every pattern but those of NaN, infinity and negative variances.
            const limit = dtype === 'float16' ? 0x4000 : 0x3f80;
            const data = Uint16Array.from({ length: tensor.data.length }, (_, i) => (i * 7919) % limit);
            return [key, { dtype, shape: tensor.shape, data }];
          }),
        );
        const { target } = await imported(await saved(half));
        const back = join(root, `${count++}.pth`);
        await exportCheckpoint(target, back);
        expect([...(await readCheckpoint(back)).stateDict]).to.deep.equal([...half]);
      }
    });

    it('safetensors is read and written', async () => {
      const path = join(root, `${count++}.safetensors`);
      await writeSafetensors(path, plain);
      const { logits, target } = await imported(path);
      expect(logits).to.deep.equal(wanted);
      const back = join(root, `${count++}.safetensors`);
      await exportCheckpoint(target, back, { format: 'safetensors' });
      const read = await readCheckpoint(back);
      expect(read.format).to.equal('safetensors');
      expect([...read.stateDict]).to.deep.equal([...plain]);
    });
  });

  it('several in one file: the plain one is taken before its average, and others are asked for', async () => {
    const [one, other] = [resNet(7), resNet(7)];
    const both = (names: readonly string[]): StateDict =>
      new Map([
        ...renamed(one, (key) => `${names[0]}.${key}`),
        ...renamed(other, (key) => `${names[1]}.${key}`),
      ]);
    const averaged = await imported(await saved(both(['net_a', 'ema_net_a'])));
    expect(averaged.logits).to.deep.equal((await imported(await saved(one))).logits);
    expect(averaged.notes).to.include('weights also found under ema_net_a: net_a was taken');
    const students = await saved(both(['student', 'judge']));
    const error = await refusal(imported(students));
    expect(error).to.be.instanceOf(CheckpointError);
    expect(error.message).to.match(
      /a network under student, a network under judge; .*--wrapper student or --wrapper judge/,
    );
    const { logits } = await imported(students, { wrapper: 'judge' });
    expect(logits).to.deep.equal((await imported(await saved(other))).logits);
  });

  it('that fit several networks are refused, and built where it is said which', async () => {
    const source = await saved(resNet(3));
    const error = await refusal(imported(source));
    expect(error).to.be.instanceOf(CheckpointError);
    expect(error.message).to.match(
      /compute different things.*huyvnphan\/resnet10 \(stem: stride 1, then a max-pool.*detectors\/resnet10 \(.*no pool.*--arch huyvnphan\/resnet10 or --arch detectors\/resnet10/,
    );
    const archs = ['huyvnphan/resnet10', 'Detectors/ResNet-10', 'solo-learn/resnet10'];
    const logits = await Promise.all(
      archs.map(async (arch) => String((await imported(source, { arch })).logits)),
    );
    expect(new Set(logits).size).to.equal(3);
    const { problems } = (await inspectFile(source)) as CheckpointInspection;
    expect(adviceText(problems[0])).to.include('`arch: huyvnphan/resnet10`');
    const other = await refusal(imported(source, { arch: 'torchvision/resnet50' }));
    expect(other).to.be.instanceOf(UsageError);
    expect(other.message).to.include('what fits is huyvnphan/resnet10');
  });

  it('are told apart by a config.json', async () => {
    const configured = (architecture: string, side: number) => ({
      'config.json': {
        architecture,
        pretrained_cfg: { input_size: [3, side, side], mean: [0.1, 0.2, 0.3], std: [1, 1, 1] },
      },
    });
    const small = await imported(await saved(resNet(3), configured('resnet18', 32)));
    expect([small.architecture, small.geometry.height, small.origin]).to.deep.equal([
      'detectors/resnet10',
      32,
      'config.json',
    ]);
    const named = {
      ...configured('resnet18', 32)['config.json'],
      id2label: { 0: 'ant', 1: 'bee', 2: 'cat' },
    };
    const { classNames } = await imported(await saved(resNet(3), { 'config.json': named }));
    expect(classNames).to.deep.equal(['ant', 'bee', 'cat']);
    const weights = resNet(7);
    const plain = await imported(await saved(weights, configured('resnet18', 64)));
    const blurred = await imported(await saved(weights, configured('resnetblur18', 64)));
    const averaged = await imported(await saved(weights, configured('resnetaa18', 64)));
    expect([plain, blurred, averaged].map(({ architecture }) => architecture)).to.deep.equal([
      'torchvision/resnet10',
      'timm/resnetblur10',
      'timm/resnetaa10',
    ]);
    expect(new Set([plain, blurred, averaged].map(({ logits }) => String(logits))).size).to.equal(3);
    const activated = { architecture: 'resnet18', global_pool: 'avg', model_args: { act_layer: 'silu' } };
    const made = await refusal(imported(await saved(weights, { 'config.json': activated })));
    expect(made.message).to.include(
      'config.json beside it has act_layer "silu", which no family is built with',
    );
    const unknown = await refusal(imported(await saved(weights, configured('seresnet18', 64))));
    expect(unknown.message).to.match(
      /config\.json beside it names seresnet18, and its keys are those of torchvision\/resnet10/,
    );
  });

  it('with an activation that is not built are refused for it', async () => {
    const embedder = 'resnet.embedder.embedder';
    const block = 'resnet.encoder.stages.0.layers.0.layer';
    const weights = new Weights().layer(`${embedder}.convolution`, [4, 3, 7, 7]);
    weights.norm(`${embedder}.normalization`, 4).layer('classifier.1', [3, 4], true);
    for (const n of [0, 1])
      weights.layer(`${block}.${n}.convolution`, [4, 4, 3, 3]).norm(`${block}.${n}.normalization`, 4);
    const configured = (act: string) => ({ 'config.json': { model_type: 'resnet', hidden_act: act } });
    const known = await imported(await saved(weights.stateDict, configured('swish')));
    expect(known.assumptions).to.include('activation silu');
    const other = await refusal(imported(await saved(weights.stateDict, configured('tanh'))));
    expect(other.message).to.match(
      /^config\.json: has the hidden_act tanh, and not relu, .*; export the network/,
    );
  });

  it('are told apart by what wraps them', async () => {
    const weights = preactivation();
    const theirs = await imported(await savedUnder(weights, ['net'], 'module.'));
    const robust = await imported(await savedUnder(weights, ['last']));
    expect([theirs.architecture, robust.architecture]).to.deep.equal([
      'kuangliu/PreActResNet10',
      'RobustBench/PreActResNet10',
    ]);
    expect(theirs.logits).not.to.deep.equal(robust.logits);
    const bare = await saved(weights);
    expect((await refusal(imported(bare))).message).to.match(
      /activated input.*raw input|raw input.*activated input/,
    );
    expect((await imported(bare, { arch: 'kuangliu/preactresnet10' })).logits).to.deep.equal(theirs.logits);
    const fixed = await refusal(
      imported(bare, { arch: 'kuangliu/PreActResNet10', size: { height: 64, width: 64 } }),
    );
    expect(fixed.message).to.match(/leaves a map of 8×8 where the network's last pool takes 4×4/);
  });

  it('of wide networks beside their average, as FixMatch has them, are built only where it is said which', () => {
    const shapes = new Map([...wideResNet()].map(([key, { shape }]) => [key, shape]));
    const where = 'wide.pth';
    const single = { wrapper: 'state_dict', sets: ['state_dict'] };
    expect(chooseNetwork(shapes, { where, evidence: single }).id).to.equal('xternalz/WRN-10-1');
    const evidence = { wrapper: 'state_dict', sets: ['state_dict', 'ema_state_dict'] };
    expect(() => chooseNetwork(shapes, { where, evidence })).to.throw(
      CheckpointError,
      /not published with state_dict and ema_state_dict in one file; .*--arch xternalz\/WRN-10-1/,
    );
    const arch = 'xternalz/WRN-10-1';
    expect(chooseNetwork(shapes, { where, evidence, arch }).id).to.equal(arch);
  });

  it('that fit no network are refused, with the way that works', async () => {
    const without = resNet(7);
    without.delete('fc.bias');
    const more: StateDict = new Map(resNet(7)).set('layer1.0.se.weight', filled([8, 8], 0, 1));
    for (const [weights, problem] of [
      [without, /nearest are torchvision\/resnet10 \(lacks fc\.bias \(3\)\)/],
      [more, /has layer1\.0\.se\.weight \(8×8\), which it should not/],
    ] as const) {
      const { message } = await refusal(imported(await saved(weights)));
      expect(message)
        .to.match(problem)
        .and.match(/torch\.onnx\.export .*la-ood fit \(model\.onnx\)$/);
    }
    const error = await refusal(imported(await saved(resNet(7)), { classes: 4 }));
    expect(error.message).to.match(/has 3 classes where 4 were asked for: fc\.weight is 3×20, not 4×20/);
  });
});

describe('whole modules of published families', () => {
  it('are built by their attributes, and refused where these are not the family’s', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'la-ood-module-'));
    try {
      const weights = resNet(3);
      const layers = [...new Set([...weights.keys()].map((key) => key.slice(0, key.lastIndexOf('.'))))];
      const parents = new Set(
        layers.flatMap((path) => path.split('.').map((_, i, parts) => parts.slice(0, i).join('.'))),
      );
      const facts = (stride: number, activation: string) => [
        ...[...parents].map((path) => [path, 'resnet.Block', {}]),
        ['maxpool', 'torch.nn.modules.linear.Identity', {}],
        ['relu', activation, {}],
        ...layers.map((path) => {
          const shape = weights.get(`${path}.weight`)!.shape;
          if (shape.length === 1) return [path, 'torch.nn.modules.batchnorm.BatchNorm2d', { eps: 1e-3 }];
          if (shape.length === 2) return [path, 'torch.nn.modules.linear.Linear', {}];
          const isFirst = /^layer[2-4]\.0\.(conv1|downsample\.0)$/.test(path);
          const strides = isFirst ? [2, 2] : [path === 'conv1' ? stride : 1, path === 'conv1' ? stride : 1];
          const padding = (shape[2] - 1) / 2;
          return [
            path,
            'torch.nn.modules.conv.Conv2d',
            {
              kernel_size: [shape[2], shape[2]],
              stride: strides,
              padding: [padding, padding],
              groups: 1,
              none: ['bias'],
            },
          ];
        }),
      ];
      const write = (stride: number, activation = 'torch.nn.modules.activation.ReLU') =>
        writeZooFile(
          folder,
          {
            wrapper: { path: [], prefix: '', beside: {}, whole_module: true },
            module_tree: facts(stride, activation),
          } as never,
          weights,
          'legacy',
        );
      const target = join(folder, 'model.onnx');
      const { architecture, notes } = await importCheckpoint(await write(1), target);
      // The max-pool that is none tells it from huyvnphan's.
      expect(architecture).to.equal('detectors/resnet10');
      expect(notes).to.include('the network itself was saved, of the class resnet.Block');
      const { graph } = await readModel(target);
      const norm = graph.node.find(({ opType }) => opType === 'BatchNormalization')!;
      expect(norm.attribute.find(({ name }) => name === 'epsilon')!.f).to.be.closeTo(1e-3, 1e-9);
      const error = await importCheckpoint(await write(2), target).catch((thrown: Error) => thrown);
      expect((error as Error).message).to.match(/its conv1 is of stride 2,2, not 1,1.*; export the network/);
      const other = await importCheckpoint(await write(1, 'resnet.Own'), target).catch(
        (thrown: Error) => thrown,
      );
      expect((other as Error).message).to.include('its relu is a resnet.Own, of which the file does not say');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
