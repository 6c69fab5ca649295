import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { findPreprocessing } from '../../../converters/huggingface/preprocessing.ts';
import { DataError } from '../../../src/common/errors.ts';
import { rejection } from '../../data/rejection.ts';

const imagenet = { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] };
const normalised = { mean: imagenet.image_mean, std: imagenet.image_std, scale: 1 / 255 };

describe('findPreprocessing', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-huggingface-'));
  });
  after(() => rm(folder, { recursive: true }));
  let count = 0;

  /** What is found for a model beside these files. */
  async function beside(files: Record<string, unknown>, model = 'model.onnx') {
    const home = join(folder, String(count++));
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(home, name)), { recursive: true });
      await writeFile(join(home, name), typeof content === 'string' ? content : JSON.stringify(content));
    }
    const found = await findPreprocessing(join(home, model));
    if (!found) return undefined;
    const { source, ...rest } = found;
    expect(source.startsWith(home)).to.equal(true);
    return rest;
  }
  const processor = (config: object) => beside({ 'preprocessor_config.json': config });

  it('stretches as ViT is trained', async () => {
    const vit = {
      image_processor_type: 'ViTImageProcessor',
      do_resize: true,
      do_normalize: true,
      resample: 2,
    };
    const halves = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
    const geometry = { height: 224, width: 224, filter: 'bilinear' };
    const expected = { mean: halves.image_mean, std: halves.image_std, scale: 1 / 255, geometry };
    expect(await processor({ ...vit, ...halves, size: { height: 224, width: 224 } })).to.deep.equal(expected);
    const old = {
      ...vit,
      ...halves,
      image_processor_type: undefined,
      feature_extractor_type: 'ViTFeatureExtractor',
    };
    expect(await processor({ ...old, size: 224 })).to.deep.equal(expected);
  });

  it('cuts the middle out as ConvNeXt, ResNet and CLIP are trained', async () => {
    const convnext = {
      ...imagenet,
      image_processor_type: 'ConvNextImageProcessor',
      resample: 3,
      crop_pct: 0.875,
    };
    const cut = { height: 224, width: 224, filter: 'bicubic', shorterSide: 256 };
    expect(await processor({ ...convnext, size: { shortest_edge: 224 } })).to.deep.equal({
      ...normalised,
      geometry: cut,
    });
    const large = await processor({ ...convnext, size: { shortest_edge: 384 } });
    expect(large?.geometry).to.deep.equal({ height: 384, width: 384, filter: 'bicubic' });
    const clip = {
      ...imagenet,
      do_center_crop: true,
      crop_size: { height: 224, width: 224 },
      size: { shortest_edge: 240 },
      resample: 1,
    };
    expect((await processor(clip))?.geometry).to.deep.equal({ ...cut, filter: 'lanczos', shorterSide: 240 });
  });

  it('follows what is switched off', async () => {
    const raw = await processor({ do_normalize: false, do_rescale: false, do_resize: false, size: 32 });
    expect(raw).to.deep.equal({ mean: [0, 0, 0], std: [1, 1, 1], scale: 1 });
  });

  it("reads timm's configuration, and looks above a folder that is called onnx", async () => {
    const cfg = { input_size: [3, 240, 240], mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4], crop_pct: 0.9 };
    const config = {
      architecture: 'x',
      pretrained_cfg: { ...cfg, interpolation: 'bicubic', crop_mode: 'center' },
    };
    const geometry = { height: 240, width: 240, filter: 'bicubic', shorterSide: 266 };
    const expected = { mean: cfg.mean, std: cfg.std, geometry };
    expect(await beside({ 'config.json': config })).to.deep.equal(expected);
    expect(await beside({ 'config.json': config, 'onnx/model.onnx': '' }, 'onnx/model.onnx')).to.deep.equal(
      expected,
    );
    expect(await beside({ 'config.json': { model_type: 'vit' } })).to.equal(undefined);
  });

  it('refuses what it cannot follow, in one line', async () => {
    const wrong: [object | string, RegExp][] = [
      ['{', /preprocessor_config\.json: is no JSON: .*; say it yourself: --mean/],
      [{ do_normalize: true }, /normalises, and does not say with which image_mean and image_std/],
      [{ ...imagenet, image_std: [1, 0, 1] }, /image_std\.1: /],
      [{ ...imagenet, size: 224, resample: 0 }, /resample 0 is a filter that is not offered here/],
      [{ ...imagenet, size: { shortest_edge: 256 } }, /resizes the shorter side to 256 and cuts nothing out/],
      [
        { ...imagenet, size: { height: 256, width: 256 }, do_center_crop: true, crop_size: 224 },
        /stretches images and cuts the middle out/,
      ],
      [{ ...imagenet, size: { height: 1e9, width: 1 } }, /size\.height: /],
      [[1], /contents: /],
    ];
    for (const [config, message] of wrong) {
      const files = { 'preprocessor_config.json': config };
      const error = await rejection(beside(files), DataError);
      expect(error.message).to.match(message).and.not.include('\n');
    }
  });
});
