import type { SetKind } from '../../src/evaluation/method-table.ts';

/** InD images, changed: a set that a guard is measured on. */
export interface ChangedSet {
  /** How, as a set of images is typed: `contrast@.3`. */
  readonly by: string;
  /** What a guard may call it; absent where it has no corruption direction. */
  readonly conditions?: readonly string[];
}

const flat = 'of less contrast';

/** Changes that have a corruption direction, and then others. The strengths are none that a direction is fitted at. */
export const changedSets: readonly ChangedSet[] = [
  { by: 'contrast@.5', conditions: [flat] },
  { by: 'contrast@.3', conditions: [flat] },
  { by: 'fade-grey@.5', conditions: [flat, 'brighter', 'darker'] },
  { by: 'fade-white@.5', conditions: [flat, 'brighter'] },
  { by: 'brightness@.2', conditions: ['brighter'] },
  { by: 'brightness@-.2', conditions: ['darker'] },
  { by: 'blur@.7', conditions: ['blurrier'] },
  { by: 'blur@1.2', conditions: ['blurrier'] },
  { by: 'noise@.04', conditions: ['noisier'] },
  { by: 'noise@.08', conditions: ['noisier'] },
  { by: 'jpeg@40', conditions: ['compressed more'] },
  { by: 'jpeg@20', conditions: ['compressed more'] },
  { by: 'saturation@.3', conditions: ['less colourful'] },
  ...['sharpen@1', 'gamma@1.5', 'cast@.15', 'hue@.1', 'posterize@3', 'cutout@.375', 'pixelate@.5'].map(
    (by) => ({ by }),
  ),
];

/** How far a changed set is from the InD set, for features' records. */
export const changedKind: SetKind = 'shifted';

/**
 * What the guard's rule was chosen on (docs/decisions/guard-rule.md): these models and sets, before it was measured on the
 * others. All else is reported only.
 */
export const choosing = {
  models: ['demo', 'resnet20', 'densenet100', 'open-set'],
  sets: [
    ...['unknown', 'tiny', 'shapes', 'faded', 'textures'],
    ...['contrast@.3', 'fade-grey@.5', 'brightness@.2', 'blur@1.2', 'noise@.04', 'jpeg@40', 'saturation@.3'],
  ],
} as const;

/** Kinds that conditions are to find at an AUROC of 80 on networks of CIFAR images. */
export const namedKinds: readonly string[] = [
  ...['contrast@.3', 'fade-grey@.5', 'fade-white@.5', 'brightness@.2', 'brightness@-.2'],
  ...['blur@1.2', 'noise@.08', 'jpeg@20'],
];
