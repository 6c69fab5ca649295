import { programVersion } from '../versions.ts';
import type { LayerReport } from './layer-guard.ts';
import type { QuestionReport } from './question-guard.ts';

/** Metadata key of the names of the classes, a JSON list. */
const CLASSES_KEY = 'la_ood.classes';

/** What a guarded model is: how it scores, and where it decides. */
export type GuardMethod =
  | ({ readonly kind: 'questions' } & Pick<
      QuestionReport,
      'questions' | 'components' | 'conditions' | 'calibration'
    >)
  | ({ readonly kind: 'layers' } & Pick<LayerReport, 'detectors' | 'aggregation' | 'layers' | 'calibration'>);

/**
 * The metadata of a guarded model.
 *
 * @param inputs SHA-256 of the backbone and of what the guard was fitted and calibrated on
 */
export function guardMetadata(
  method: GuardMethod,
  classNames: readonly string[] | undefined,
  inputs: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    'la_ood.guard': programVersion,
    ...(method.kind === 'questions'
      ? {
          'la_ood.questions': JSON.stringify(method.questions),
          'la_ood.components': JSON.stringify(method.components),
          'la_ood.conditions': JSON.stringify(method.conditions),
        }
      : {
          'la_ood.detector': method.detectors.join(' + '),
          'la_ood.aggregation': method.aggregation,
          'la_ood.layers': JSON.stringify(method.layers),
        }),
    'la_ood.calibration': JSON.stringify(method.calibration),
    ...(classNames && { [CLASSES_KEY]: JSON.stringify(classNames) }),
    'la_ood.backbone_sha256': inputs.backbone,
    ...((inputs.train ?? inputs.features) && { 'la_ood.fitted_on_sha256': inputs.train ?? inputs.features }),
    ...(inputs.svms && { 'la_ood.detectors_sha256': inputs.svms }),
    'la_ood.calibrated_on_sha256': inputs.heldOut,
  };
}
