import { expect } from 'chai';
import { RandomState } from '../../../src/common/random.ts';
import { calibrate } from '../../../src/evaluation/conformal.ts';
import { evaluate, pairings } from '../../../src/evaluation/evaluate.ts';
import type { GuardScores } from '../../../src/evaluation/guard-scores.ts';
import { setKinds } from '../../../src/evaluation/method-table.ts';
import { computeMetrics } from '../../../src/evaluation/metrics.ts';
import { reportHtml } from '../../../src/evaluation/report/report.ts';
import type { Gallery, ReportContent } from '../../../src/evaluation/report/report-content.ts';
import type { ScoredSet } from '../../../src/evaluation/scored-set.ts';
import { tableOf, textOf } from '../../html.ts';

const hostile = "<script>alert(1)</script>\"><img src=x onerror=alert(2)> & 'so on'";

describe('the report', () => {
  it('has the numbers of the evaluation', () => {
    const content = contentOf('cifar10', ['svhn', 'tiny']);
    const html = reportHtml(content);
    const { sets } = content.evaluation;
    const percent = (share: number) => (100 * share).toFixed(2);

    const [, ...overview] = tableOf(html, 'Results by OOD set, in %');
    expect(overview.map(([set]) => set)).to.deep.equal(['svhn', 'tiny', 'combined']);
    for (const [s, { bestMethod, laOod, best, baselines, indCount, oodCount }] of sets.entries())
      expect(overview[s].slice(1)).to.deep.equal([
        percent(laOod.metrics.auroc),
        percent(laOod.metrics.fprAt95Tpr),
        percent(laOod.metrics.fprAt95TprIndPositive),
        bestMethod
          ? `${percent(bestMethod.metrics.auroc)} ${bestMethod.name.replace('best method: ', '')}`
          : '–',
        percent(best.metrics.auroc),
        ...baselines.map(({ metrics }) => percent(metrics.auroc)),
        `${indCount} : ${oodCount}`,
      ]);

    const [, ...methods] = tableOf(html, 'svhn: every score, in %');
    const { metrics } = sets[0].laOod;
    expect(methods[0]).to.deep.equal([
      'LA-OOD',
      ...[metrics.fprAt95Tpr, metrics.fprAt95TprIndPositive].map(percent),
      ...[metrics.auroc, metrics.auprOut, metrics.auprIn].map(percent),
    ]);
    const [, ...layers] = tableOf(html, 'AUROC in % by layer and OOD set');
    expect(layers).to.deep.equal(
      sets[0].layers.map(({ index, name }, l) => [
        `${index + 1} ${name}`,
        ...sets.map((set) => percent(set.layers[l].metrics.auroc)),
      ]),
    );
    const [, ...fired] = tableOf(html, 'tiny layer by layer; metrics in %, of 80 InD and 80 OOD images');
    expect(fired.map((row) => row.slice(-2))).to.deep.equal(
      sets[1].layers.map(({ indMaxima, oodMaxima }) => [String(indMaxima), String(oodMaxima)]),
    );
    const found = `At 5 % false alarms LA-OOD finds ${(100 * (1 - metrics.fprAt95TprIndPositive)).toFixed(1)} %`;
    expect(textOf(html)).to.include(found);
  });

  it('has every method on every set, near and far apart, and on wrongly classified images', () => {
    const content = contentOf('cifar10', ['svhn', 'tiny']);
    const { methods } = content.evaluation;
    const html = reportHtml(content);
    const cells = (set: number) =>
      methods.methods.map(({ sets }) => {
        const { auroc, fprAt95TprIndPositive } = sets[set];
        return `${(100 * auroc).toFixed(1)} / ${(100 - 100 * fprAt95TprIndPositive).toFixed(0)}`;
      });
    const [head, ...near] = tableOf(html, 'Near-OOD sets, method by method');
    expect(head).to.deep.equal(['Method', 'svhn']);
    expect(near.map(([, cell]) => cell)).to.deep.equal(cells(0));
    expect(tableOf(html, 'Far-OOD sets, method by method').map(([name]) => name)).to.deep.equal([
      'Method',
      'LA-OOD',
      'MSP',
    ]);
    const [, ...wrong] = tableOf(html, 'Wrongly classified InD images, method by method');
    expect(wrong.map(([, auroc]) => auroc)).to.deep.equal(
      methods.methods.map(({ misclassified }) => (100 * misclassified!.auroc).toFixed(1)),
    );
  });

  it('says what makes the numbers doubtful', () => {
    const content = contentOf('cifar10', ['svhn']);
    const warnings = ['25 images of <svhn> are images of the InD set cifar10: they are not OOD'];
    expect(textOf(reportHtml({ ...content, warnings }))).to.include(
      'Note: 25 images of <svhn> are images of',
    );
    expect(textOf(reportHtml(content))).to.not.include('Note:');
  });

  it('marks both conventions of FPR95 where they lie on the curve', () => {
    const content = contentOf('cifar10', ['svhn']);
    const html = reportHtml(content);
    const { fprAt95Tpr, fprAt95TprIndPositive } = content.evaluation.sets[0].laOod.metrics;
    const roc = /<svg[^>]*><title>ROC curves for svhn[\s\S]*?<\/svg>/.exec(html)![0];
    const [, cx, cy] = /<circle class="mark" cx="([\d.]+)" cy="([\d.]+)"/.exec(roc)!.map(Number);
    // The plot is 306 × 274 pixels, from (42, 12) on.
    expect((cx - 42) / 306).to.be.closeTo(fprAt95Tpr, 1e-3);
    expect(1 - (cy - 12) / 274).to.be.closeTo(0.95, 1e-3);
    const [, x, y] = /<path class="mark" d="M([\d.]+) ([\d.]+)l6/.exec(roc)!.map(Number);
    expect((x - 42) / 306).to.be.closeTo(0.05, 1e-3);
    expect(1 - (y + 6 - 12) / 274).to.be.closeTo(1 - fprAt95TprIndPositive, 1e-3);
  });

  it('shows the guard’s scores where there are any', () => {
    const of = (count: number, shift: number, seed: number) => ({
      ood: scores(count, shift, seed),
      content: scores(count, 2 * shift, seed + 100),
      conditions: scores(count, 0, seed + 200),
    });
    const [known, svhn, tiny] = [of(40, 0, 9), of(50, 2, 10), of(30, 1, 11)];
    const guard: GuardScores = {
      method: 'content and conditions',
      calibration: calibrate(known.ood, 0.05),
      ind: known,
      sets: new Map([
        ['svhn', svhn],
        ['tiny', tiny],
      ]),
    };
    const html = reportHtml(contentOf('cifar10', ['svhn', 'tiny'], { guard }));
    const [head, ...rows] = tableOf(html, 'Results by OOD set, in %');
    expect(head.slice(1, 3)).to.deep.equal(['guard AUROC', 'guard FPR95 OOD pos.']);
    expect(head.slice(4, 7)).to.deep.equal([
      ...['guard: content AUROC', 'guard: conditions AUROC', 'best method AUROC'],
    ]);
    for (const [column, by] of [
      [1, 'ood'],
      [4, 'content'],
      [5, 'conditions'],
    ] as const) {
      const all = Float64Array.from([...svhn[by], ...tiny[by]]);
      const expected = [svhn[by], tiny[by], all].map((ood) =>
        (100 * computeMetrics(known[by], ood).auroc).toFixed(2),
      );
      expect(rows.map((row) => row[column])).to.deep.equal(expected);
    }
    const flagged = svhn.ood.filter((score) => score > guard.calibration.threshold).length / 50;
    expect(textOf(html)).to.include(`The guard flags ${(100 * flagged).toFixed(1)} % of svhn.`);
    const found = 1 - computeMetrics(known.ood, svhn.ood).fprAt95TprIndPositive;
    expect(textOf(html)).to.include(`At 5 % false alarms the guard finds ${(100 * found).toFixed(1)} %`);
    expect(tableOf(html, 'svhn: every score, in %')[1][0]).to.equal('guard');
    expect(textOf(reportHtml(contentOf('cifar10', ['svhn'])))).to.not.include('The guard flags');
  });

  it('shows every name as text, whatever is in it', () => {
    const html = reportHtml(contentOf(hostile, [`${hostile} 1`, `${hostile} 2`], { layer: hostile }));
    expect(html).to.not.include('<script').and.not.include('<img src=x').and.not.include('"><img');
    expect(textOf(/<h1>([\s\S]*?)<\/h1>/.exec(html)![1])).to.equal(hostile);
    expect(tableOf(html, 'Results by OOD set, in %')[1][0]).to.equal(`${hostile} 1`);
    expect(html.match(/alert\(1\)/g)!.length).to.be.greaterThan(30);
  });

  it('holds everything that it needs', () => {
    const html = reportHtml(contentOf('cifar10', ['svhn', 'tiny']));
    expect(html).to.include(`content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"`);
    for (const outside of [/\/\//, /@import/, /url\(/, /<script/, /<link(?! rel="icon" href="data:,")/])
      expect(html).to.not.match(outside);
    for (const [, address] of html.matchAll(/(?:src|href)="([^"]*)"/g))
      expect(address).to.match(/^(#[\w-]+|data:,|data:image\/webp;base64,[\w+/=]+)$/);
    const ids = Array.from(html.matchAll(/ id="([^"]*)"/g), ([, id]) => id);
    expect(new Set(ids).size).to.equal(ids.length);
    for (const [, target] of html.matchAll(/href="#([^"]*)"/g)) expect(ids).to.include(target);
  });

  it('says so where images cannot be shown, and where the detectors come from elsewhere', () => {
    const content = contentOf('cifar10', ['svhn']);
    const [ind, svhn] = content.galleries;
    const bare = svhn.lowest.map(({ index, profile }) => ({ index, profile }));
    const missing = { ...svhn, lowest: bare, highest: [], missing: 'svhn.mat: no such file' };
    const detectors = content.detectors.map(({ tap, nu, gamma }) => ({ tap, nu, gamma }));
    const html = reportHtml({ ...content, galleries: [ind, missing], detectors });
    expect(textOf(html)).to.include('The pictures of svhn are not shown: svhn.mat: no such file.');
    expect(html.match(/class="no-picture"/g)).to.have.length(2);
    expect(textOf(html)).to.include('The detectors were not fitted here');
  });

  it('is short, whatever there is to draw', () => {
    const ood = Array.from({ length: 10 }, (_, s) => `set ${s}`);
    const layer = 'features.denseblock1.denselayer1.conv1';
    const html = reportHtml(contentOf('cifar10', ood, { layer, depth: 100, count: 1000 }));
    expect(html.length).to.be.lessThan(2e6);
  });
});

function scores(count: number, mean: number, seed: number): Float64Array {
  const random = new RandomState(seed);
  return Float64Array.from({ length: count }, () => mean + random.random() + random.random());
}

function contentOf(
  ind: string,
  ood: readonly string[],
  options: { layer?: string; depth?: number; count?: number; guard?: GuardScores } = {},
): ReportContent {
  const { layer = 'conv', depth = 3, count = 80, guard } = options;
  const layers = Array.from({ length: depth }, (_, l) => ({ name: `${layer} ${l}`, index: 2 * l }));
  const set = (name: string, seed: number): ScoredSet => ({
    name,
    count,
    layers: layers.map((_, l) => scores(count, seed / 4, 31 * seed + l)),
    baselines: { MSP: scores(count, seed / 3, 1000 + seed) },
  });
  const known = {
    ...set(ind, 0),
    isWrong: Uint8Array.from({ length: count }, (_, i) => Number(i % 9 === 0)),
  };
  const others = ood.map((name, s) => ({ ...set(name, s + 1), kind: setKinds[s % 2] }));
  const gallery = ({ name, layers }: ScoredSet): Gallery => {
    const image = (index: number) => ({
      ...{ index, name: `${layer}.png`, predicted: layer, confidence: 0.5, actual: `${layer} too` },
      picture: 'data:image/webp;base64,UklGRg==',
      profile: Float64Array.from(layers, (each) => each[index]),
    });
    return { set: name, count, lowest: [image(0), image(1)], highest: [image(2)] };
  };
  const trial = { gamma: 0.1, supportVectors: 9, errorOod: 0.1, errorInd: 0.02, error: 0.06, isBound: false };
  const fit = {
    ...{ samples: 50, edgePoints: 5, error: 0.06, seconds: { shifting: 1, grid: 2, refit: 3 } },
    trials: [trial, { gamma: 0.2, supportVectors: 9, errorInd: 0.2, error: 0.1, isBound: true }],
  };
  const record = { outputs: { [`${layer}.onnx`]: 'ab'.repeat(32) }, finished: '2026-01-02T03:04:05Z' };
  return {
    name: ind,
    program: 'la-ood 0',
    evaluation: evaluate(layers, known, others, { guard }),
    guard,
    warnings: [],
    pairings: pairings(layers, known, others),
    galleries: [known, ...others].map(gallery),
    detectors: layers.map(({ name }) => ({ tap: name, nu: 0.001, gamma: 0.1, fit })),
    steps: [{ name: layer, seconds: 1.5, device: layer, images: 9, record }],
  };
}
