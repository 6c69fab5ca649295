import type { Geometry } from '../../../data/image-set.ts';
import { backboneMetadata } from '../../../models/metadata.ts';
import { GraphError } from '../../common/errors.ts';
import { CALIBRATION } from '../../detectors/decision-model.ts';
import type { Calibration } from '../../evaluation/conformal.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { getMetadata } from '../../graph/rewrite.ts';
import { tensorFromProto } from '../../graph/tensor.ts';
import { resizingOf } from '../features/feature-graph.ts';
import { programVersion } from '../versions.ts';
import type { LayerReport } from './layer-guard.ts';
import type { Question, QuestionReport } from './question-guard.ts';

/** Metadata key of the names of the classes, a JSON list. */
const CLASSES_KEY = 'la_ood.classes';

/** What a guarded model says of itself. */
export interface Guard {
  /** The questions that it answers, what its components are, and what its conditions are called; of a guard of questions. */
  readonly questions?: readonly Question[];
  readonly components?: readonly string[];
  readonly conditions?: readonly string[];
  /** What its detectors watch; of a guard by layers, as all of version 0.1.0 are. */
  readonly layers?: readonly string[];
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
    calibration: said('la_ood.calibration'),
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

function noGuard(where: string): GraphError {
  return new GraphError(where, 'is no guarded model', 'la-ood guard makes one of a run');
}
