import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { exportCheckpoint, GraphSession, importCheckpoint, readModel } from '../../src/index.ts';
import { python } from './python.ts';

interface Saved {
  readonly path: string;
  readonly logits: number[];
}

/** What each network is found to be. */
const architectures: Readonly<Record<string, string>> = {
  'torchvision resnet18': 'torchvision/resnet18',
  'torchvision resnet152': 'torchvision/resnet152',
  'torchvision resnext50_32x4d': 'torchvision/resnext50_32x4d',
  'torchvision wide_resnet50_2': 'torchvision/wide_resnet50_2',
  'torchvision vgg13': 'torchvision/vgg13',
  'torchvision vgg11_bn': 'torchvision/vgg11_bn',
  'torchvision densenet169': 'torchvision/densenet169',
  'torchvision resnet34': 'torchvision/resnet34',
  'timm resnet26d': 'timm/resnet26d',
  'timm resnet14t': 'timm/resnet14t',
  'timm resnetblur50': 'timm/resnetblur50',
  'timm resnetaa34d': 'timm/resnetaa34d',
  'timm resnet50c': 'timm/resnet50c',
  'timm densenet121': 'torchvision/densenet121',
  'timm vgg11': 'timm/vgg11',
  'transformers basic': 'transformers/resnet-12',
  'transformers bottleneck': 'transformers/resnet-17',
  'transformers, other': 'transformers/resnet-17',
};

describe('published networks beside torchvision, timm and transformers', () => {
  let folder: string;
  const exported: string[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-families-'));
  });
  after(() => rm(folder, { recursive: true }));

  for (const [name, architecture] of Object.entries(architectures))
    it(`${name}: logits within 1e-5 of the largest`, async () => {
      const { path, logits: wanted } = await python<Saved>('families.py', 'save', folder, name);
      const image = new Float32Array(Uint8Array.from(await readFile(join(folder, 'image.bin'))).buffer);
      const target = join(dirname(path), 'model.onnx');
      const imported = await importCheckpoint(path, target, { size: { height: 224, width: 224 } });
      expect(imported.architecture).to.equal(architecture);
      const session = await GraphSession.open(await readModel(target), { device: 'cpu' });
      const { logits } = await session.run({
        input: { dtype: 'float32', shape: [2, 3, 224, 224], data: image },
      });
      await session.close();
      const largest = Math.max(...wanted.map(Math.abs));
      const difference = Math.max(...wanted.map((value, i) => Math.abs(value - Number(logits.data[i]))));
      expect(difference / largest).to.be.at.most(1e-5);
      await exportCheckpoint(target, join(dirname(path), 'back.pth'));
      await exportCheckpoint(target, join(dirname(path), 'back.safetensors'), { format: 'safetensors' });
      await Promise.all([path, target].map((file) => rm(file)));
      exported.push(name);
    });

  it('exports load strictly, and are what was saved bit by bit', async function () {
    if (exported.length === 0) this.skip();
    const same = await python<Record<string, boolean>>('families.py', 'load', folder, ...exported);
    expect(Object.keys(same)).to.have.length(2 * exported.length);
    expect(Object.entries(same).filter(([, isSame]) => !isSame)).to.deep.equal([]);
  });
});
