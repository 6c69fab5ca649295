/** What a class of image processors does where its configuration does not say it (its class attributes). */
export interface ProcessorClass {
  /** Pillow's number of a filter. */
  readonly resample: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly size: number | { readonly height: number; readonly width: number };
  /** Whether a single number is both sides, and not the shorter one. */
  readonly square: boolean;
  readonly crop?: number;
  readonly crops: boolean;
  readonly normalizes: boolean;
  /** Which one it is, where it does something of its own. */
  readonly kind?: 'convnext' | 'levit' | 'poolformer' | 'efficientnet' | 'mobilevit' | 'pplcnet';
  /** Keys that only it has. */
  readonly keys?: readonly string[];
}

const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const standard = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
const clip = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };
const [BILINEAR, BICUBIC] = [2, 3];

const stretched = { resample: BICUBIC, size: 224, square: true, crops: false, normalizes: true };
const middle = { resample: BICUBIC, size: 224, square: false, crop: 224, crops: true, normalizes: true };

/** transformers 5, `image_processing_pil_*.py` of its models; the classes that its image classifiers use. */
const classes: Readonly<Record<string, ProcessorClass>> = {
  Beit: { ...stretched, ...standard, crop: 224 },
  Bit: { ...middle, ...clip },
  CLIP: { ...middle, ...clip, keys: ['use_square_size'] },
  ConvNext: { ...stretched, ...standard, size: 384, square: false, kind: 'convnext', keys: ['crop_pct'] },
  DeiT: { ...middle, ...standard, size: 256, square: true },
  EfficientNet: {
    ...{ ...stretched, ...standard, size: 346, crop: 289, kind: 'efficientnet' },
    keys: ['rescale_offset', 'include_top'],
  },
  Levit: { ...middle, ...imagenet, kind: 'levit' },
  MobileNetV1: { ...middle, ...standard, size: 256, resample: BILINEAR },
  MobileNetV2: { ...middle, ...standard, size: 256, resample: BILINEAR },
  // Whatever its configuration says of a normalisation, it has none.
  MobileViT: {
    ...{ ...middle, ...standard, crop: 256, normalizes: false, kind: 'mobilevit' },
    keys: ['do_flip_channel_order'],
  },
  PoolFormer: { ...middle, ...imagenet, kind: 'poolformer', keys: ['crop_pct'] },
  PPLCNet: {
    ...{ ...middle, resample: BILINEAR, kind: 'pplcnet', keys: ['resize_short'] },
    ...{ mean: imagenet.mean.toReversed(), std: [0.225, 0.224, 0.229] },
  },
  Pvt: { ...stretched, ...imagenet },
  Segformer: { ...stretched, ...imagenet, size: 512, resample: BILINEAR },
  Siglip: { ...stretched, ...standard, square: false, size: { height: 224, width: 224 } },
  ViT: { ...stretched, ...standard, resample: BILINEAR },
};

/** The class of a name, be it one of before transformers 4.26 (`…FeatureExtractor`) or of one of its two kinds. */
export function processorClass(name: string): ProcessorClass | undefined {
  const stem = name.replace(/(Fast|Pil)$/, '').replace(/(ImageProcessor|FeatureExtractor)$/, '');
  return Object.hasOwn(classes, stem) ? classes[stem] : undefined;
}

/** The class that transformers takes for a model of which nothing else says it (`image_processing_auto.py`). */
export function processorOfModel(modelType: unknown): string | undefined {
  const found = Object.entries(models).find(([, types]) => types.split(' ').includes(String(modelType)));
  return found && `${found[0]}ImageProcessor`;
}

const models: Readonly<Record<string, string>> = {
  Beit: 'beit data2vec-vision',
  Bit: 'bit dinov2 dinov2_with_registers focalnet hiera',
  CLIP: 'clip metaclip_2',
  ConvNext: 'convnext convnextv2 cvt regnet resnet van',
  DeiT: 'deit',
  EfficientNet: 'efficientnet',
  Levit: 'levit',
  MobileNetV1: 'mobilenet_v1',
  MobileNetV2: 'mobilenet_v2',
  MobileViT: 'mobilevit mobilevitv2',
  PoolFormer: 'poolformer',
  PPLCNet: 'pp_lcnet',
  Pvt: 'pvt pvt_v2',
  Segformer: 'segformer',
  Siglip: 'siglip',
  ViT: 'dinat ijepa swiftformer swin swinv2 vit vit_msn nat',
};
