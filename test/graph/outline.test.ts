import { expect } from 'chai';
import fc from 'fast-check';
import { GraphError } from '../../src/common/errors.ts';
import { scanOutline } from '../../src/graph/outline.ts';
import { decodeModel } from '../../src/graph/read.ts';
import { encodeModel } from '../../src/graph/write.ts';
import { severalOutputs } from './classifier/networks.ts';
import { smallNet } from './models.ts';

/** A model with all that an outline has: metadata, several outputs, and tensors as raw data and as lists of floats. */
function full() {
  const model = severalOutputs();
  model.metadataProps.push({ key: 'la_ood', value: '{"π": 1}' }, { key: 'empty', value: '' });
  model.graph.initializer.push({
    ...model.graph.initializer[0],
    ...{ name: 'listed', dims: [3], rawData: undefined, floatData: [1.5, -2, 3] },
  });
  return model;
}

/** A field of a number and content that no model has. */
const tag = (number: number, wireType: number) => [
  ((number * 8 + wireType) & 127) | 128,
  (number * 8 + wireType) >> 7,
];

describe('scanOutline', () => {
  for (const [name, model] of Object.entries({
    'free batch': full(),
    'fixed batch': smallNet({ batch: 300 }),
  }))
    it(`reads what decodeModel reads: ${name}`, () => {
      const bytes = encodeModel(model);
      const { metadataProps, graph } = decodeModel(bytes, 'm.onnx');
      const outline = scanOutline(bytes, 'm.onnx');
      const pairs = metadataProps.map(({ key, value }) => [key, value]);
      expect(outline.metadataProps.map(({ key, value }) => [key, value])).to.deep.equal(pairs);
      const sizes = ({ name, type }: (typeof graph.input)[number]) => [
        name,
        type?.tensorType?.shape?.dim.map(({ dimValue }) => dimValue),
      ];
      expect(outline.graph.input.map(sizes)).to.deep.equal(graph.input.map(sizes));
      expect(outline.graph.output.map(({ name }) => name)).to.deep.equal(
        graph.output.map(({ name }) => name),
      );
      expect(outline.graph.initializer).to.have.length(graph.initializer.length);
      for (const [i, { name, rawData, floatData }] of graph.initializer.entries()) {
        const found = outline.graph.initializer[i];
        expect(found.name).to.equal(name);
        expect(found.rawData && [...found.rawData]).to.deep.equal(rawData && [...rawData]);
        expect(found.floatData ?? []).to.deep.equal(floatData ?? []);
      }
    });

  it('shares the memory of the file', () => {
    const bytes = encodeModel(smallNet());
    expect(scanOutline(bytes, 'm.onnx').graph.initializer[0].rawData!.buffer).to.equal(bytes.buffer);
  });

  it('reads inputs that say nothing of their shape', () => {
    const model = smallNet();
    model.graph.input = [{ name: 'anything' }];
    expect(scanOutline(encodeModel(model), 'm.onnx').graph.input).to.deep.equal([{ name: 'anything' }]);
  });

  it('skips fields that it does not know, and refuses what is no field', () => {
    const bytes = encodeModel(smallNet());
    const outline = scanOutline(bytes, 'm.onnx');
    const followedBy =
      (...more: number[]) =>
      () =>
        scanOutline(Uint8Array.of(...bytes, ...more), 'm.onnx');
    for (const more of [
      [...tag(1000, 0), 0x96, 0x01],
      [...tag(1000, 1), ...Array(8).fill(255)],
      [...tag(1000, 2), 3, 255, 255, 255],
      [...tag(1000, 5), ...Array(4).fill(255)],
    ])
      expect(followedBy(...more)(), String(more)).to.deep.equal(outline);
    const refused = 'm.onnx: is no ONNX model, or is truncated; fetch it again';
    for (const more of [
      [...tag(1000, 0)],
      [...tag(1000, 0), 0x96],
      [...tag(1000, 0), ...Array(10).fill(0x96), 0],
      [...tag(1000, 1), ...Array(7).fill(255)],
      [...tag(1000, 2), 3, 255, 255],
      [...tag(1000, 3)],
      [...tag(1000, 5), 255, 255, 255],
      [0, 0],
    ])
      expect(followedBy(...more), String(more)).to.throw(GraphError, refused);
  });

  it('refuses a file without a graph', () => {
    const refused = 'm.onnx: holds no graph; is it an ONNX model?';
    expect(() => scanOutline(new Uint8Array(0), 'm.onnx')).to.throw(GraphError, refused);
    expect(() => scanOutline(Uint8Array.of(8, 8), 'm.onnx')).to.throw(GraphError, refused);
  });

  it('takes damaged bytes or refuses them, and nothing else happens', () => {
    const bytes = encodeModel(full());
    const change = fc.record({ at: fc.nat(bytes.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 4 }), fc.nat(bytes.length), (changes, length) => {
        const damaged = bytes.slice(0, length);
        for (const { at, byte } of changes) if (at < length) damaged[at] = byte;
        try {
          scanOutline(damaged, 'm.onnx');
        } catch (error) {
          expect(error).to.be.instanceOf(GraphError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
