import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { findPreprocessing } from '../../../converters/huggingface/find-preprocessing.ts';
import { DataError } from '../../../src/common/errors.ts';
import { rejection } from '../../data/rejection.ts';

const imagenet = { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] };
const halves = [0.5, 0.5, 0.5];
const normalized = { mean: imagenet.image_mean, std: imagenet.image_std, scale: 1 / 255 };

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

  const covering = (side: number) => ({
    ...{ fit: 'cover', to: { height: side, width: side } },
    ...{ rounding: 'truncate', place: 'middle-floor' },
  });
  const square = (side: number) => ({ height: side, width: side });

  it('stretches as ViT is trained, under all names that the class has had, with nulls for what is not set', async () => {
    const vit = { do_resize: true, do_normalize: true, resample: 2, image_mean: halves, image_std: halves };
    const geometry = { ...square(224), filter: 'bilinear' };
    const expected = { mean: halves, std: halves, scale: 1 / 255, geometry };
    for (const type of [
      { image_processor_type: 'ViTImageProcessor' },
      {
        image_processor_type: 'ViTImageProcessorFast',
        do_center_crop: null,
        crop_size: null,
        pad_size: null,
      },
      { feature_extractor_type: 'ViTFeatureExtractor' },
    ])
      for (const size of [224, { height: 224, width: 224 }, null])
        expect(await processor({ ...vit, ...type, size })).to.deep.equal(expected);
    const byModel = { 'preprocessor_config.json': vit, 'config.json': { model_type: 'swin' } };
    expect(await beside(byModel)).to.deep.equal(expected);
  });

  it('cuts the middle out as ConvNeXt, CLIP, LeViT and DeiT do', async () => {
    const convnext = {
      ...imagenet,
      image_processor_type: 'ConvNextImageProcessor',
      resample: 3,
      crop_pct: 0.875,
    };
    const cut = { ...square(224), filter: 'bicubic', framing: covering(256) };
    const small = await processor({ ...convnext, size: { shortest_edge: 224 } });
    expect(small).to.deep.equal({ ...normalized, geometry: cut });
    const large = await processor({ ...convnext, size: { shortest_edge: 384 } });
    expect(large?.geometry).to.deep.equal({ ...square(384), filter: 'bicubic' });
    const clip = { image_processor_type: 'CLIPImageProcessor', size: { shortest_edge: 240 }, resample: 1 };
    expect((await processor(clip))?.geometry).to.deep.equal({
      ...{ ...square(224), filter: 'lanczos', framing: covering(240) },
    });
    const levit = { feature_extractor_type: 'LevitFeatureExtractor', size: 224 };
    expect((await processor(levit))?.geometry).to.deep.equal(cut);
    const deit = { image_processor_type: 'DeiTImageProcessor' };
    expect((await processor(deit))?.geometry?.framing).to.deep.equal({ ...covering(256), fit: 'stretch' });
  });

  it('follows what MobileViT, EfficientNet and PP-LCNet do to colours', async () => {
    const mobilevit = {
      ...imagenet,
      image_processor_type: 'MobileViTImageProcessor',
      do_flip_channel_order: true,
    };
    expect(await processor(mobilevit)).to.deep.include({
      ...{ mean: [0, 0, 0], std: [1, 1, 1], channelOrder: 'BGR' },
      geometry: { ...square(256), filter: 'bicubic', framing: covering(224) },
    });
    const efficientnet = { image_processor_type: 'EfficientNetImageProcessor', rescale_offset: true };
    const { mean, std } = (await processor(efficientnet))!;
    expect([mean, std]).to.deep.equal([
      [1.5, 1.5, 1.5],
      [0.25, 0.25, 0.25],
    ]);
    const { channelOrder, mean: reversed } = (await processor({
      image_processor_type: 'PPLCNetImageProcessor',
    }))!;
    expect([channelOrder, reversed]).to.deep.equal(['BGR', imagenet.image_mean]);
  });

  it('follows what is switched off', async () => {
    const off = { do_normalize: false, do_rescale: false, do_resize: false, size: 32 };
    const raw = await processor({ image_processor_type: 'ViTImageProcessor', ...off });
    expect(raw).to.deep.equal({ mean: [0, 0, 0], std: [1, 1, 1], scale: 1 });
  });

  it("reads timm's configuration, and looks above a folder that is called onnx", async () => {
    const cfg = { input_size: [3, 240, 240], mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4], crop_pct: 0.9 };
    const config = { architecture: 'x', pretrained_cfg: { ...cfg, tag: 'y', crop_mode: 'center' } };
    // Where no interpolation is set, timm's is bicubic.
    const geometry = { height: 240, width: 240, filter: 'bicubic', shorterSide: 266 };
    const expected = { mean: cfg.mean, std: cfg.std, geometry };
    expect(await beside({ 'config.json': config })).to.deep.equal(expected);
    expect(await beside({ 'config.json': { architecture: 'x', ...cfg } })).to.deep.equal(expected);
    expect(await beside({ 'config.json': config, 'onnx/model.onnx': '' }, 'onnx/model.onnx')).to.deep.equal(
      expected,
    );
    expect(await beside({ 'config.json': { model_type: 'vit' } })).to.equal(undefined);
  });

  it('refuses what it cannot follow, by name and in one line', async () => {
    const vit = { image_processor_type: 'ViTImageProcessor' };
    const wrong: [object | string, RegExp][] = [
      ['{', /preprocessor_config\.json: is no JSON: .*; say it yourself: `mean`/],
      [imagenet, /does not say which image processor it is of/],
      [
        { image_processor_type: 'DonutImageProcessor' },
        /of the image processor DonutImageProcessor, which is not/,
      ],
      [{ ...vit, image_std: [1, 0, 1] }, /image_std\.1: /],
      [{ ...vit, resample: 7 }, /resample: /],
      [{ ...vit, crop_pct: 0.9 }, /has the key crop_pct, which is not followed here/],
      [{ ...vit, do_resise: false }, /has the key do_resise, .*; did you mean do_resize\?/],
      [{ ...vit, do_pad: true }, /has the key do_pad/],
      [{ ...vit, size: { shortest_edge: 256 } }, /resizes the shorter side to 256 and cuts nothing out/],
      [{ ...vit, size: { longest_edge: 256 } }, /size: /],
      [{ ...vit, size: { height: 1e9, width: 1 } }, /size\.height: /],
      [[1], /contents: /],
    ];
    for (const [config, message] of wrong) {
      const files = { 'preprocessor_config.json': config };
      const error = await rejection(beside(files), DataError);
      expect(error.message).to.match(message).and.not.include('\n');
    }
  });
});
