import { GraphError } from '../../common/errors.ts';
import { answerCalibration } from '../../detectors/guard/answers-model.ts';
import type { Question } from '../../detectors/guard/questions.ts';
import type { Calibration } from '../../evaluation/conformal.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { tensorFromProto } from '../../graph/tensor-proto.ts';
import { programVersion } from '../versions.ts';
import type { GuardDescription } from './fitted-guard.ts';

/** Metadata key of the names of the classes, a JSON list. */
const CLASSES_KEY = 'la_ood.classes';

/** Metadata keys of the calibration, JSON, and of the SHA-256 of what it was made by. */
export const CALIBRATION_KEY = 'la_ood.calibration';
export const CALIBRATED_ON_KEY = 'la_ood.calibrated_on_sha256';

/**
 * The metadata of a guarded model.
 *
 * @param hashes SHA-256 of the backbone and of what the guard was fitted and calibrated on
 */
export function guardMetadata(
  description: GuardDescription,
  calibration: Calibration,
  classNames: readonly string[] | undefined,
  hashes: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    'la_ood.guard': programVersion,
    ...scoringMetadata(description),
    [CALIBRATION_KEY]: JSON.stringify(calibration),
    ...(classNames && { [CLASSES_KEY]: JSON.stringify(classNames) }),
    'la_ood.backbone_sha256': hashes.backbone,
    ...(hashes.train && { 'la_ood.fitted_on_sha256': hashes.train }),
    ...(hashes.svms && { 'la_ood.detectors_sha256': hashes.svms }),
    [CALIBRATED_ON_KEY]: hashes.heldOut,
  };
}

function scoringMetadata(description: GuardDescription): Record<string, string> {
  switch (description.kind) {
    case 'questions':
      return {
        'la_ood.questions': JSON.stringify(description.questions),
        'la_ood.components': JSON.stringify(description.components),
        'la_ood.conditions': JSON.stringify(description.conditions),
      };
    case 'layers':
      return {
        'la_ood.detector': description.detector,
        'la_ood.aggregation': description.aggregation,
        'la_ood.layers': JSON.stringify(description.layers),
      };
    case 'method':
      return {
        'la_ood.detector': description.detector,
        'la_ood.components': JSON.stringify([description.detector]),
      };
  }
}

/**
 * How the calibration images of a guard of both questions answer one of them, in their order.
 *
 * @param where the file, for errors
 * @throws GraphError where it does not say
 */
export function calibrationScores({ graph }: ModelProto, question: Question, where: string): Float32Array {
  const tensor = graph.initializer.find(({ name }) => name === answerCalibration(question));
  if (tensor) return tensorFromProto(tensor, where).data as Float32Array;
  throw new GraphError(where, `does not say how calibration images answer for ${question}`);
}
