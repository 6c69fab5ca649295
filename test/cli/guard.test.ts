import { copyFile, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import * as ort from 'onnxruntime-node';
import { openImageSet } from '../../data/open.ts';
import {
  conformalPValues,
  type GuardReport,
  getMetadata,
  type RecalibrationReport,
  readModel,
  type ScoredImage,
} from '../../src/index.ts';
import { temporaryFolder } from './files.ts';
import { json, laOod, start } from './run.ts';
import { copyOfRun, imagesOf } from './run-states.ts';

interface Scores {
  readonly images: number;
  readonly ood: number;
  readonly rows: readonly ScoredImage[];
}

type QuestionGuard = Extract<GuardReport, { kind: 'questions' }>;
type LayerGuard = Extract<GuardReport, { kind: 'layers' }>;

describe('la-ood guard and score', () => {
  const at = temporaryFolder();
  const guarded = () => at('run', 'guarded.onnx');
  let report: QuestionGuard;

  before(async () => {
    for (const run of ['run', 'content']) await copyOfRun('guarded', at(run));
    for (const set of ['train', 'test', 'noise'] as const) await symlink(await imagesOf(set), at(set));
    report = await json<QuestionGuard>('guard', '--run', at('run'), '--false-alarms', '.1');
  });

  it('needs detectors, and says how to make them', async () => {
    await copyOfRun('features', at('early'));
    const early = await laOod('guard', '--run', at('early'), '--aggregation', 'max');
    expect(early.exitCode).to.equal(1);
    expect(early.stderr).to.match(
      /detectors\.onnx: is missing; run npx la-ood fit --run .* first, or take --detector layer-gaussians\n$/,
    );
  });

  it('says at which rate, from how many images, and how the OOD sets fare', () => {
    const { calibration, sets, questions, components, labels } = report;
    // The folders are flat: classes are those that the classifier predicts.
    expect([questions, labels]).to.deep.equal([['content', 'conditions'], 'predicted classes']);
    expect(calibration).to.include({ rate: 0.1, confidence: 0.95, count: 500 });
    expect(calibration.upperBound).to.be.within(0.1, 0.15);
    expect(components).to.deep.equal([
      ...['gen', 'mahalanobis++', 'noise .06', 'blur 1 px', 'JPEG 30', 'contrast × .6'],
      ...['brightness + .15', 'brightness − .15', 'saturation × .5'],
    ]);
    expect(sets.map(({ name }) => name)).to.deep.equal(['noise']);
    expect(sets[0].auroc).to.be.greaterThan(0.95);
    expect(sets[0].found).to.be.greaterThan(0.8);
    for (const question of questions) expect(sets[0].byQuestion[question]!.auroc).to.be.greaterThan(0.9);
  });

  it('writes one file that does everything, in whatever onnxruntime', async () => {
    const session = await ort.InferenceSession.create(guarded());
    expect(session.inputNames).to.include('pixels');
    const images = await openImageSet(at('noise'));
    const pixels = new ort.Tensor(
      'uint8',
      await images.read(0, 40, { height: 32, width: 32 }),
      [40, 32, 32, 3],
    );
    const outputs = await session.run({ pixels });
    const [scores, pValues] = [outputs.ood_score, outputs.p_value].map(({ data }) => data as Float32Array);
    expect(Array.from(outputs.is_ood.data as Uint8Array)).to.deep.equal(
      Array.from(scores, (score) => Number(score > report.calibration.threshold)),
    );
    for (const [i, score] of scores.entries())
      if (Math.abs(score - report.calibration.threshold) > 1e-3)
        expect(score > report.calibration.threshold).to.equal(pValues[i] <= 0.1);
    expect(outputs.component_scores.dims).to.deep.equal([40, report.components.length]);
    for (const question of report.questions) {
      const own = outputs[`${question}_score`].data as Float32Array;
      const p = outputs[`${question}_p_value`].data as Float32Array;
      for (let i = 1; i < 40; i++) if (own[i] > own[i - 1]) expect(p[i]).to.be.at.most(p[i - 1]);
    }
    const unusual = outputs.conditions_p_value.data as Float32Array;
    for (const [i, condition] of (outputs.condition.data as BigInt64Array).entries())
      expect(condition >= 0n, `condition ${i}`).to.equal(unusual[i] <= 0.1);
    await session.release();
  });

  it('takes another threshold', async () => {
    const { ood, rows } = await json<Scores>('score', guarded(), at('noise'), '--threshold', '1e9');
    expect(ood).to.equal(0);
    const threshold = rows[5].score;
    const { rows: again } = await json<Scores>(
      'score',
      guarded(),
      at('noise'),
      '--threshold',
      `${threshold}`,
    );
    expect(again.map(({ isOod }) => isOod)).to.deep.equal(rows.map(({ score }) => score > threshold));
  });

  it('says in the file what it is', async () => {
    const metadata = getMetadata(await readModel(guarded()));
    expect(JSON.parse(metadata['la_ood.questions'])).to.deep.equal(report.questions);
    expect(JSON.parse(metadata['la_ood.components'])).to.deep.equal(report.components);
    expect(JSON.parse(metadata['la_ood.conditions'])).to.deep.equal(report.conditions);
    expect(JSON.parse(metadata['la_ood.calibration'])).to.deep.equal(report.calibration);
    expect(metadata['la_ood.backbone_sha256']).to.match(/^[0-9a-f]{64}$/);
  });

  it('scores folders and single images, in order, the same whatever the batch', async () => {
    const image = join(at('test'), '0007.bmp');
    const { images, ood, rows } = await json<Scores>('score', guarded(), at('noise'), image);
    expect(images).to.equal(41);
    expect(ood).to.equal(rows.filter(({ isOod }) => isOod).length);
    expect(rows.map(({ image }) => image).slice(0, 2)).to.deep.equal([
      at('noise', '0000.bmp'),
      at('noise', '0001.bmp'),
    ]);
    const { rows: again } = await json<Scores>('score', guarded(), at('noise'), image, '--batch', '7');
    rows.forEach((row, i) => {
      expect(again[i].score).to.be.closeTo(row.score, 1e-4 * Math.max(1, Math.abs(row.score)));
    });
  });

  it('scores what a pattern fits, and what standard input names', async () => {
    const { rows } = await json<Scores>('score', guarded(), `${at()}/n*/000?.bmp`);
    expect(rows.map(({ image }) => image)).to.deep.equal(
      Array.from({ length: 10 }, (_, i) => at('noise', `000${i}.bmp`)),
    );
    const { rows: anywhere } = await json<Scores>('score', guarded(), `${at()}/**/0007.bmp`);
    expect(anywhere.map(({ image }) => image)).to.deep.equal(
      ['noise', 'test', 'train'].map((set) => at(set, '0007.bmp')),
    );
    const paths = [3, 1].map((i) => at('noise', `000${i}.bmp`));
    const [piped, text] = await Promise.all([
      start(['score', guarded(), '-', '--json'], {}, `${paths.join('\n')}\n`).finished,
      start(['score', guarded(), '-'], {}, 'notes.txt\n').finished,
    ]);
    const named: Scores = JSON.parse(piped.stdout);
    expect(named.rows.map(({ image }) => image)).to.deep.equal(paths);
    expect(named.rows[1].score).to.be.closeTo(rows[1].score, 1e-3);
    expect(text.exitCode).to.equal(1);
    expect(text.stderr).to.match(/^notes\.txt: cannot be read \(ENOENT\); [^\n]+\n$/m);
    const none = await laOod('score', guarded(), `${at()}/*.gif`);
    expect(none.exitCode).to.equal(1);
  });

  it('gives held-out images p-values that are uniform, up to their number', async () => {
    // The calibration images themselves have p-values of 2/501 to 501/501.
    await json('score', guarded(), at('test'), '--output', at('test.jsonl'));
    const lines = (await readFile(at('test.jsonl'), 'utf8')).trim().split('\n');
    const rows = lines.map((line): ScoredImage => JSON.parse(line));
    expect(rows).to.have.length(500);
    const mean = rows.reduce((sum, { pValue }) => sum + pValue, 0) / 500;
    expect(mean).to.be.closeTo(0.5, 0.01);
    const scores = rows.map(({ score }) => score);
    const own = rows.map(({ pValue }) => pValue);
    // Scores and p-values are in opposite order.
    expect(conformalPValues(scores, scores).every((p, i) => Math.abs(p - own[i]) < 0.1)).to.equal(true);
  });

  it('gives logits and probabilities where they are asked for', async () => {
    const { rows } = await json<Scores>('score', guarded(), at('noise'), '--logits');
    for (const { label, logits, probabilities } of rows) {
      expect(logits![label]).to.equal(Math.max(...logits!));
      expect(probabilities!.reduce((sum, p) => sum + p)).to.be.closeTo(1, 1e-9);
      for (const [c, p] of probabilities!.entries())
        expect(Math.log(p / probabilities![0])).to.be.closeTo(logits![c] - logits![0], 1e-6);
    }
    await laOod('score', guarded(), at('noise'), '--logits', '--output', at('logits.csv'));
    const [head, first] = (await readFile(at('logits.csv'), 'utf8'))
      .split('\n', 2)
      .map((line) => line.split(','));
    const cell = (name: string) => Number(first[head.indexOf(name)]);
    expect(cell('logit_3')).to.equal(rows[0].logits![3]);
    expect(cell('probability_9')).to.equal(rows[0].probabilities![9]);
    const { stdout } = await laOod('score', guarded(), join(at('noise'), '0000.bmp'), '--logits');
    const [titles, values] = stdout.split('\n').map((line) => line.split(/ {2,}/));
    expect(titles.slice(0, 4)).to.deep.equal(['image', 'label', 'probability', 'ood_score']);
    expect(Number(values[2])).to.be.closeTo(Math.max(...rows[0].probabilities!), 1e-3);
  });

  it('writes a table', async () => {
    const { exitCode, stdout } = await laOod('score', guarded(), at('noise'), '--output', at('noise.csv'));
    expect(exitCode).to.equal(0);
    expect(stdout).to.match(/40 images, \d+ called OOD\.\nWrote .*noise\.csv\./);
    const lines = (await readFile(at('noise.csv'), 'utf8')).trim().split(/\r?\n/);
    expect(lines[0]).to.equal(
      'set,image,label,class,ood_score,p_value,is_ood,content_p_value,conditions_p_value,condition,reason',
    );
    expect(lines).to.have.length(41);
  });

  it('watches a stream, and tells since when content and conditions drift', async () => {
    interface Stream {
      readonly images: number;
      readonly ood: number;
      readonly drifts: readonly { of: string; since: number; alarm: number; set: string; until?: number }[];
      readonly spans: readonly {
        to: number;
        ood: number;
        watched: readonly { of: string; meanPValue: number; drifting: number }[];
      }[];
    }
    const { images, ood, drifts, spans } = await json<Stream>('monitor', guarded(), at('test'), at('noise'));
    expect(images).to.equal(540);
    expect(spans.at(-1)!.to).to.equal(540);
    expect(ood).to.equal(spans.reduce((sum, span) => sum + span.ood, 0));
    expect(ood).to.be.within(70, 110);
    expect(drifts.map(({ of }) => of).sort()).to.deep.equal(['conditions', 'content']);
    for (const { since, alarm, set, until } of drifts) {
      expect(since).to.be.within(490, 505);
      expect(alarm).to.be.within(501, 520);
      expect([set, until]).to.deep.equal([at('noise'), undefined]);
    }
    for (const { meanPValue } of spans.at(-1)!.watched) expect(meanPValue).to.be.lessThan(0.1);
    const { stdout } = await laOod('monitor', guarded(), `${at('test')}:100`, at('noise'));
    expect(stdout).to.match(
      /\nConditions: still drifting since image \d+, mostly \S+.* \(found at image \d+/,
    );
    expect(stdout).to.match(
      /140 images, \d+ called OOD \(\d+\.\d %\), 2 drifts; of false alarms there is one in 10,000/,
    );
  });

  it('tells conditions that drift from content that does not', async () => {
    const brighter = `brightness-4:${at('test')}:200`;
    const { stdout } = await laOod('monitor', guarded(), `${at('test')}:100`, brighter);
    expect(stdout).to.match(/\nConditions: still drifting since image \d+, mostly brighter/);
  });

  it('says which question an image failed, and how its conditions are', async () => {
    await json('guard', '--run', at('run'), '--false-alarms', '.1');
    const changes = {
      'gaussian_blur-5': 'blurrier',
      'contrast-4': 'of less contrast',
      'gaussian_noise-3': 'noisier',
    };
    for (const [change, named] of Object.entries(changes)) {
      const { rows } = await json<Scores>('score', guarded(), `${change}:${at('test')}:100`);
      const found = rows.filter(({ condition }) => condition !== undefined);
      const right = found.filter(({ condition }) => condition === named);
      // How often it is right by a better backbone, test/examples/demo.test.ts has.
      expect(right.length, named).to.be.greaterThan(found.length / 2);
      expect(rows.filter(({ isOod }) => isOod).length, named).to.be.greaterThan(20);
      const { reason, conditionsPValue } = rows.find(({ isOod, condition }) => isOod && condition === named)!;
      expect(reason).to.include(`${named} than its training images`);
      expect(conditionsPValue).to.be.at.most(0.1);
    }
    const { rows } = await json<Scores>('score', guarded(), 'demo:shapes:100');
    const ood = rows.filter(({ isOod }) => isOod);
    expect(ood.filter(({ reason }) => reason === 'unlike what it was taught').length).to.be.greaterThan(
      ood.length / 2,
    );
    for (const { isOod, reason } of rows) expect(reason !== '').to.equal(isOod);
  });

  it('is tried on every image, where batches do not come out even', async () => {
    const { runtimes } = await json<RecalibrationReport>(
      ...['guard', guarded(), '--calibrate', `${at('test')}:20`, '--output', at('even.onnx')],
    );
    expect(runtimes.images).to.equal(20);
    expect(runtimes.pValue).to.be.within(0, 0.05);
  });

  it('is written with weights in half floats too, calibrated by itself, and says what that costs', async () => {
    const { stdout, exitCode, stderr } = await laOod(
      'guard',
      '--run',
      at('run'),
      '--false-alarms',
      '.1',
      '--half',
    );
    expect(exitCode, stderr).to.equal(0);
    expect(stdout).to.match(
      /With weights in half floats, [\d.]+ MB in place of [\d.]+, calibrated by itself:/,
    );
    expect(stdout).to.match(/\nOOD set +AUROC before +AUROC +lost\nnoise +\d/);
    const { half } = await json<GuardReport>('guard', '--run', at('run'), '--false-alarms', '.1', '--half');
    expect(half!.bytes / half!.bytesBefore).to.be.within(0.3, 0.7);
    const [{ auroc, aurocBefore }] = half!.sets;
    expect(aurocBefore).to.equal(report.sets[0].auroc);
    expect(Math.abs(auroc - aurocBefore)).to.be.below(0.01);
    expect(half!.calibration).to.include({ rate: 0.1, count: 500 });
    expect(half!.calibration.threshold).to.not.equal(report.calibration.threshold);

    // Another classifier, by rounding, whose calibration images are called OOD at the rate that is stated.
    const path = at('run', half!.file);
    const own = await json<Scores>('score', path, at('test'));
    expect(own.ood / own.images).to.be.within(0.08, 0.1);
    const [whole, rounded] = await Promise.all(
      [guarded(), path].map(async (file) => {
        const session = await ort.InferenceSession.create(file);
        const images = await openImageSet(at('noise'));
        const data = await images.read(0, 8, { height: 32, width: 32 });
        const outputs = await session.run({ pixels: new ort.Tensor('uint8', data, [8, 32, 32, 3]) });
        await session.release();
        return outputs[session.outputNames[0]].data as Float32Array;
      }),
    );
    const largest = Math.max(...whole.map(Math.abs));
    const apart = Math.max(...whole.map((logit, i) => Math.abs(logit - rounded[i]))) / largest;
    expect(apart).to.be.within(1e-6, 0.01);
  });

  it('says what it loses in AUROC to another run, on sets of the same images', async () => {
    const own = ['guard', '--run', at('content'), '--watch', 'content'];
    const { sets } = await json<GuardReport>(...own, '--beside', at('run'));
    const { stdout } = await laOod(...own, '--beside', at('run'));
    const points = [report.sets[0].auroc, sets[0].auroc, report.sets[0].auroc - sets[0].auroc];
    const cells = points.map((share) => (100 * share).toFixed(2));
    expect(stdout)
      .to.include('\nBeside ')
      .and.match(new RegExp(`\nnoise +${cells.join(' +')}\n`));
    const alone = await laOod(...own, '--beside', at('noise'));
    expect(alone.stderr).to.match(/noise: has no guard; run npx la-ood guard --run \S+noise first\n$/);
  });

  it('is calibrated anew by other images, and fits nothing', async () => {
    await json('guard', '--run', at('run'), '--false-alarms', '.1');
    const blurred = `gaussian_blur-5:${at('test')}:100`;
    const flagged = async (file: string) => (await json<Scores>('score', file, blurred)).ood;
    for (const detector of [undefined, 'layer-gaussians', 'energy']) {
      if (detector) await json('guard', '--run', at('run'), '--false-alarms', '.1', '--detector', detector);
      const file = at('blurred.onnx');
      const anew = ['guard', guarded(), '--calibrate', blurred, '--output', file];
      const { calibration } = await json<RecalibrationReport>(...anew);
      expect(calibration).to.include({ rate: 0.1, confidence: 0.95, count: 100 });
      // The images that calibrate: a tenth of them, up to ties and their own part in the ranks.
      expect(await flagged(file), `${detector}`).to.be.within(6, 14);
      if (!detector) expect(await flagged(guarded())).to.be.greaterThan(20);
      // By the images of before it is what it was.
      const back = ['guard', file, '--calibrate', at('test'), '--output', at('back.onnx')];
      await json(...back, '--false-alarms', '.1');
      const some = `${at('noise')}:40`;
      const names = [guarded(), at('back.onnx')].map((path) => json<Scores>('score', path, some));
      const [before, after] = await Promise.all(names);
      for (const [i, { score, pValue }] of before.rows.entries()) {
        expect(after.rows[i].score).to.be.closeTo(score, 2e-3 * Math.max(1, Math.abs(score)));
        expect(after.rows[i].pValue).to.be.closeTo(pValue, 0.005);
      }
      const metadata = getMetadata(await readModel(file));
      expect(metadata['la_ood.calibrated_on_sha256']).to.match(/^[0-9a-f]{64}$/);
      expect(JSON.parse(metadata['la_ood.calibration'])).to.deep.equal(calibration);
    }
  });

  it('lets images leave early, at the same false-alarm rate', async () => {
    const { earlyExit } = await json<LayerGuard>(
      ...(['guard', '--run', at('run'), '--false-alarms', '.1', '--early-exit'] as const),
    );
    const { shares, calibration, computed, sets } = earlyExit!;
    expect(shares.length).to.be.within(2, 4);
    expect(shares.at(-1)).to.equal(1);
    for (const [i, share] of shares.slice(1).entries()) expect(share).to.be.greaterThan(shares[i]);
    expect(calibration).to.include({ rate: 0.1, count: 500 });
    expect(computed).to.be.within(0.9, 1);
    expect(sets[0].found).to.be.greaterThan(0.8);
    expect(sets[0].computed).to.be.lessThan(0.9);

    const whole = await ort.InferenceSession.create(guarded());
    const early = await ort.InferenceSession.create(at('run', 'guarded-early-exit.onnx'));
    const found: boolean[] = [];
    for (const set of ['noise', 'test']) {
      const images = await openImageSet(at(set));
      const data = await images.read(0, 40, { height: 32, width: 32 });
      const pixels = new ort.Tensor('uint8', data, [40, 32, 32, 3]);
      const [a, b] = [await whole.run({ pixels }), await early.run({ pixels })];
      const classes = a.logits.dims[1];
      for (let i = 0; i < 40; i++) {
        const isOod = b.is_ood.data[i] === 1;
        found.push(isOod);
        expect(isOod).to.equal(Number(b.ood_score.data[i]) > calibration.threshold);
        const stage = Number(b.stage.data[i]);
        const leaves = stage < shares.length - 1;
        if (leaves) expect(isOod).to.equal(true);
        expect(Number(b.label.data[i])).to.equal(leaves ? -1 : Number(a.label.data[i]));
        for (let c = 0; c < classes; c++) {
          const [own, other] = [
            Number(b.logits.data[i * classes + c]),
            Number(a.logits.data[i * classes + c]),
          ];
          if (leaves) expect(own).to.be.NaN;
          else expect(own).to.be.closeTo(other, 1e-3);
        }
        const alone = new ort.Tensor('uint8', data.slice(i * 3072, (i + 1) * 3072), [1, 32, 32, 3]);
        if (i % 10 === 0)
          expect(Number((await early.run({ pixels: alone })).stage.data[0]), 'alone').to.equal(stage);
      }
    }
    expect(found.slice(0, 40).filter(Boolean).length).to.be.greaterThan(30);
    expect(found.slice(40).filter(Boolean).length).to.be.lessThan(15);
    await Promise.all([whole.release(), early.release()]);

    const { rows } = await json<Scores>('score', at('run', 'guarded-early-exit.onnx'), at('noise'));
    expect(rows.map(({ isOod }) => isOod)).to.deep.equal(found.slice(0, 40));
    const paper = await json<LayerGuard>('guard', '--run', at('run'), '--early-exit', '--aggregation', 'max');
    expect(paper.earlyExit!.sets[0].auroc).to.be.greaterThan(0.8);
  });

  it('guards by the paper’s maximum too', async () => {
    const paper = ['--aggregation', 'max'];
    const { layers, detector } = await json<LayerGuard>('guard', '--run', at('run'), ...paper);
    expect(detector).to.equal('layer-svms');
    const other = await laOod('guard', '--run', at('run'), ...paper, '--detector', 'energy');
    expect(other.exitCode).to.equal(2);
    expect(other.stderr).to.match(/--aggregation: is for detectors of layers, and energy is none/);
    const { rows } = await json<Scores>('score', guarded(), at('noise'));
    expect(new Set(layers)).to.include(rows[0].layer);
    const session = await ort.InferenceSession.create(guarded());
    const images = await openImageSet(at('noise'));
    const pixels = new ort.Tensor(
      'uint8',
      await images.read(0, 1, { height: 32, width: 32 }),
      [1, 32, 32, 3],
    );
    const { layer_scores, ood_score } = await session.run({ pixels }, ['layer_scores', 'ood_score']);
    expect(ood_score.data[0]).to.equal(Math.max(...(layer_scores.data as Float32Array)));
    await session.release();
  });

  it('answers one question alone', async () => {
    for (const [watch, other, run] of [
      ['content', 'conditions', at('content')],
      ['conditions', 'content', at('run')],
    ]) {
      const alone = await json<QuestionGuard>('guard', '--run', run, '--watch', watch);
      expect(alone.questions).to.deep.equal([watch]);
      const file = join(run, 'guarded.onnx');
      const { graph } = await readModel(file);
      const outputs = graph.output.map(({ name }) => name);
      expect(outputs.filter((name) => name.startsWith(other))).to.deep.equal([]);
      expect(outputs.includes('condition')).to.equal(watch === 'conditions');
      const { rows } = await json<Scores>('score', file, at('noise'));
      expect(rows.filter(({ isOod }) => isOod).length).to.be.greaterThan(30);
      expect(rows[0][watch === 'content' ? 'contentPValue' : 'conditionsPValue']).to.equal(rows[0].pValue);
    }
    const mixed = await laOod('guard', '--run', at('run'), '--watch', 'content', '--detector', 'energy');
    expect(mixed.exitCode).to.equal(2);
    expect(mixed.stderr).to.match(/--watch: chooses questions, which a detector does not answer/);
  });

  it('needs changed training images for conditions, and says how to make them', async () => {
    const file = at('run', 'features', 'demo_corrupted.hdf5');
    await rename(file, `${file}.away`);
    const without = await laOod('guard', '--run', at('run'));
    expect(without.exitCode).to.equal(1);
    expect(without.stderr).to.match(
      /demo_corrupted\.hdf5: is missing; run npx la-ood features --run .* --train SET once more, or take --watch content\n$/,
    );
    expect((await laOod('guard', '--run', at('run'), '--watch', 'content')).exitCode).to.equal(0);
    await rename(`${file}.away`, file);
    await copyFile(at('run', 'features', 'demo_train.hdf5'), file);
    const other = await laOod('guard', '--run', at('run'));
    expect(other.exitCode).to.equal(1);
    expect(other.stderr).to.match(
      /demo_corrupted\.hdf5: was made by another version of la-ood; run npx la-ood features --train SET once more\n$/,
    );
    const train = ['--ind', 'demo', '--train', at('train'), '--corrupted', '50'];
    await json('features', '--run', at('run'), ...train);
    expect((await laOod('guard', '--run', at('run'))).exitCode).to.equal(0);
  });

  it('refuses to calibrate by too few images, by copies, and over itself', async () => {
    const calibrate = (set: string, output = at('refused.onnx')) =>
      laOod('guard', guarded(), '--calibrate', set, '--output', output, '--false-alarms', '.1');
    const few = await calibrate(`${at('test')}:8`);
    expect(few.exitCode).to.equal(2);
    expect(few.stderr).to.match(/cannot be promised from 8 calibration images; take at least 9 images/);
    await mkdir(at('copies'));
    for (let i = 0; i < 20; i++) await copyFile(join(at('test'), '0007.bmp'), at('copies', `${i}.bmp`));
    const copies = await calibrate(at('copies'));
    expect(copies.exitCode).to.equal(1);
    expect(copies.stderr).to.match(/all its images are alike; calibrate with at least 9 different images/);
    expect((await calibrate(at('test'), guarded())).stderr).to.match(/--output: is the guard itself/);
    const half = await laOod('guard', guarded(), '--calibrate', at('test'));
    expect(half.exitCode).to.equal(2);
    expect(half.stderr).to.match(/--calibrate: takes a guard, images and a file to write/);
  });

  it('refuses what it cannot promise, and files that are not its own', async () => {
    const rare = await laOod('guard', '--run', at('run'), '--false-alarms', '.001');
    expect(rare.exitCode).to.equal(2);
    expect(rare.stderr).to.match(/cannot be promised from 500 calibration images; take at least 999 images/);
    const bare = await laOod('score', at('run', 'backbone.onnx'), at('noise'));
    expect(bare.exitCode).to.equal(1);
    expect(bare.stderr).to.match(/is no guarded model; npx la-ood guard makes one of a run\n$/);
    await writeFile(at('broken.onnx'), 'not a model');
    expect((await laOod('score', at('broken.onnx'), at('noise'))).exitCode).to.equal(1);
  });
});
