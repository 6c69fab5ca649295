import { originalNames } from '../resnet.ts';
import { residualFamily } from './family.ts';
import { cifar10, cifar100, imagenet64 } from './inputs.ts';
import { resNetName } from './naming.ts';

/**
 * https://github.com/Jingkang50/OpenOOD: its own networks for 32 and 64 pixels, which differ in the size alone. The
 * larger are those of Tiny ImageNet, of 20 or 200 classes.
 */
export const openood = [
  residualFamily({
    name: 'OpenOOD',
    names: { ...originalNames, head: 'fc' },
    rules: ({ stem: [{ kernel }] }) => (kernel === 3 ? { stemStride: 1 } : undefined),
    architecture: (size) => {
      const side = sides[size.classes];
      return `${resNetName(size, 'ResNet')}${side ? `_${side}x${side}` : ''}`;
    },
    input: ({ classes }) =>
      ({ 32: classes === 100 || classes === 50 ? cifar100 : cifar10, 64: imagenet64 })[sides[classes]],
  }),
];

/** The pixels of the data sets of so many classes. */
const sides: Readonly<Record<number, 32 | 64>> = { 6: 32, 10: 32, 50: 32, 100: 32, 20: 64, 200: 64 };
