import type { Color, Framing, Geometry } from '../../data/image-set.ts';
import { filterNames } from '../../data/resampling/filters.ts';
import { advice, command, GraphError } from '../common/errors.ts';
import { viewAs } from '../common/tensor.ts';
import { CALIBRATION } from '../detectors/calibration-name.ts';
import { type Question, questions } from '../detectors/guard/questions.ts';
import { type Calibration, calibrate } from '../evaluation/conformal.ts';
import type { ModelOutline } from '../graph/outline.ts';

/** What a guarded model says of itself. */
export interface GuardInfo {
  /** The version of la-ood that wrote it. */
  readonly version: string;
  /** Of a known architecture, its name. */
  readonly architecture?: string;
  /** The names of the classes, in the order of the logits; absent where the file has none. */
  readonly classNames?: readonly string[];
  /** Whether classes do not exclude each other. */
  readonly isMultiLabel: boolean;
  /** The questions that it answers, and what conditions are called; absent of other guards. */
  readonly questions?: readonly Question[];
  readonly conditions?: readonly string[];
  /** What its score is made of: the parts of the two answers, layers, or a published method. */
  readonly parts: readonly string[];
  /** What makes its score, in words: the questions, or the detector, and how those of layers become one score. */
  readonly method: string;
  /** How a guard by layers joins its scores; absent of other guards. */
  readonly aggregation?: string;
  readonly calibration: Calibration;
  /** The scores of the InD images that it was calibrated with. */
  readonly scores: Float32Array;
  /** What images are brought to. */
  readonly size: Geometry;
  /** Images a run, where the graph takes no other number. */
  readonly batch?: number;
  /** The output that holds the logits. */
  readonly logits: string;
  /** Share of the network that is done after each stage, where images can leave early. */
  readonly stages?: readonly number[];
  /** SHA-256 of the backbone. */
  readonly backbone: string;
}

/**
 * What a guarded model says of itself, checked by hand: schemas of zod are too much for a page.
 *
 * @param where the file, for errors
 * @throws GraphError where the file is no guarded model, or does not say what it has to
 */
export function guardInfo({ metadataProps, graph }: ModelOutline, where: string): GuardInfo {
  const texts = new Map(metadataProps.map(({ key, value }) => [key, value]));
  const said = <T>(key: string, isOne: (value: unknown) => value is T): T | undefined => {
    const text = texts.get(`la_ood.${key}`);
    if (text === undefined) return undefined;
    const value = parsed(text);
    if (isOne(value)) return value;
    throw new GraphError(`${where}: metadata la_ood.${key}`, 'does not hold what it should');
  };
  const known = graph.initializer.find(({ name }) => name === CALIBRATION);
  const promised = said('calibration', isRate);
  const version = texts.get('la_ood.guard');
  if (version === undefined || !known || !promised)
    throw new GraphError(where, 'is no guarded model', advice`${command('guard')} makes one of a run`);
  const input = graph.input.find(({ name }) => name === 'pixels');
  const dims = input?.type?.tensorType?.shape?.dim ?? [];
  const [batch, height, width] = dims.map(({ dimValue }) =>
    dimValue === undefined ? undefined : Number(dimValue),
  );
  if (!height || !width) throw new GraphError(where, 'its input does not say the size of its images');
  const filter = texts.get('la_ood.filter');
  if (filter !== undefined && !isFilter(filter))
    throw new GraphError(`${where}: metadata la_ood.filter`, `is ${JSON.stringify(filter)}`);
  const scores = known.rawData
    ? (viewAs('float32', known.rawData) as Float32Array)
    : Float32Array.from(known.floatData);
  const asked = said('questions', areQuestions);
  const aggregation = texts.get('la_ood.aggregation');
  const detector = [texts.get('la_ood.detector'), aggregation].filter((part) => part !== undefined);
  return {
    version,
    architecture: texts.get('la_ood.architecture'),
    classNames: said('classes', areTexts),
    isMultiLabel: said('multi_label', isBoolean) ?? false,
    questions: asked,
    conditions: said('conditions', areTexts),
    parts: said('components', areTexts) ?? said('layers', areTexts) ?? [],
    method: asked ? asked.join(' and ') : detector.join(', '),
    aggregation,
    // Files of version 0.1.0 state less of it than there is to know.
    calibration: calibrate(scores, promised.rate, promised.confidence),
    scores,
    size: {
      ...{ height, width, filter },
      shorterSide: said('shorter_side', isSide),
      framing: said('framing', isFraming),
      background: said('background', isColor),
    },
    batch: batch || undefined,
    // The logits are the first output of every guarded model, under the name that they had in the backbone.
    logits: graph.output[0]?.name ?? '',
    stages: said('stages', areNumbers),
    backbone: texts.get('la_ood.backbone_sha256') ?? '',
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
const isNumber = (value: unknown): value is number => typeof value === 'number';
const isSide = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;
const isLevel = (value: unknown): value is number => Number.isInteger(value) && (value as number) >> 8 === 0;
const isFilter = (value: unknown): value is Geometry['filter'] & string =>
  (filterNames as readonly unknown[]).includes(value);

const areTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');
const areNumbers = (value: unknown): value is number[] => Array.isArray(value) && value.every(isNumber);
const isColor = (value: unknown): value is Color =>
  Array.isArray(value) && value.length === 3 && value.every(isLevel);

const areQuestions = (value: unknown): value is Question[] =>
  Array.isArray(value) && value.every((item) => (questions as readonly unknown[]).includes(item));

function isRate(value: unknown): value is Pick<Calibration, 'rate' | 'confidence'> {
  const { rate, confidence } = (value ?? {}) as Partial<Calibration>;
  return [rate, confidence].every((share) => isNumber(share) && share > 0 && share < 1);
}

function isFraming(value: unknown): value is Framing {
  const { fit, to, rounding, place, border } = (value ?? {}) as Partial<Framing>;
  return (
    ['stretch', 'cover', 'contain'].includes(fit!) &&
    isSide(to?.height) &&
    isSide(to?.width) &&
    ['truncate', 'round'].includes(rounding!) &&
    ['middle', 'middle-floor', 'start'].includes(place!) &&
    (border === undefined || isColor(border))
  );
}
