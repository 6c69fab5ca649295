import type { Geometry } from '../../../data/image-set.ts';
import { backboneMetadata } from '../../../models/metadata.ts';
import { GraphError } from '../../common/errors.ts';
import { CALIBRATION } from '../../detectors/decision-model.ts';
import type { Question } from '../../detectors/guard/questions.ts';
import { type Calibration, calibrate } from '../../evaluation/conformal.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { getMetadata } from '../../graph/rewrite.ts';
import { tensorFromProto } from '../../graph/tensor.ts';
import { resizingOf } from '../features/feature-graph.ts';
import { programVersion } from '../versions.ts';
import type { GuardDescription } from './fitted-guard.ts';

/** Metadata key of the names of the classes, a JSON list. */
const CLASSES_KEY = 'la_ood.classes';

/** Metadata keys of the calibration, JSON, and of the SHA-256 of what it was made by. */
export const CALIBRATION_KEY = 'la_ood.calibration';
export const CALIBRATED_ON_KEY = 'la_ood.calibrated_on_sha256';

/** What a guarded model says of itself. */
export interface Guard {
  /** The questions that it answers, what its components are, and what its conditions are called; of a guard of questions. */
  readonly questions?: readonly Question[];
  readonly components?: readonly string[];
  readonly conditions?: readonly string[];
  /** What its detectors watch; of a guard by layers, as all of version 0.1.0 are. */
  readonly layers?: readonly string[];
  /** What makes its score, in words. */
  readonly method: string;
  readonly calibration: Calibration;
  /** The output that is the logits: the first of every guarded model, under the name that it had in the backbone. */
  readonly logits: string;
  /** Whether classes do not exclude each other. */
  readonly isMultiLabel: boolean;
  readonly classNames?: string[];
  /** What images are brought to. */
  readonly size: Geometry;
  /** Images a run, where the graph takes no other number. */
  readonly batch?: number;
}

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

/** @throws GraphError where the file is no guarded model */
export function guardOf(model: ModelProto, where: string): Guard {
  const metadata = getMetadata(model);
  if (metadata['la_ood.guard'] === undefined) throw noGuard(where);
  const backbone = backboneMetadata(model, where);
  const input = model.graph.input.find(({ name }) => name === 'pixels');
  const dims = input?.type?.tensorType?.shape?.dim ?? [];
  const [batch, height, width] = dims.map(({ dimValue }) =>
    dimValue === undefined ? undefined : Number(dimValue),
  );
  if (!height || !width) throw new GraphError(where, 'its input does not say the size of its images');
  const said = (key: string) => (metadata[key] === undefined ? undefined : JSON.parse(metadata[key]));
  return {
    questions: said('la_ood.questions'),
    components: said('la_ood.components'),
    conditions: said('la_ood.conditions'),
    layers: said('la_ood.layers'),
    method: methodOf(metadata),
    calibration: calibrationOf(model, where),
    logits: model.graph.output[0].name,
    isMultiLabel: backbone.isMultiLabel ?? false,
    classNames: said(CLASSES_KEY),
    size: { height, width, ...resizingOf(backbone) },
    batch,
  };
}

/**
 * The scores of the InD images that a guarded model was calibrated with.
 *
 * @throws GraphError where the file is no guarded model
 */
export function calibrationScores({ graph }: ModelProto, where: string): Float32Array {
  const scores = graph.initializer.find(({ name }) => name === CALIBRATION);
  if (!scores) throw noGuard(where);
  return tensorFromProto(scores, where).data as Float32Array;
}

/** What a file says of its rate, by the calibration scores that it holds: files of version 0.1.0 state less of it. */
function calibrationOf(model: ModelProto, where: string): Calibration {
  const { rate, confidence } = JSON.parse(getMetadata(model)[CALIBRATION_KEY]) as Calibration;
  return calibrate(calibrationScores(model, where), rate, confidence);
}

/** The questions that it answers, or the detector, and how those of layers become one score. */
function methodOf(metadata: Readonly<Record<string, string>>): string {
  const questions = metadata['la_ood.questions'];
  if (questions !== undefined) return (JSON.parse(questions) as string[]).join(' and ');
  return [metadata['la_ood.detector'], metadata['la_ood.aggregation']]
    .filter((part) => part !== undefined)
    .join(', ');
}

function noGuard(where: string): GraphError {
  return new GraphError(where, 'is no guarded model', 'la-ood guard makes one of a run');
}
