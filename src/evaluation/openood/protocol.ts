/**
 * The protocol of OpenOOD v1.5 (Zhang et al., "OpenOOD v1.5: enhanced benchmark for out-of-distribution detection", 2023) as
 * data: which lists of images are what, and how images are preprocessed. After `openood/evaluation_api/{datasets,preprocessor}.py`
 * of github.com/Jingkang50/OpenOOD.
 *
 * Its rules: all images of a set count; OOD is the positive class; near and far are means over their sets; over several
 * checkpoints, mean and population deviation; full-spectrum adds the shifted sets to InD.
 */

/** A list of images, as published in `benchmark_imglist`, and the images that it names. */
export interface ListedSet {
  /** What tables call it. */
  readonly name: string;
  /** The list, below `benchmark_imglist`. */
  readonly list: string;
  /** Where the paths of the list begin. */
  readonly images: 'images_classic' | 'images_largescale';
  /** Images that the published list names; absent where that is not known here. */
  readonly count?: number;
  /** Who publishes the images. */
  readonly url: string;
  /** Its images are taken as they are stored, which is the size of the input, and not resized and cropped. */
  readonly asStored?: true;
}

export interface OpenOodBenchmark {
  readonly title: string;
  readonly classes: number;
  /** The shorter side of an image is made `shorterSide` long, bilinearly, and `size` × `size` cut out of its middle. */
  readonly preprocessing: {
    readonly size: number;
    readonly shorterSide: number;
    readonly mean: readonly number[];
    readonly std: readonly number[];
  };
  readonly train: ListedSet;
  readonly test: ListedSet;
  /** What OpenOOD chooses settings on: InD images, and OOD images of other classes than the test sets'. Not used here: methods have their default settings. */
  readonly validation: { readonly ind: ListedSet; readonly ood: ListedSet };
  readonly near: readonly ListedSet[];
  readonly far: readonly ListedSet[];
  /** InD classes under other conditions, which full-spectrum adds to InD. */
  readonly shifted: readonly ListedSet[];
}

/** Where OpenOOD offers the lists, and the images under the names that the lists have. */
export const OPENOOD_DATA = 'https://github.com/Jingkang50/OpenOOD (scripts/download)';

const urls = {
  cifar: 'https://www.cs.toronto.edu/~kriz/cifar.html',
  cifar10c: 'https://zenodo.org/records/2535967',
  tin: 'http://cs231n.stanford.edu/tiny-imagenet-200.zip',
  mnist: 'http://yann.lecun.com/exdb/mnist',
  svhn: 'http://ufldl.stanford.edu/housenumbers',
  texture: 'https://www.robots.ox.ac.uk/~vgg/data/dtd',
  places365: 'http://places2.csail.mit.edu',
  imagenet: 'https://image-net.org',
  ssb_hard: 'https://github.com/sgvaze/SSB',
  ninco: 'https://zenodo.org/records/8013288',
  inaturalist: 'https://github.com/deeplearning-wisc/large_scale_ood',
  openimage_o: 'https://github.com/haoqiwang/vim',
  imagenet_v2: 'https://github.com/modestyachts/ImageNetV2',
  imagenet_c: 'https://github.com/hendrycks/robustness',
  imagenet_r: 'https://github.com/hendrycks/imagenet-r',
  imagenet_es: 'https://github.com/Edw2n/ImageNet-ES',
} as const;

const classic = (name: string, list: string, url: keyof typeof urls, count?: number): ListedSet => ({
  ...{ name, list: `${list}.txt`, images: 'images_classic', url: urls[url] },
  ...(count && { count }),
});
const large = (name: string, list: string, url: keyof typeof urls, count?: number): ListedSet => ({
  ...classic(name, list, url, count),
  images: 'images_largescale',
});

const imagenetPreprocessing = {
  size: 224,
  shorterSide: 256,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** The OOD sets of both ImageNet benchmarks, from the lists of one. */
const ofImagenet = (folder: string) => ({
  near: [
    large('ssb_hard', `${folder}/test_ssb_hard`, 'ssb_hard', 49_000),
    large('ninco', `${folder}/test_ninco`, 'ninco', 5879),
  ],
  far: [
    large('inaturalist', `${folder}/test_inaturalist`, 'inaturalist', 10_000),
    classic('textures', `${folder}/test_textures`, 'texture', 5160),
    large('openimage_o', `${folder}/test_openimage_o`, 'openimage_o', 15_869),
  ],
});

/** The sets that both CIFAR benchmarks have alike; each is near to the other. */
const ofCifar = (
  name: 'cifar10' | 'cifar100',
  counts: {
    readonly near: number;
    readonly tin: number;
    readonly validation: number;
    readonly places365: number;
  },
) => {
  const other = name === 'cifar10' ? 'cifar100' : 'cifar10';
  return {
    train: classic(name, `${name}/train_${name}`, 'cifar', 50_000),
    test: classic(name, `${name}/test_${name}`, 'cifar', 9000),
    validation: {
      ind: classic(name, `${name}/val_${name}`, 'cifar', 1000),
      ood: classic('tin', `${name}/val_tin`, 'tin', counts.validation),
    },
    near: [
      classic(other, `${name}/test_${other}`, 'cifar', counts.near),
      classic('tin', `${name}/test_tin`, 'tin', counts.tin),
    ],
    far: [
      classic('mnist', `${name}/test_mnist`, 'mnist', 70_000),
      classic('svhn', `${name}/test_svhn`, 'svhn', 26_032),
      classic('texture', `${name}/test_texture`, 'texture', 5640),
      classic('places365', `${name}/test_places365`, 'places365', counts.places365),
    ],
  };
};

export const openOodBenchmarks = {
  cifar10: {
    title: 'CIFAR-10',
    classes: 10,
    preprocessing: {
      ...{ size: 32, shorterSide: 32 },
      ...{ mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] },
    },
    ...ofCifar('cifar10', { near: 9000, tin: 7793, validation: 1000, places365: 35_195 }),
    shifted: [classic('cifar10c', 'cifar10/test_cifar10c', 'cifar10c', 10_000)],
  },
  cifar100: {
    title: 'CIFAR-100',
    classes: 100,
    preprocessing: {
      ...{ size: 32, shorterSide: 32 },
      ...{ mean: [0.5071, 0.4867, 0.4408], std: [0.2675, 0.2565, 0.2761] },
    },
    ...ofCifar('cifar100', { near: 10_000, tin: 6526, validation: 972, places365: 33_773 }),
    shifted: [],
  },
  imagenet200: {
    title: 'ImageNet-200',
    classes: 200,
    preprocessing: imagenetPreprocessing,
    train: large('imagenet200', 'imagenet200/train_imagenet200', 'imagenet'),
    test: large('imagenet200', 'imagenet200/test_imagenet200', 'imagenet'),
    validation: {
      ind: large('imagenet200', 'imagenet200/val_imagenet200', 'imagenet'),
      ood: large('openimage_o', 'imagenet200/val_openimage_o', 'openimage_o'),
    },
    ...ofImagenet('imagenet200'),
    shifted: [
      large('imagenet_v2', 'imagenet200/test_imagenet200_v2', 'imagenet_v2'),
      { ...large('imagenet_c', 'imagenet200/test_imagenet200_c', 'imagenet_c'), asStored: true },
      large('imagenet_r', 'imagenet200/test_imagenet200_r', 'imagenet_r'),
    ],
  },
  imagenet1k: {
    title: 'ImageNet-1K',
    classes: 1000,
    preprocessing: imagenetPreprocessing,
    train: large('imagenet1k', 'imagenet/train_imagenet', 'imagenet'),
    test: large('imagenet1k', 'imagenet/test_imagenet', 'imagenet', 45_000),
    validation: {
      ind: large('imagenet1k', 'imagenet/val_imagenet', 'imagenet'),
      ood: large('openimage_o', 'imagenet/val_openimage_o', 'openimage_o'),
    },
    ...ofImagenet('imagenet'),
    shifted: [
      large('imagenet_v2', 'imagenet/test_imagenet_v2', 'imagenet_v2'),
      { ...large('imagenet_c', 'imagenet/test_imagenet_c', 'imagenet_c'), asStored: true },
      large('imagenet_r', 'imagenet/test_imagenet_r', 'imagenet_r'),
      large('imagenet_es', 'imagenet/test_imagenet_es', 'imagenet_es'),
    ],
  },
} as const satisfies Record<string, OpenOodBenchmark>;

export type OpenOodName = keyof typeof openOodBenchmarks;
export const openOodNames = Object.keys(openOodBenchmarks) as OpenOodName[];
