import fc from 'fast-check';
import type { ModelProto } from '../../src/graph/onnx.ts';
import { type MessageName, messageType } from '../../src/graph/schema.ts';

/** Messages lie at most this deep in each other. */
const DEPTH = 5;

/** Fields that are plain numbers in `onnx.ts`, not `Int64`. */
const safeIntegers = new Set(['irVersion', 'version', 'dims', 'dimValue']);

/** Models with any fields set to anything, made from the schema itself, with fields in them that the schema lacks. */
export function arbitraryModel(): fc.Arbitrary<ModelProto> {
  return fc
    .record({ model: message('ModelProto', DEPTH), graph: message('GraphProto', DEPTH - 1) })
    .map(({ model, graph }) => ({ ...model, graph }) as unknown as ModelProto);
}

function message(name: MessageName, depth: number): fc.Arbitrary<object> {
  const fields: Record<string, fc.Arbitrary<unknown>> = { $unknowns: unknownFields };
  const always: string[] = [];
  for (const field of messageType(name).fieldsArray) {
    const scalar = scalars(field.name)[field.type];
    if (field.repeated) always.push(field.name);
    if (!scalar && depth === 0) {
      if (field.repeated) fields[field.name] = fc.constant([]);
      continue;
    }
    const value = scalar ?? message(field.type as MessageName, depth - 1);
    fields[field.name] = field.repeated ? fc.array(value, { maxLength: scalar ? 4 : 2 }) : value;
  }
  return fc.record(fields, { requiredKeys: always, noNullPrototype: true });
}

function scalars(field: string): Record<string, fc.Arbitrary<unknown> | undefined> {
  const wide = (min: bigint, max: bigint) =>
    safeIntegers.has(field)
      ? fc.maxSafeInteger()
      : fc.bigInt({ min, max }).map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value));
  return {
    int32: fc.integer(),
    int64: wide(-(2n ** 63n), 2n ** 63n - 1n),
    uint64: wide(0n, 2n ** 64n - 1n),
    float: fc.float(),
    double: fc.double(),
    string: fc.string({ unit: 'grapheme', maxLength: 6 }),
    bytes: fc.uint8Array({ maxLength: 6 }),
  };
}

/** Field 1000 as a number, field 2000 as bytes: tag and content, as the wire format has them. */
const unknownFields = fc.array(
  fc.oneof(
    fc.integer({ min: 0, max: 127 }).map((value) => Uint8Array.of(0xc0, 0x3e, value)),
    fc.uint8Array({ maxLength: 5 }).map((bytes) => Uint8Array.of(0x82, 0x7d, bytes.length, ...bytes)),
  ),
  { minLength: 1, maxLength: 3 },
);
