import { expect } from 'chai';
import fc from 'fast-check';
import { RandomState } from '../../../src/common/random.ts';
import {
  addCombination,
  answersOf,
  type Combination,
  type Components,
  calibrationAnswers,
  fitCombination,
} from '../../../src/detectors/guard/combination.ts';
import {
  addContinuousPValue,
  addPValue,
  continuousPValue,
  continuousPValueAmongOthers,
} from '../../../src/detectors/guard/p-value.ts';
import { calibrate, conformalPValues } from '../../../src/evaluation/conformal.ts';
import { GraphBuilder } from '../../../src/graph/builder.ts';
import { NodeScope } from '../../../src/graph/node-scope.ts';
import { ElementType } from '../../../src/graph/onnx.ts';
import { runModel } from '../../graph/models.ts';

const random = new RandomState(3);
const normal = (count: number, mean = 0) =>
  Float32Array.from({ length: count }, () => mean + random.normal());

function components(count: number, shift = 0): Components {
  return {
    count,
    content: [normal(count, shift), normal(count, shift)],
    directions: [normal(count, 5), normal(count, -shift), normal(count)],
  };
}

describe('The combination of a guard', () => {
  const calibration = components(200);
  const combination = fitCombination(calibration);

  it('is Fisher’s sum of ranks, the largest deviation, and both joined', () => {
    const { content, conditions, condition, ood } = answersOf(calibration, combination);
    const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;
    const standardized = (values: Float32Array, by = values) => {
      const own = mean(by);
      const deviation = Math.sqrt(mean(Array.from(by, (value) => (value - own) ** 2)));
      return Array.from(values, (value) => (value - own) / deviation);
    };
    const ranks = calibration.content.map((scores) => conformalPValues(scores, scores));
    const z = calibration.directions.map((values) => standardized(values));
    const expected = Array.from({ length: 200 }, (_, i) => ({
      content: -ranks.reduce((sum, p) => sum + Math.log(p[i]), 0),
      conditions: Math.max(...z.map((own) => Math.abs(own[i]))),
    }));
    for (const [i, own] of expected.entries()) {
      expect(content![i]).to.be.closeTo(own.content, 1e-4);
      expect(conditions![i]).to.be.closeTo(own.conditions, 1e-4);
      const largest = z.findIndex((values) => Math.abs(values[i]) === own.conditions);
      expect(condition![i]).to.equal(2 * largest + (z[largest][i] < 0 ? 1 : 0));
    }
    const usual = calibrationAnswers(calibration, combination);
    const ofContent = standardized(content!, usual.content);
    const ofConditions = standardized(conditions!, usual.conditions);
    for (let i = 0; i < 200; i++)
      expect(ood[i]).to.be.closeTo(ofContent[i] + Math.max(0, ofConditions[i] - 1), 1e-3);
  });

  it('is one question’s score where only that is asked', () => {
    const content = { ...calibration, directions: [] };
    const alone = answersOf(content, fitCombination(content));
    expect(alone.ood).to.equal(alone.content);
    expect(alone.conditions).to.equal(undefined);
    const conditions = { ...calibration, content: [] };
    const other = answersOf(conditions, fitCombination(conditions));
    expect(other.ood).to.equal(other.conditions);
    expect(other.content).to.equal(undefined);
  });

  const questions: Record<string, (all: Components) => Components> = {
    'of both questions': (all) => all,
    'of content by one method': (all) => ({ ...all, content: all.content.slice(0, 1), directions: [] }),
    'of content alone': (all) => ({ ...all, directions: [] }),
    'of conditions alone': (all) => ({ ...all, content: [] }),
  };
  for (const [title, asked] of Object.entries(questions))
    it(`is the same in the graph ${title}, of numbers that are none too`, async () => {
      const combination = fitCombination(asked(calibration));
      const all = components(50, 1);
      all.content[0][7] = Number.NaN;
      const own = asked(all);
      const expected = answersOf(own, combination);
      const found = await answersOfGraph(own, combination);
      for (const name of ['content', 'conditions', 'ood'] as const) {
        expect(found[name] === undefined, name).to.equal(expected[name] === undefined);
        for (const [i, value] of (expected[name] ?? []).entries())
          expect(found[name].data[i], `${name} ${i}`).to.be.closeTo(value, 1e-3);
      }
      expect(
        found.condition?.data && Uint32Array.from(found.condition.data as BigInt64Array, Number),
      ).to.deep.equal(expected.condition);
      const parts = own.content.length + own.directions.length;
      expect(found.components.dims).to.deep.equal([50, parts]);
      const partsOf = (i: number) =>
        (found.components.data as Float32Array).subarray(parts * i, parts * (i + 1));
      // What is no number is the most suspicious.
      if (expected.content) expect(partsOf(7)[0]).to.be.closeTo(Math.log(201 / 2), 1e-4);
      for (const [i, value] of (expected.content ?? []).entries()) {
        const logs = partsOf(i).subarray(0, own.content.length);
        expect(logs.reduce((a, b) => a + b)).to.be.closeTo(value, 1e-4);
      }
      for (const [i, value] of (expected.conditions ?? []).entries())
        expect(Math.max(...partsOf(i).subarray(own.content.length))).to.be.closeTo(value, 1e-4);
    });
});

/** What a graph with a combination gives. */
function answersOfGraph({ count, content, directions }: Components, combination: Combination) {
  const graph = new GraphBuilder('combination');
  const nodes = new NodeScope(graph, 'combination');
  const inputs: Parameters<typeof runModel>[1] = {};
  const input = (name: string, data: Float32Array) => {
    const width = data.length / count;
    inputs[name] = { data, dims: [count, width] };
    return graph.input(name, ElementType.float, ['batch', width]);
  };
  const along = directions.length;
  const projections = Float32Array.from(
    { length: count * along },
    (_, at) => directions[at % along][Math.floor(at / along)],
  );
  const answers = addCombination(
    nodes,
    {
      content: content.map((scores, part) => input(`scores_${part}`, scores)),
      projections: along > 0 ? input('projections', projections) : undefined,
    },
    combination,
  );
  for (const [name, value] of Object.entries(answers)) {
    if (value === undefined) continue;
    graph.node('Identity', [value], { name });
    graph.output(name, name === 'condition' ? ElementType.int64 : ElementType.float, ['batch', 'parts']);
  }
  return runModel(graph.build(), inputs);
}

describe('continuous p-values', () => {
  it('are those of split conformal prediction at calibration scores, and on lines between', () => {
    const scores = fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 2, maxLength: 40 });
    fc.assert(
      fc.property(scores, fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (known, which, share) => {
        const sorted = Float32Array.from(known).sort();
        const at = which % (sorted.length - 1);
        const rank = (score: number) => conformalPValues(known, Float64Array.of(score))[0];
        const [from, to] = [sorted[at], sorted[at + 1]];
        expect(continuousPValue(sorted, from)).to.be.closeTo(rank(from), 1e-12);
        const within = (1 - share) * rank(from) + share * rank(to);
        const score = from + share * (to - from);
        expect(continuousPValue(sorted, score)).to.be.closeTo(from < to ? within : rank(from), 1e-9);
        const others = sorted.filter((_, i) => i !== sorted.indexOf(from));
        expect(continuousPValueAmongOthers(sorted, from)).to.equal(continuousPValue(others, from));
      }),
    );
    const known = Float32Array.of(1, 2, 3);
    for (const worst of [Number.NaN, 3, 9, Number.POSITIVE_INFINITY])
      expect(continuousPValue(known, worst)).to.equal(2 / 4);
    expect(continuousPValue(known, Number.NEGATIVE_INFINITY)).to.equal(1);
  });

  it('are the same in the graph, where calibration scores are all equal too; and so are those with steps', async () => {
    for (const known of [Float32Array.of(1, 2, 2, 5), Float32Array.of(3, 3)]) {
      const scores = Float32Array.of(-1, 1, 1.5, 2, 3, 4, 5, 9, Number.NaN, Number.POSITIVE_INFINITY);
      const graph = new GraphBuilder('p-values');
      const nodes = new NodeScope(graph, 'p-values');
      graph.input('scores', ElementType.float, ['batch', 1]);
      const names = [
        addContinuousPValue(nodes, 'scores', known, 'lines'),
        addPValue(nodes, 'scores', known, 'steps'),
      ];
      for (const name of names) graph.output(name, ElementType.float, ['batch', 1]);
      const outputs = await runModel(graph.build(), { scores: { data: scores, dims: [scores.length, 1] } });
      const steps = conformalPValues(known, scores);
      for (const [i, score] of scores.entries()) {
        expect(outputs[names[0]].data[i], `${score}`).to.be.closeTo(continuousPValue(known, score), 1e-6);
        expect(outputs[names[1]].data[i], `${score}`).to.be.closeTo(steps[i], 1e-6);
      }
    }
  });
});

describe('calibration images', () => {
  it('are compared with the others, so that new images are called OOD as often as stated', () => {
    const random = new RandomState(1);
    const draw = (count: number) => {
      const values = (of: () => number) => Float32Array.from({ length: count }, of);
      const normal = () => random.normal();
      return {
        count,
        content: [values(normal), values(() => Math.exp(normal()))],
        directions: Array.from({ length: 7 }, () => values(normal)),
      };
    };
    const [count, rate, splits] = [100, 0.1, 150];
    const alarms = { content: 0, conditions: 0, ood: 0 };
    for (let split = 0; split < splits; split++) {
      const known = draw(count);
      const combination = fitCombination(known);
      const usual = calibrationAnswers(known, combination);
      const fresh = answersOf(draw(500), combination);
      for (const by of ['content', 'conditions', 'ood'] as const) {
        const { threshold } = calibrate(usual[by]!, rate);
        alarms[by] += fresh[by]!.filter((score) => score > threshold).length / 500 / splits;
      }
    }
    // 10 of 101, and three standard errors of that mean, .03 / √150 each.
    for (const [by, found] of Object.entries(alarms)) expect(found, by).to.be.closeTo(10 / 101, 0.0085);
  });
});
