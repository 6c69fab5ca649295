import { z } from 'zod';
import { GraphError } from '../src/common/errors.ts';
import type { ModelProto } from '../src/graph/onnx.ts';
import { recordSchema, type StateDictRecord } from './record.ts';

const filters = ['box', 'bilinear', 'hamming', 'bicubic', 'lanczos', 'nearest'] as const;

const level = z.int().min(0).max(255);
const colorSchema = z.tuple([level, level, level]).readonly();

/** `Framing` of `data/image-set.ts`. */
const framingSchema = z.strictObject({
  fit: z.enum(['stretch', 'cover', 'contain']),
  to: z.strictObject({ height: z.int().positive(), width: z.int().positive() }),
  rounding: z.enum(['truncate', 'round']),
  place: z.enum(['middle', 'middle-floor', 'start']),
  border: colorSchema.optional(),
});

/** What a backbone's ONNX file says about itself, in `metadata_props`. A foreign classifier has none or part of it. */
export interface BackboneMetadata {
  /** A name that `architectureNamed` knows, or `family/name` of a published family. */
  readonly architecture: string;
  readonly classCount: number;
  /** Names of the exposed values in execution order; `logits` is the last. */
  readonly taps: readonly string[];
  readonly detectorTaps: readonly string[];
  /** Whether its classes do not exclude each other; one class an image where absent. */
  readonly isMultiLabel: boolean;
  /** The normalisation that the input is expected in, of pixels in [0, 1]. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** What bytes are multiplied by before that; 1 / 255 where absent. */
  readonly scale: number;
  /** The order of the channels that it is expected in; RGB where absent. */
  readonly channelOrder: 'RGB' | 'BGR';
  /** How images of another size are brought to the network's: the filter, Lanczos where absent. */
  readonly filter: (typeof filters)[number];
  /** The length that their shorter side gets before the middle is cut out; they are stretched where absent. */
  readonly shorterSide: number;
  /** How they are resized and cut or bordered otherwise. */
  readonly framing: z.infer<typeof framingSchema>;
  /** The colour behind transparent pixels, which lose their alpha where it is absent. */
  readonly background: z.infer<typeof colorSchema>;
  /** The names of the classes, in the order of the logits. */
  readonly classNames: readonly string[];
  /** BatchNorm's counters by state-dict key: int64 as decimal strings, since JSON numbers end at 2^53. */
  readonly numBatchesTracked: Readonly<Record<string, string>>;
  /** How its weights lay in the checkpoint that it was imported from. */
  readonly stateDict: StateDictRecord;
  /** What keys and shapes of that checkpoint do not show, and was taken from its family. */
  readonly assumptions: readonly string[];
}

type Field = keyof BackboneMetadata;

/** The property of each field, and what it holds: text as it is, everything else as JSON. */
const properties: { readonly [F in Field]: { key: string; schema: z.ZodType<BackboneMetadata[F]> } } = {
  architecture: { key: 'la_ood.architecture', schema: z.string() },
  classCount: { key: 'la_ood.class_count', schema: z.int().positive() },
  taps: { key: 'la_ood.taps', schema: z.array(z.string()) },
  detectorTaps: { key: 'la_ood.detector_taps', schema: z.array(z.string()) },
  isMultiLabel: { key: 'la_ood.multi_label', schema: z.boolean() },
  mean: { key: 'la_ood.mean', schema: z.array(z.number()) },
  std: { key: 'la_ood.std', schema: z.array(z.number().positive()) },
  scale: { key: 'la_ood.scale', schema: z.number().positive() },
  channelOrder: { key: 'la_ood.channel_order', schema: z.enum(['RGB', 'BGR']) },
  filter: { key: 'la_ood.filter', schema: z.enum(filters) },
  shorterSide: { key: 'la_ood.shorter_side', schema: z.int().positive() },
  framing: { key: 'la_ood.framing', schema: framingSchema },
  background: { key: 'la_ood.background', schema: colorSchema },
  classNames: { key: 'la_ood.classes', schema: z.array(z.string()) },
  numBatchesTracked: {
    key: 'la_ood.num_batches_tracked',
    schema: z.record(z.string(), z.string().regex(/^-?\d{1,19}$/)),
  },
  stateDict: { key: 'la_ood.state_dict', schema: recordSchema },
  assumptions: { key: 'la_ood.assumptions', schema: z.array(z.string()) },
};

const fields = Object.keys(properties) as Field[];

/** Fields that are text as they are. */
const isText: ReadonlySet<Field> = new Set<Field>(['architecture', 'channelOrder', 'filter']);

/** The `metadata_props` that say this. */
export function encodeBackboneMetadata(metadata: Partial<BackboneMetadata>): Record<string, string> {
  const encode = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  const given = fields.filter((field) => metadata[field] !== undefined);
  return Object.fromEntries(given.map((field) => [properties[field].key, encode(metadata[field])]));
}

/**
 * What a model says about itself; fields that it does not mention are absent.
 * @param where how errors name the model: its path
 * @throws GraphError where a property does not hold what it should
 *
 * @example
 * ```ts
 * import { backboneMetadata } from 'la-ood/checkpoints';
 * import { readModel } from 'la-ood/onnx';
 *
 * const { architecture, taps } = backboneMetadata(await readModel('backbone.onnx'));
 * console.log(architecture, taps);
 * ```
 */
export function backboneMetadata(model: ModelProto, where = 'model'): Partial<BackboneMetadata> {
  const texts = new Map(model.metadataProps.map(({ key, value }) => [key, value]));
  const metadata: Partial<Record<Field, unknown>> = {};
  for (const field of fields) {
    const { key, schema } = properties[field];
    const text = texts.get(key);
    if (text === undefined) continue;
    const { data, error } = schema.safeParse(isText.has(field) ? text : parseJson(text));
    if (error)
      throw new GraphError(`${where}: metadata ${key}`, z.prettifyError(error).replaceAll('\n', ' '));
    metadata[field] = data;
  }
  return metadata as Partial<BackboneMetadata>;
}

/** The value that the text stands for; undefined, which no schema takes, where it is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
