import type { DenseNetRules, DenseNetSize } from '../structures/densenet-structure.ts';
import type { ResidualRules, ResidualSize } from '../structures/residual-structure.ts';
import type { VggRules, VggSize } from '../structures/vgg-structure.ts';

/** In words, what the structures take from a family's rules because keys and shapes do not show it. */

const EPSILON = 'batch normalisation with eps 1e-5';

export function describeResidual(size: ResidualSize, rules: ResidualRules): string[] {
  const pools = {
    max: 'a max-pool 3×3 with stride 2',
    average: 'an average pool 2×2',
    blur: 'a max-pool 3×3 and a blur with stride 2',
  };
  const first = size.stages[0][0].convolutions;
  const position = rules.strideIn?.(first) ?? Math.max(1, first.findIndex(({ kernel }) => kernel === 3) + 1);
  const downsampling =
    rules.downsampling &&
    { average: 'an average pool 2×2', blur: 'a blur with stride 2' }[rules.downsampling];
  const hasShortcuts = size.stages.flat().some(({ shortcut }) => shortcut);
  return [
    `stem: stride ${rules.stemStride}${rules.stemPadding === undefined ? '' : `, padding ${rules.stemPadding}`}, then ${rules.stemPool ? pools[rules.stemPool] : 'no pool'}`,
    downsampling
      ? `${downsampling} behind convolution ${position} of a stage's first block in place of its stride`
      : `convolution ${position} of a stage's first block has its stride`,
    ...(rules.firstStageStride ? ['the first stage halves height and width too'] : []),
    ...(rules.plainShortcut
      ? ['shortcuts: every second pixel, zeros for half of the new channels on each side']
      : []),
    ...(rules.shortcutPool ? ['shortcuts: an average pool 2×2 in place of the stride'] : []),
    ...(rules.preactivation && hasShortcuts
      ? [
          `shortcuts take the block's ${rules.shortcutInput?.(first) === 'activated' ? 'activated' : 'raw'} input`,
        ]
      : []),
    ...(size.lastNorm && rules.lastActivation === false ? ['no activation before the average pool'] : []),
    ...(rules.innerActivation ? [`activation ${rules.innerActivation} within blocks`] : []),
    EPSILON,
  ];
}

export function describeDenseNet(size: DenseNetSize, rules: DenseNetRules): string[] {
  return [
    `stem: stride ${rules.stemStride}, then ${rules.stemPool ? 'a max-pool 3×3 with stride 2' : 'no pool'}`,
    `a layer's channels go ${rules.newChannels} those that it was given`,
    ...(size.transitions.length > 0
      ? [`${rules.transitionActivation ? 'an' : 'no'} activation in transitions`]
      : []),
    EPSILON,
  ];
}

export function describeVgg(size: VggSize, rules: VggRules): string[] {
  return [
    'a max-pool 2×2 where the indices have a gap, and behind the last convolution',
    rules.pool === 'adaptive'
      ? 'an average pool to the size that the head takes'
      : 'no average pool before the head',
    ...(size.norm ? [EPSILON] : []),
  ];
}
