import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { openFeatures } from '../../converters/hdf5/open-features.ts';
import { auroc } from '../../src/evaluation/metrics.ts';
import {
  backboneMetadata,
  benchmarkOpenOod,
  DataError,
  LaOodError,
  type OpenOodReport,
  readModel,
  UsageError,
} from '../../src/index.ts';
import { rejection } from '../data/rejection.ts';
import { checkpoint, imageFolder, temporaryFolder } from './files.ts';
import { laOod } from './run.ts';
import { sixConvolutions } from './run-states.ts';

/** What is drawn for each set of the miniature, how many images of it, and whether its list has labels. */
const drawn = {
  'train_cifar10 cifar10/train': ['demo:train', 150, true],
  'test_cifar10 cifar10/test': ['demo:test', 60, true],
  'test_cifar100 cifar100/test': ['demo:shapes', 40, false],
  'test_tin tin/test': ['demo:patterned', 30, false],
  'test_mnist mnist/test': ['demo:blank', 20, false],
  'test_svhn svhn/test': ['demo:noise', 20, false],
  'test_texture texture': ['demo:textures', 20, false],
  'test_cifar10c cifar10c': ['demo:faded', 50, true],
} as const;

describe('benchmark openood, on a miniature in the published layout', () => {
  const at = temporaryFolder();
  const options = () => ({
    ...({ ind: 'cifar10', data: at('data'), folder: at('runs'), device: 'cpu' } as const),
    methods: ['msp', 'knn'],
    checkpoints: [at('best.ckpt'), sixConvolutions],
  });
  let report: OpenOodReport;

  before(async () => {
    const lists = at('data', 'benchmark_imglist', 'cifar10');
    await mkdir(lists, { recursive: true });
    for (const [names, [set, count, isLabeled]] of Object.entries(drawn)) {
      const [list, folder] = names.split(' ');
      await imageFolder(at('data', 'images_classic', folder), set, count);
      // The demo draws its ten classes in turn.
      const label = (i: number) => (isLabeled ? i % 10 : -1);
      const lines = Array.from(
        { length: count },
        (_, i) => `${folder}/${String(i).padStart(4, '0')}.bmp ${label(i)}\n`,
      );
      await writeFile(`${lists}/${list}.txt`, lines.join(''));
    }
    await mkdir(at('data', 'benchmark_imglist', 'cifar100'));
    for (const name of ['train_cifar10', 'test_cifar10'])
      await copyFile(`${lists}/${name}.txt`, at('data', 'benchmark_imglist', 'cifar100', `${name}0.txt`));
    await checkpoint(at('best.ckpt'));
    report = await benchmarkOpenOod({ ...options(), fullSpectrum: true });
  });

  it('has all images of every set, near and far apart, over both checkpoints', async () => {
    const [result] = report.results;
    expect(result.sets).to.deep.equal([
      { name: 'cifar100', kind: 'near', images: 40 },
      { name: 'tin', kind: 'near', images: 30 },
      { name: 'mnist', kind: 'far', images: 20 },
      { name: 'svhn', kind: 'far', images: 20 },
      { name: 'texture', kind: 'far', images: 20 },
    ]);
    expect(result.rows.map(({ method }) => method)).to.deep.equal(['MSP', 'KNN']);
    expect(report.checkpoints.map(({ architecture }) => architecture)).to.deep.equal(['resnet20', undefined]);
    expect(report.checkpoints[1].accuracy).to.be.above(0.8);

    // The same from the features' logits, by the formula.
    const msp = async (run: string, set: string) => {
      const features = await openFeatures(at('runs', run, 'features', `${set}_test.hdf5`));
      const logits = features.readLayer(features.taps!.indexOf('logits'));
      features.close();
      return Float64Array.from({ length: logits.length / 10 }, (_, row) => {
        const z = logits.subarray(10 * row, 10 * (row + 1));
        const largest = Math.max(...z);
        return -1 / z.reduce((sum, value) => sum + Math.exp(value - largest), 0);
      });
    };
    const each: number[][] = [];
    for (const { run } of report.checkpoints) {
      const ind = await msp(run, 'cifar10');
      const aurocs: number[] = [];
      for (const { name } of result.sets) aurocs.push(auroc(ind, await msp(run, name)));
      each.push(aurocs);
    }
    const [first, second] = each;
    const [row] = result.rows;
    row.sets.forEach(({ auroc: { mean, deviation } }, s) => {
      expect(mean).to.be.closeTo((first[s] + second[s]) / 2, 1e-3);
      expect(deviation).to.be.closeTo(Math.abs(first[s] - second[s]) / 2, 1e-3);
    });
    const near = each.map(([cifar100, tin]) => (cifar100 + tin) / 2);
    expect(row.near!.auroc.mean).to.be.closeTo((near[0] + near[1]) / 2, 1e-3);
    expect(row.near!.auroc.deviation).to.be.closeTo(Math.abs(near[0] - near[1]) / 2, 1e-3);
    const far = each.map(([, , mnist, svhn, texture]) => (mnist + svhn + texture) / 3);
    expect(row.far!.auroc.mean).to.be.closeTo((far[0] + far[1]) / 2, 1e-3);
  });

  it('stands beside the published figures, where all sets of a kind are there', () => {
    const [result, fullSpectrum] = report.results;
    const [msp] = result.rows;
    expect(result.publishedNetwork).to.equal('ResNet18');
    expect(msp.published!.near).to.deep.equal({ mean: 0.8803, deviation: 0.0025 });
    expect(msp.difference.near).to.be.closeTo(msp.near!.auroc.mean - 0.8803, 1e-12);
    expect(msp.difference.far).to.equal(undefined);
    expect(fullSpectrum.title).to.equal('CIFAR-10, full-spectrum');
    expect(fullSpectrum.rows[0].published).to.equal(undefined);
    expect(fullSpectrum.rows[0].near!.auroc.mean).to.not.equal(msp.near!.auroc.mean);
    expect(fullSpectrum.sets).to.deep.equal(result.sets);
  });

  it('names what is missing, where to get it, and what is not as in the protocol', () => {
    expect(report.missing).to.have.length(1);
    expect(report.missing[0]).to.include({ name: 'places365', kind: 'far' });
    expect(report.missing[0].path).to.match(/benchmark_imglist.cifar10.test_places365\.txt$/);
    expect(report.missing[0].from).to.include('https://github.com/Jingkang50/OpenOOD').and.include('places2');
    expect(report.notes).to.include('cifar100 has 40 images, and 9,000 in the protocol');
    expect(report.notes.join('\n')).to.match(
      /backbone\.onnx is normalised by mean .*, not as in the protocol/,
    );
  });

  it("preprocesses as the protocol: bilinear, the shorter side to 32, and a checkpoint's normalisation the protocol's", async () => {
    const metadata = async (c: number) => {
      const path = at('runs', report.checkpoints[c].run, 'backbone.onnx');
      return backboneMetadata(await readModel(path), path);
    };
    expect(await metadata(0)).to.deep.include({
      filter: 'bilinear',
      shorterSide: 32,
      std: [0.247, 0.2435, 0.2616],
    });
    expect(await metadata(1)).to.deep.include({ filter: 'bilinear', shorterSide: 32 });
  });

  it('is resumed, ends in the same numbers from the command line, and writes a table', async () => {
    const manifest = async () =>
      JSON.parse(await readFile(at('runs', report.checkpoints[1].run, 'manifest.json'), 'utf8')).steps;
    const before = await manifest();
    const { stdout, exitCode, stderr } = await laOod(
      ...['benchmark', 'openood', '--ind', 'cifar10', '--data', at('data'), '--run', at('runs')],
      ...[
        '--model',
        at('best.ckpt'),
        sixConvolutions,
        '--methods',
        'msp',
        'knn',
        '--full-spectrum',
        '--device',
        'cpu',
        '--strict',
      ],
    );
    // A set is missing.
    expect(exitCode, stderr).to.equal(3);
    expect(await manifest()).to.deep.equal(before);
    const near = report.results[0].rows[1].near!.auroc;
    const text = `${(100 * near.mean).toFixed(2)} ± ${(100 * near.deviation!).toFixed(2)}`;
    expect(stdout).to.match(new RegExp(`KNN † +│ +${text} +│ 90\\.64 ± 0\\.20 `));
    expect(stdout).to.include('Missing: places365 (far)').and.include('CIFAR-10, full-spectrum');
    expect(await readFile(at('runs', 'openood-cifar10.md'), 'utf8')).to.include(
      `| KNN † | ${text} | 90.64 ± 0.20 |`,
    );
    const csv = await readFile(at('runs', 'openood-cifar10.csv'), 'utf8');
    expect(csv).to.match(/\nCIFAR-10,KNN,near,mean,,.*,90\.64,0\.20,/);
    const json: OpenOodReport = JSON.parse(await readFile(at('runs', 'openood-cifar10.json'), 'utf8'));
    expect(json.results).to.deep.equal(JSON.parse(JSON.stringify(report.results)));
  });

  it('refuses what cannot be benchmarked, in one line', async () => {
    const without = { ...options(), checkpoints: [sixConvolutions, sixConvolutions] };
    expect((await rejection(benchmarkOpenOod(without), UsageError)).message).to.include('is named twice');
    const other = { ...options(), data: at('elsewhere') };
    expect((await rejection(benchmarkOpenOod(other), DataError)).message).to.match(
      /train_cifar10\.txt: is missing, and the benchmark cannot do without cifar10; get it from https:/,
    );
    const hundred = { ...options(), ind: 'cifar100' } as const;
    expect((await rejection(benchmarkOpenOod(hundred), DataError)).message).to.include(
      'holds no near or far set of the benchmark; cifar10 was looked for at',
    );
    const lists = at('data', 'benchmark_imglist');
    await copyFile(`${lists}/cifar10/test_tin.txt`, `${lists}/cifar100/test_tin.txt`);
    expect((await rejection(benchmarkOpenOod(hundred), LaOodError)).message).to.match(
      /10 (classes|and not)|100/,
    );
  });
});
