import { copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import * as ort from 'onnxruntime-node';
import { openImageSet } from '../../data/open.ts';
import { packageRoot } from '../../src/common/package-root.ts';
import {
  conformalPValues,
  type GuardReport,
  getMetadata,
  readModel,
  type ScoredImage,
} from '../../src/index.ts';
import { imageFolder, temporaryFolder } from './files.ts';
import { json, laOod, start } from './run.ts';

interface Scores {
  readonly images: number;
  readonly ood: number;
  readonly rows: readonly ScoredImage[];
}

describe('la-ood guard and score', () => {
  const at = temporaryFolder();
  const guarded = () => at('run', 'guarded.onnx');
  let report: GuardReport;

  before(async function () {
    this.timeout(120_000);
    await mkdir(at('run'));
    await Promise.all([
      copyFile(new URL('data/demo/backbone.onnx', packageRoot), at('run', 'backbone.onnx')),
      imageFolder(at('train'), 'demo:train', 600),
      imageFolder(at('test'), 'demo:test', 500),
      imageFolder(at('noise'), 'demo:noise', 40),
    ]);
    const sets = ['--train', at('train'), '--test', at('test'), '--ood', `noise=${at('noise')}`];
    await json('features', '--run', at('run'), '--ind', 'demo', ...sets);
    const early = await laOod('guard', '--run', at('run'));
    expect(early.exitCode).to.equal(1);
    expect(early.stderr).to.match(
      /detectors\.onnx: is missing; run la-ood fit --run .* first, or take --detector gaussian\n$/,
    );
    await json('fit', '--run', at('run'), '--nu', '.02');
    report = await json('guard', '--run', at('run'), '--false-alarms', '.1');
  });

  it('says at which rate, from how many images, and how the OOD sets fare', () => {
    const { calibration, sets, detectors, aggregation } = report;
    expect([detectors, aggregation]).to.deep.equal([['gaussian', 'ocsvm', 'probe'], 'evidence']);
    expect(calibration).to.include({ rate: 0.1, confidence: 0.95, count: 250 });
    expect(calibration.upperBound).to.be.within(0.1, 0.15);
    const probes = [
      ...['gaussian_blur-3', 'contrast-2', 'brightness-3', 'saturate-3', 'gaussian_noise-2'],
      ...['pixelate-4', 'jpeg_compression-1'],
    ];
    expect(report.layers.slice(-7)).to.deep.equal(probes.map((name) => `${name} (probe)`));
    expect(sets.map(({ name }) => name)).to.deep.equal(['noise']);
    expect(sets[0].auroc).to.be.greaterThan(0.95);
    expect(sets[0].found).to.be.greaterThan(0.8);
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
    expect(outputs.layer_scores.dims).to.deep.equal([40, report.layers.length]);
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
    expect(JSON.parse(metadata['la_ood.layers'])).to.deep.equal(report.layers);
    expect(JSON.parse(metadata['la_ood.calibration'])).to.deep.equal(report.calibration);
    expect(metadata['la_ood.backbone_sha256']).to.match(/^[0-9a-f]{64}$/);
  });

  it('scores folders and single images, in order, the same whatever the batch', async () => {
    const image = join(at('test'), '0007.png');
    const { images, ood, rows } = await json<Scores>('score', guarded(), at('noise'), image);
    expect(images).to.equal(41);
    expect(ood).to.equal(rows.filter(({ isOod }) => isOod).length);
    expect(rows.map(({ image }) => image).slice(0, 2)).to.deep.equal(['0000.png', '0001.png']);
    const { rows: again } = await json<Scores>('score', guarded(), at('noise'), image, '--batch', '7');
    rows.forEach((row, i) => {
      expect(again[i].score).to.be.closeTo(row.score, 1e-4 * Math.max(1, Math.abs(row.score)));
    });
  });

  it('scores what a pattern fits, and what standard input names', async () => {
    const { rows } = await json<Scores>('score', guarded(), `${at()}/n*/000?.png`);
    expect(rows.map(({ image }) => image)).to.deep.equal(
      Array.from({ length: 10 }, (_, i) => `noise/000${i}.png`),
    );
    const { rows: anywhere } = await json<Scores>('score', guarded(), `${at()}/**/0007.png`);
    expect(anywhere.map(({ image }) => image)).to.deep.equal(
      ['noise', 'test', 'train'].map((set) => `${set}/0007.png`),
    );
    const paths = [3, 1].map((i) => at('noise', `000${i}.png`));
    const piped = await start(['score', guarded(), '-', '--json'], {}, `${paths.join('\n')}\n`).finished;
    const named: Scores = JSON.parse(piped.stdout);
    expect(named.rows.map(({ image }) => image)).to.deep.equal(paths);
    expect(named.rows[1].score).to.be.closeTo(rows[1].score, 1e-3);
    const text = await start(['score', guarded(), '-'], {}, 'notes.txt\n').finished;
    expect(text.exitCode).to.equal(1);
    expect(text.stderr).to.match(
      /standard input: notes\.txt: is not named like an image; pipe in a path a line/,
    );
    const none = await laOod('score', guarded(), `${at()}/*.gif`);
    expect(none.exitCode).to.equal(1);
  });

  it('gives held-out images p-values that are uniform, up to their number', async () => {
    // The calibration images themselves have p-values of 1/251 to 251/251; with the half that scaled the scores
    // beside them, the mean is that of a uniform number.
    await json('score', guarded(), at('test'), '--output', at('test.jsonl'));
    const lines = (await readFile(at('test.jsonl'), 'utf8')).trim().split('\n');
    const rows = lines.map((line): ScoredImage => JSON.parse(line));
    expect(rows).to.have.length(500);
    const mean = rows.reduce((sum, { pValue }) => sum + pValue, 0) / 500;
    expect(mean).to.be.closeTo(0.5, 4 * Math.sqrt(1 / 12 / 250));
    const scores = rows.map(({ score }) => score);
    const own = rows.map(({ pValue }) => pValue);
    // Scores and p-values are in opposite order.
    expect(conformalPValues(scores, scores).every((p, i) => Math.abs(p - own[i]) < 0.1)).to.equal(true);
  });

  it('writes a table', async () => {
    const { exitCode, stdout } = await laOod('score', guarded(), at('noise'), '--output', at('noise.csv'));
    expect(exitCode).to.equal(0);
    expect(stdout).to.match(/40 images, \d+ called OOD\.\nWrote .*noise\.csv\./);
    const lines = (await readFile(at('noise.csv'), 'utf8')).trim().split(/\r?\n/);
    expect(lines[0]).to.equal('set,image,label,class,ood_score,p_value,is_ood,layer');
    expect(lines).to.have.length(41);
  });

  it('watches a stream, and tells where it drifts', async () => {
    interface Watched {
      readonly images: number;
      readonly alarms: readonly { at: number; set: string; drifting: string }[];
      readonly spans: readonly { to: number; meanPValue: number }[];
    }
    const { images, alarms, spans } = await json<Watched>('monitor', guarded(), at('test'), at('noise'));
    expect(images).to.equal(540);
    expect(spans.at(-1)!.to).to.equal(540);
    expect(spans.at(-1)!.meanPValue).to.be.lessThan(0.1);
    expect(alarms.map(({ set }) => set)).not.to.include(at('test'));
    expect(alarms[0].at).to.be.within(501, 520);
    expect(report.layers).to.include(alarms[0].drifting);
    const { stdout } = await laOod('monitor', guarded(), at('noise'));
    expect(stdout).to.match(/40 images, \d+ alarms?; of false ones there is one in 10,000 images at most/);
  });

  it('lets images leave early, at the same false-alarm rate', async () => {
    const { earlyExit } = await json<GuardReport>(
      ...(['guard', '--run', at('run'), '--false-alarms', '.1', '--early-exit'] as const),
    );
    const { shares, calibration, computed, sets } = earlyExit!;
    expect(shares.length).to.be.within(2, 4);
    expect(shares.at(-1)).to.equal(1);
    for (const [i, share] of shares.slice(1).entries()) expect(share).to.be.greaterThan(shares[i]);
    expect(calibration).to.include({ rate: 0.1, count: 250 });
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
    const paper = await laOod(...['guard', '--run', at('run'), '--early-exit', '--aggregation', 'max']);
    expect(paper.exitCode).to.equal(2);
    expect(paper.stderr).to.match(/--early-exit: has a score of its own; leave out --aggregation max/);
  });

  it('guards by the paper’s maximum too', async () => {
    const paper = ['--aggregation', 'max'];
    const { layers, detectors } = await json<GuardReport>('guard', '--run', at('run'), ...paper);
    expect(detectors).to.deep.equal(['ocsvm']);
    const both = await laOod('guard', '--run', at('run'), ...paper, '--detector', 'gaussian', 'ocsvm');
    expect(both.exitCode).to.equal(2);
    expect(both.stderr).to.match(/max compares scores as they are; take one --detector/);
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

  it('knows what happened to images that were changed', async () => {
    await json('guard', '--run', at('run'));
    const changes = ['gaussian_blur-5', 'contrast-4', 'gaussian_noise-3'];
    for (const [i, probe] of ['gaussian_blur-3', 'contrast-2', 'gaussian_noise-2'].entries()) {
      const { rows } = await json<Scores>('score', guarded(), `${changes[i]}:${at('test')}`);
      const named = rows.filter(({ layer }) => layer === `${probe} (probe)`).length;
      const other = rows.filter(({ layer }) => layer.endsWith('(probe)')).length - named;
      expect(named, probe).to.be.greaterThan(other);
      expect(rows.filter(({ isOod }) => isOod).length, probe).to.be.greaterThan(100);
    }
  });

  it('needs corrupted training images for probes, and says how to make them', async () => {
    const file = at('run', 'features', 'demo_corrupted.hdf5');
    await rename(file, `${file}.away`);
    const without = await laOod('guard', '--run', at('run'));
    expect(without.exitCode).to.equal(1);
    expect(without.stderr).to.match(
      /demo_corrupted\.hdf5: is missing; run la-ood features --run .* --train SET once more, or take --detector gaussian ocsvm\n$/,
    );
    const two = ['--detector', 'gaussian', 'ocsvm'];
    const { layers } = await json<GuardReport>('guard', '--run', at('run'), ...two);
    expect(layers.filter((layer) => layer.endsWith('(probe)'))).to.deep.equal([]);
    await rename(`${file}.away`, file);
    await copyFile(at('run', 'features', 'demo_train.hdf5'), file);
    const other = await laOod('guard', '--run', at('run'));
    expect(other.exitCode).to.equal(1);
    expect(other.stderr).to.match(
      /demo_corrupted\.hdf5: does not say what its images are corrupted by; run la-ood features --train once more\n$/,
    );
    await json('features', '--run', at('run'), '--ind', 'demo', '--train', at('train'));
    expect((await laOod('guard', '--run', at('run'))).exitCode).to.equal(0);
  });

  it('refuses what it cannot promise, and files that are not its own', async () => {
    const rare = await laOod('guard', '--run', at('run'), '--false-alarms', '.001');
    expect(rare.exitCode).to.equal(2);
    expect(rare.stderr).to.match(/cannot be promised from 250 calibration images; take at least 999 images/);
    const bare = await laOod('score', at('run', 'backbone.onnx'), at('noise'));
    expect(bare.exitCode).to.equal(1);
    expect(bare.stderr).to.match(/is no guarded model; la-ood guard makes one of a run\n$/);
    await json('fit', '--run', at('run'), '--layers', '19');
    const unwatched = await laOod('guard', '--run', at('run'));
    expect(unwatched.exitCode).to.equal(1);
    expect(unwatched.stderr).to.match(
      /detectors\.onnx: watches none of the layers that the guard does; run la-ood fit without --layers\n$/,
    );
    await writeFile(at('broken.onnx'), 'not a model');
    expect((await laOod('score', at('broken.onnx'), at('noise'))).exitCode).to.equal(1);
  });
});
