import { expect } from 'chai';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { checkModel } from '../../src/graph/check.ts';
import { ElementType, type ModelProto } from '../../src/graph/onnx.ts';
import { poolTogether } from '../../src/graph/pool-together.ts';
import { exposeTaps } from '../../src/graph/rewrite.ts';
import { images, runModel, smallNet } from './models.ts';

describe('poolTogether', () => {
  const widths = new Map([
    ['conv1', 6],
    ['relu1', 6],
    ['features', 4],
    ['flat', 4],
    ['logits', 5],
    ['conv1[deviation]', 6],
    ['relu1[deviation]', 6],
    ['features[deviation]', 4],
  ]);

  it('yields the same values under the same names, by one Flatten beside those that the network needs', async () => {
    const taps = [...widths.keys()].filter((tap) => !tap.endsWith('[deviation]'));
    const tapped = exposeTaps(smallNet(), taps, 'small.onnx');
    const together = poolTogether(tapped, widths);
    expect(count(tapped, 'Flatten')).to.equal(4);
    expect(count(together, 'Flatten')).to.equal(2);
    expect(count(together, 'Split')).to.equal(1);
    await expectSame(tapped, together, taps);
  });

  it('takes deviations over maps of one size at once', async () => {
    const taps = [...widths.keys()];
    const tapped = exposeTaps(smallNet(), taps, 'small.onnx');
    const together = poolTogether(tapped, widths);
    expect(count(tapped, 'Sqrt')).to.equal(3);
    expect(count(together, 'Sqrt')).to.equal(2);
    expect(count(together, 'Split')).to.equal(2);
    await expectSame(tapped, together, taps);
  });

  it('leaves a model alone that has no two of them', () => {
    const tapped = exposeTaps(smallNet(), ['conv1', 'conv1[deviation]', 'flat'], 'small.onnx');
    expect(poolTogether(tapped, widths)).to.equal(tapped);
  });

  describe('leaves alone what only looks alike', () => {
    /** Two outputs alike, of maps `a` and `b`, and how wide they are. */
    function twice(
      add: (step: Step, maps: string, other: string) => string,
      sides: (number | string)[] = [8, 8],
    ) {
      const graph = new GraphBuilder('alike');
      graph.input('x', ElementType.float, ['n', 4, ...sides]);
      for (const [maps, opType] of Object.entries({ a: 'Relu', b: 'Neg' }))
        graph.node(opType, ['x'], { name: maps });
      const step: Step = (opType, inputs, attributes) => graph.node(opType, inputs, { attributes });
      const outputs = [add(step, 'a', 'b'), add(step, 'b', 'a')];
      for (const name of outputs) graph.output(name, ElementType.float, []);
      return { model: graph.build(), widths: new Map(outputs.map((name) => [name, 4])) };
    }
    type Step = (opType: string, inputs: string[], attributes?: Record<string, number>) => string;

    const deviation = (step: Step, maps: string, { mean = maps, second = '' } = {}) => {
      const centred = step('Sub', [maps, step('GlobalAveragePool', [mean])]);
      const squares = step('Mul', [centred, second || centred]);
      return step('Sqrt', [step('Flatten', [step('GlobalAveragePool', [squares])])]);
    };
    const cases: Record<string, Parameters<typeof twice>> = {
      'a mean of other maps': [(step, maps, other) => deviation(step, maps, { mean: other })],
      'a product with something else': [(step, maps) => deviation(step, maps, { second: maps })],
      'maps of any size': [(step, maps) => deviation(step, maps), ['h', 'w']],
      'maps of any height': [(step, maps) => deviation(step, maps), ['h', 8]],
      'a maximum': [(step, maps) => step('Flatten', [step('GlobalMaxPool', [maps])])],
      'maps that are not pooled': [(step, maps) => step('Flatten', [maps])],
      'another flattening': [
        (step, maps) => step('Flatten', [step('GlobalAveragePool', [maps])], { axis: 2 }),
      ],
      'a mean that is not flattened': [(step, maps) => step('GlobalAveragePool', [maps])],
    };
    for (const [name, [add, sides]] of Object.entries(cases))
      it(name, () => {
        const { model, widths } = twice(add, sides);
        expect(poolTogether(model, widths)).to.equal(model);
      });

    it('but not deviations and means that somebody else wrote', () => {
      for (const add of [
        (step: Step, maps: string) => deviation(step, maps),
        (step: Step, maps: string) => step('Flatten', [step('GlobalAveragePool', [maps])]),
      ]) {
        const { model, widths } = twice(add);
        expect(count(poolTogether(model, widths), 'Split')).to.equal(1);
      }
    });
  });

  const count = ({ graph }: ModelProto, opType: string) =>
    graph.node.filter((node) => node.opType === opType).length;

  async function expectSame(
    tapped: ModelProto,
    together: ModelProto,
    taps: readonly string[],
  ): Promise<void> {
    checkModel(together, 'small.onnx');
    for (const number of [1, 3]) {
      const [apart, joined] = [
        await runModel(tapped, { image: images(number) }),
        await runModel(together, { image: images(number) }),
      ];
      for (const name of taps) {
        expect(joined[name].dims).to.deep.equal([number, widths.get(name)]);
        expect(joined[name].data, name).to.deep.equal(apart[name].data);
      }
    }
  }
});
