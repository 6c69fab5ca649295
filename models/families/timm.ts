import type { ResidualNames, ResidualRules } from '../structures/residual-structure.ts';
import { residualFamily, vggFamily } from './family.ts';
import { imagenet224 } from './inputs.ts';
import { resNetName, vggDepth } from './naming.ts';
import { isVariant, poolsOf } from './timm-variants.ts';
import { isImageNetStem, resNetNames } from './torchvision.ts';

/** https://github.com/huggingface/pytorch-image-models: what differs from torchvision. */

/** Three 3 × 3 convolutions in place of one of 7 × 7. */
const deepStem: ResidualNames = {
  ...resNetNames,
  stem: [
    { convolution: 'conv1.0', norm: 'conv1.1' },
    { convolution: 'conv1.3', norm: 'conv1.4' },
    { convolution: 'conv1.6', norm: 'bn1' },
  ],
};
const pooledShortcut = { convolution: 'downsample.1', norm: 'downsample.2' };

const names = {
  '': resNetNames,
  c: deepStem,
  d: { ...deepStem, shortcut: pooledShortcut },
} as const;
const pooling: Readonly<Record<'max' | 'blur' | 'average', Partial<ResidualRules>>> = {
  max: { stemPool: 'max' },
  blur: { stemPool: 'blur', downsampling: 'blur' },
  average: { stemPool: 'average', downsampling: 'average' },
};

const resNets = (Object.keys(names) as (keyof typeof names)[]).flatMap((letter) =>
  (['max', 'blur', 'average'] as const)
    // Without either it is torchvision's.
    .filter((pool) => letter !== '' || pool !== 'max')
    .map((pool) =>
      residualFamily({
        name: 'timm',
        names: names[letter],
        rules: (size) =>
          size.stages.length === 4 && (letter === '' ? isImageNetStem(size) : size.stem[0].kernel === 3)
            ? { stemStride: 2, shortcutPool: letter === 'd', ...pooling[pool] }
            : undefined,
        architecture: (size) =>
          resNetName(size).replace(/^(resnet|resnext)(\d+)/, (_, stem, depth) => {
            const kind = { max: '', blur: 'blur', average: 'aa' }[pool];
            // A tiered stem widens step by step.
            const isTiered = letter === 'd' && size.stem[0].channels !== size.stem[1].channels;
            return `${stem}${kind}${depth}${isTiered ? 't' : letter}`;
          }),
        isPublishedAs: (evidence) => (pool === 'max' ? !isVariant(evidence) : poolsOf(evidence) === pool),
        input: () => imagenet224,
      }),
    ),
);

const vgg = vggFamily({
  name: 'timm',
  names: { features: 'features', head: ['pre_logits.fc1', 'pre_logits.fc2', 'head.fc'] },
  rules: ({ head: [first] }) => ('kernel' in first ? { pool: 'adaptive' } : undefined),
  architecture: (size) => `vgg${vggDepth(size)}${size.norm ? '_bn' : ''}`,
  input: () => imagenet224,
});

export const timm = [...resNets, vgg];
