import { expect } from 'chai';
import fc from 'fast-check';
import onnxProto from 'onnx-proto';
import type { ModelProto } from '../../src/graph/onnx.ts';
import { decodeModel } from '../../src/graph/read.ts';
import { encodeModel } from '../../src/graph/write.ts';
import { arbitraryModel } from './arbitrary.ts';
import { smallNet } from './models.ts';

describe('The ONNX format', () => {
  it('brings every field of every message back, with fields that are not in the schema', () => {
    fc.assert(
      fc.property(arbitraryModel(), (model) => {
        const bytes = encodeModel(model);
        const decoded = decodeModel(bytes, 'model');
        expect(decoded).to.deep.equal(model);
        expect(Buffer.compare(encodeModel(decoded), bytes)).to.equal(0);
      }),
      { numRuns: 30 },
    );
  });

  it('writes what onnx-proto reads', () => {
    fc.assert(
      fc.property(arbitraryModel(), (model) => {
        const decoded = onnxProto.onnx.ModelProto.decode(encodeModel(model));
        const known = onnxProto.onnx.ModelProto.toObject(decoded, { longs: String });
        expectSame(known, model);
      }),
      { numRuns: 30 },
    );
  });

  it('reads what onnx-proto writes', () => {
    const model = smallNet();
    const theirs = onnxProto.onnx.ModelProto.encode(onnxProto.onnx.ModelProto.decode(encodeModel(model)));
    expect(encodeModel(decodeModel(theirs.finish(), 'model'))).to.deep.equal(encodeModel(model));
  });

  it('tells an empty field from one that is absent', () => {
    const opsetImport = [{ version: 18 }, { domain: '', version: 18 }];
    const { producerName: _, ...absent } = smallNet();
    const decoded = decodeModel(encodeModel({ ...absent, opsetImport, docString: '' }), 'model');
    expect(decoded).to.deep.include({ opsetImport, docString: '' });
    expect(decoded).not.to.have.property('producerName');
  });

  it('keeps integers beyond 2^53 to the last bit', () => {
    const model = smallNet();
    const ends = 2n ** 63n - 1n;
    const attribute = {
      ...model.graph.node[0].attribute[0],
      i: -(2n ** 60n) - 1n,
      ints: [ends, 0, -1, -ends - 1n],
    };
    const node = [{ ...model.graph.node[0], attribute: [attribute] }];
    const decoded = decodeModel(encodeModel({ ...model, graph: { ...model.graph, node } }), 'model');
    expect(decoded.graph.node[0].attribute[0]).to.deep.include({ i: attribute.i, ints: attribute.ints });
  });

  it('keeps fields of the future through a copy made by spreading', () => {
    const model: ModelProto = { ...smallNet(), $unknowns: [Uint8Array.of(0xc0, 0x3e, 7)] };
    const copy = { ...decodeModel(encodeModel(model), 'model'), producerName: 'someone' };
    expect(decodeModel(encodeModel(copy), 'model').$unknowns).to.deep.equal(model.$unknowns);
  });
});

/** Everything in `theirs` is in `ours`; they write 64-bit integers as text here. */
function expectSame(theirs: unknown, ours: unknown): void {
  if (theirs instanceof Uint8Array) expect(Buffer.compare(theirs, ours as Uint8Array)).to.equal(0);
  else if (Array.isArray(theirs)) {
    expect(ours).to.have.length(theirs.length);
    for (const [i, item] of theirs.entries()) expectSame(item, (ours as unknown[])[i]);
  } else if (theirs !== null && typeof theirs === 'object')
    for (const [key, value] of Object.entries(theirs))
      expectSame(value, (ours as Record<string, unknown>)[key]);
  else if (typeof theirs === 'string') expect(String(ours)).to.equal(theirs);
  else expect(ours).to.deep.equal(theirs);
}
