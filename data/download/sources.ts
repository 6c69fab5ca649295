import type { RemoteFile } from './download-file.ts';

/** A published set: where it comes from, and how it is read once it is there. */
export interface Source {
  readonly about: string;
  /** What its publishers ask of those who use it. */
  readonly license: string;
  /** Its files, with the checksums that their publishers or torchvision give. */
  readonly files: readonly RemoteFile[];
  /** What to type for its parts: paths below the folder that it is downloaded into. */
  readonly sets: Readonly<Partial<Record<'train' | 'test' | 'ood', string>>>;
}

/** A set that has to be fetched by hand, as no checksum of it is published or its host wants a person. */
export interface ManualSource {
  readonly about: string;
  readonly url: string;
  /** Where what is in the archive shall lie, below the folder of downloads. */
  readonly path: string;
}

const KRIZ = 'https://www.cs.toronto.edu/~kriz';
const STANFORD = 'http://ufldl.stanford.edu/housenumbers';
const NO_LICENSE = 'none is stated; cite Krizhevsky 2009';
const SVHN_LICENSE = 'non-commercial use only; cite Netzer et al. 2011';

/** The sets that are downloaded, by the names that the original gives them. */
export const sources: Readonly<Record<string, Source>> = {
  cifar10: cifar('CIFAR-10', 'cifar-10-python.tar.gz', 170_498_071, 'c58f30108f718f92721af3b95e74349a'),
  cifar100: cifar('CIFAR-100', 'cifar-100-python.tar.gz', 169_001_437, 'eb9058c3a382ffc7106e4002c42a8d85'),
  svhn: {
    about: "SVHN's cropped digits, 26,032 to test on",
    license: SVHN_LICENSE,
    files: [
      {
        name: 'test_32x32.mat',
        url: `${STANFORD}/test_32x32.mat`,
        size: 64_275_384,
        md5: 'eb5a983be6a315427106f1b164d9cef3',
      },
    ],
    sets: { ood: 'test_32x32.mat' },
  },
  svhn_train: {
    about: "SVHN's cropped digits, 73,257 to train on",
    license: SVHN_LICENSE,
    files: [
      {
        name: 'train_32x32.mat',
        url: `${STANFORD}/train_32x32.mat`,
        size: 182_040_794,
        md5: 'e26dedcc434d2e4c54c9b2d4a06d8373',
      },
    ],
    sets: { train: 'train_32x32.mat' },
  },
  tiny: {
    about: 'tiny-imagenet-200, 10,000 images to test on',
    license: "ImageNet's terms: non-commercial research and education",
    files: [
      {
        name: 'tiny-imagenet-200.zip',
        url: 'http://cs231n.stanford.edu/tiny-imagenet-200.zip',
        size: 248_100_043,
        md5: '90528d7ca1a48142e341f4ef8d21d0de',
      },
    ],
    sets: { ood: 'tiny-imagenet-200.zip:test' },
  },
  dtd: {
    about: 'Describable Textures, 5,640 images',
    license: 'for research; cite Cimpoi et al. 2014',
    files: [
      {
        name: 'dtd-r1.0.1.tar.gz',
        url: 'https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz',
        size: 625_239_812,
        md5: 'fff73e5086ae6bdbea199a49dfb8a4c1',
      },
    ],
    sets: { ood: 'dtd-r1.0.1.tar.gz' },
  },
  places365: {
    about: 'Places365, 36,500 images to validate on, 256 × 256',
    license: 'non-commercial research and education; cite Zhou et al. 2017',
    files: [
      {
        name: 'val_256.tar',
        url: 'http://data.csail.mit.edu/places/places365/val_256.tar',
        md5: 'e27b17d8d44f4af9a78502beb927f808',
      },
    ],
    sets: { ood: 'val_256.tar' },
  },
  mnist: idx('MNIST', 'mnist', 'https://ossci-datasets.s3.amazonaws.com/mnist', 'cite LeCun et al. 1998', [
    [9_912_422, 'f68b3c2dcbeaaa9fbdd348bbdeb94873'],
    [28_881, 'd53e105ee54ea40749a09fcbcd1e9432'],
    [1_648_877, '9fb629c4189551a2d022fa330f9573f3'],
    [4_542, 'ec29112dd5afa0611ce80d1b7f02629c'],
  ]),
  fashion_mnist: idx(
    'Fashion-MNIST',
    'fashion-mnist',
    'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com',
    'MIT; cite Xiao et al. 2017',
    [
      [undefined, '8d4fb7e6c68d591d4c3dfef9ec88bf0d'],
      [undefined, '25c81989df183df01b3e8a0aad5dffbe'],
      [undefined, 'bef4ecab320f06d8554ea6380940ec79'],
      [undefined, 'bb300cfdad3c16e7a12a480ee83cd310'],
    ],
  ),
};

/** The sets that a person has to fetch. */
export const manualSources: Readonly<Record<string, ManualSource>> = {
  lsun: {
    about: "LSUN's test set, 10,000 images",
    url: 'http://dl.yf.io/lsun/scenes/test_lmdb.zip',
    path: 'test_lmdb',
  },
  lsun_crop: byHand('LSUN, cropped, 10,000 images', 'fhtsw1m3qxlwj6h/LSUN.tar.gz', 'LSUN'),
  lsun_resize: byHand('LSUN, resized, 10,000 images', 'moqh2wh8696c3yl/LSUN_resize.tar.gz', 'LSUN_resize'),
  isun: byHand('iSUN, 8,925 images', 'ssz7qxfqae0cca5/iSUN.tar.gz', 'iSUN'),
};

/** An archive that ODIN's authors share. */
function byHand(about: string, file: string, path: string): ManualSource {
  return { about, url: `https://www.dropbox.com/s/${file}`, path };
}

function cifar(about: string, name: string, size: number, md5: string): Source {
  return {
    about: `${about}, 50,000 images to train on and 10,000 to test on`,
    license: NO_LICENSE,
    files: [{ name, url: `${KRIZ}/${name}`, size, md5 }],
    sets: { train: `${name}:train`, test: `${name}:test` },
  };
}

/** The four files of a set that is published as MNIST is: images and labels to train on, then to test on. */
function idx(
  about: string,
  folder: string,
  url: string,
  license: string,
  facts: readonly (readonly [size: number | undefined, md5: string])[],
): Source {
  const names = ['train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'];
  return {
    about: `${about}, 60,000 grey images to train on and 10,000 to test on`,
    license,
    files: names.map((name, i) => ({
      name: `${folder}/${name}-ubyte.gz`,
      url: `${url}/${name}-ubyte.gz`,
      size: facts[i][0],
      md5: facts[i][1],
    })),
    sets: { train: `${folder}:train`, test: `${folder}:test` },
  };
}
