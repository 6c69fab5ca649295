import { residualDepth } from '../structures/residual-structure.ts';
import { residualFamily } from './family.ts';
import { cifar10 } from './inputs.ts';
import { preactivationNames } from './kuangliu.ts';

/**
 * https://github.com/RobustBench/robustbench: pre-activation networks with kuangliu's keys, whose basic blocks take the
 * raw input into their shortcuts. Those that normalise before the head come in two versions.
 */
const preactivation = (version: '' | '_bn' | 'v2') =>
  residualFamily({
    name: 'RobustBench',
    names: { ...preactivationNames, ...(version !== '' && { lastNorm: 'bn' }) },
    rules: ({ stages, lastNorm }) =>
      stages.length === 4 && lastNorm === (version !== '')
        ? {
            preactivation: true,
            stemStride: 1,
            fixedPool: 4,
            shortcutInput: ({ length }) => (version === 'v2' || length === 3 ? 'activated' : 'raw'),
          }
        : undefined,
    architecture: (size) => `PreActResNet${residualDepth(size)}${version}`,
    // Nothing tells the two versions with a last normalisation apart.
    comesAs: ({ wrapper, normalization = [] }) =>
      version === '' && (wrapper === 'last' || normalization.includes('mu')),
    input: () => ({ ...cifar10, std: [0.2471, 0.2435, 0.2616] }),
  });

export const robustbench = (['', '_bn', 'v2'] as const).map(preactivation);
