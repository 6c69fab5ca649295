import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { packageRoot } from '../../../src/common/package-root.ts';
import { type MeasuredSet, measureMethods } from '../../../src/evaluation/method-table.ts';
import { openOodCsv, openOodMarkdown, openOodText } from '../../../src/evaluation/openood/openood-tables.ts';
import { type OpenOodBenchmark, openOodBenchmarks } from '../../../src/evaluation/openood/protocol.ts';
import { parsePublished, publishedOf } from '../../../src/evaluation/openood/published.ts';
import { summarizeOpenOod } from '../../../src/evaluation/openood/summary.ts';

const csv = readFileSync(new URL('src/evaluation/openood/published.csv', packageRoot), 'utf8');
const published = parsePublished(csv);
const lists = (sets: OpenOodBenchmark['near']) => sets.map(({ name, count }) => [name, count]);

describe("OpenOOD's protocol", () => {
  it('has the sets and sizes of the CIFAR benchmarks', () => {
    const { cifar10, cifar100 } = openOodBenchmarks;
    expect(lists(cifar10.near)).to.deep.equal([
      ['cifar100', 9000],
      ['tin', 7793],
    ]);
    expect(lists(cifar10.far)).to.deep.equal([
      ['mnist', 70_000],
      ['svhn', 26_032],
      ['texture', 5640],
      ['places365', 35_195],
    ]);
    expect(lists(cifar100.near)).to.deep.equal([
      ['cifar10', 10_000],
      ['tin', 6526],
    ]);
    expect(lists(cifar100.far).at(-1)).to.deep.equal(['places365', 33_773]);
    expect([cifar10.shifted.length, cifar100.shifted.length]).to.deep.equal([1, 0]);
    for (const { test, validation, preprocessing } of [cifar10, cifar100]) {
      expect([test.count, validation.ind.count]).to.deep.equal([9000, 1000]);
      expect([preprocessing.size, preprocessing.shorterSide]).to.deep.equal([32, 32]);
    }
    expect(cifar10.preprocessing.std).to.deep.equal([0.247, 0.2435, 0.2616]);
  });

  it('has those of the ImageNet benchmarks, textures among the classic images, corrupted ones as they are stored', () => {
    for (const { near, far, shifted, preprocessing } of [
      openOodBenchmarks.imagenet200,
      openOodBenchmarks.imagenet1k,
    ] as readonly OpenOodBenchmark[]) {
      expect(near.map(({ name }) => name)).to.deep.equal(['ssb_hard', 'ninco']);
      expect(far.map(({ name, images }) => `${images}/${name}`)).to.deep.equal([
        'images_largescale/inaturalist',
        'images_classic/textures',
        'images_largescale/openimage_o',
      ]);
      expect(shifted.filter(({ asStored }) => asStored).map(({ name }) => name)).to.deep.equal([
        'imagenet_c',
      ]);
      expect([preprocessing.size, preprocessing.shorterSide]).to.deep.equal([224, 256]);
    }
    expect(openOodBenchmarks.imagenet1k.test.count).to.equal(45_000);
  });

  it('names no list twice', () => {
    for (const { train, test, validation, near, far, shifted } of Object.values(
      openOodBenchmarks,
    ) as OpenOodBenchmark[]) {
      const all = [train, test, validation.ind, validation.ood, ...near, ...far, ...shifted].map(
        ({ list }) => list,
      );
      expect(new Set(all).size).to.equal(all.length);
    }
  });
});

describe('the published figures', () => {
  it('are those of the leaderboards, with their source', () => {
    expect(csv)
      .to.match(/^#.*OpenOOD/)
      .and.include('leaderboard');
    expect(published).to.have.length(258);
    const { methods } = publishedOf(published, 'cifar10');
    const { near, far } = methods.get('KNN')!;
    expect(near).to.deep.equal({ mean: 0.9064, deviation: 0.002 });
    expect(far.mean).to.equal(0.9296);
    expect(far.deviation).to.be.closeTo(0.0014, 1e-12);
  });

  it('are taken of the network that is like ours', () => {
    const network = (architecture?: string) =>
      publishedOf(published, 'imagenet1k', architecture).architecture;
    expect(network('resnet50')).to.equal('ResNet50');
    expect(network('swin_t')).to.equal('Swin-T');
    expect(network('vit_b_16')).to.equal('ViT-B/16');
    expect(network()).to.equal('ResNet50');
    expect(publishedOf(published, 'cifar10-full-spectrum').methods.size).to.equal(0);
    // One checkpoint has no deviation.
    expect(publishedOf(published, 'imagenet1k').methods.get('MSP')!.near).to.deep.equal({ mean: 0.7602 });
  });
});

describe('a summary over checkpoints', () => {
  const sets: readonly MeasuredSet[] = [
    { name: 'cifar100', kind: 'near', images: 4 },
    { name: 'tin', kind: 'near', images: 2 },
    { name: 'svhn', kind: 'far', images: 1 },
  ];
  const ind = Float64Array.of(0, 1, 2, 3);
  const table = (...ood: number[][]) =>
    measureMethods('cifar10', sets, [
      { name: 'MSP', ind, sets: ood.map((scores) => Float64Array.from(scores)) },
    ]);
  // AUROC 0.5, 1, 0 and 1, 0.75, 1.
  const tables = [table([1.5, 1.5, 1.5, 1.5], [9, 8], [-1]), table([4, 5, 6, 7], [2.5, 2.5], [5])];
  const theirs = new Map([['MSP', publishedOf(published, 'cifar10').methods.get('MSP')!]]);

  it('has means over sets, each set counting the same, and the population deviation over checkpoints', () => {
    const [row] = summarizeOpenOod(tables, theirs, { near: true, far: false }).rows;
    expect(row.sets.map(({ auroc }) => auroc.mean)).to.deep.equal([0.75, 0.875, 0.5]);
    // Near means 0.75 and 0.875; the deviation is half their distance, and not NumPy's with ddof=1.
    expect(row.near!.auroc).to.deep.equal({ mean: 0.8125, deviation: 0.0625 });
    expect(row.far!.auroc).to.deep.equal({ mean: 0.5, deviation: 0.5 });
    expect(row.difference.near).to.be.closeTo(0.8125 - 0.8803, 1e-12);
    expect(row.difference).to.not.have.property('far');
    const single = summarizeOpenOod(tables.slice(0, 1), theirs, { near: true, far: true }).rows[0];
    expect(single.near!.auroc).to.deep.equal({ mean: 0.75 });
  });

  it('leaves out methods that not every checkpoint has', () => {
    const without = { ...tables[1], methods: [] };
    expect(summarizeOpenOod([tables[0], without], theirs, { near: true, far: true }).rows).to.deep.equal([]);
  });

  it('is the same as Markdown, with what is missing, methods that are tuned, and what nobody published', () => {
    const near = sets.slice(0, 2);
    const tuned = measureMethods('cifar10', near, [
      { name: 'MSP', ind, sets: [ind, ind] },
      { name: 'ODIN', isTuned: true, ind, sets: [Float64Array.of(5), Float64Array.of(-5)] },
    ]);
    const summary = summarizeOpenOod([tuned], theirs, { near: true, far: true });
    const result = { title: 'CIFAR-10', ...summary };
    const missing = [{ name: 'svhn', kind: 'far', path: 'data/svhn', from: 'fetch it' }];
    const checkpoints = [{ source: 'a.ckpt', architecture: 'resnet18' }, { source: 'b.ckpt' }];
    expect(openOodMarkdown({ results: [result], checkpoints, missing, notes: [] }).split('\n')).to.deep.equal(
      [
        'a.ckpt: resnet18',
        'b.ckpt: network',
        '',
        'Missing: svhn (far), looked for at data/svhn; fetch it.',
        '',
        'CIFAR-10: near- and far-OOD AUROC in %, means over the sets, ± deviation over checkpoints; nothing is published that could stand beside it',
        '',
        '| method | near | published | difference | far | published | difference |',
        '|---|---:|---:|---:|---:|---:|---:|',
        '| MSP | 50.00 | 88.03 ± 0.25 | −38.03 | – | 90.73 ± 0.43 | – |',
        '| ODIN † | 50.00 | – | – | – | – | – |',
        '',
        'CIFAR-10: AUROC in % on each set, all its images',
        '',
        '| method | cifar100 (near) 4 | tin (near) 2 |',
        '|---|---:|---:|',
        '| MSP | 50.00 | 50.00 |',
        '| ODIN † | 100.00 | 0.00 |',
        '',
      ],
    );
    // A method without far sets has no row of their mean, and one that nobody published no figures.
    const rows = openOodCsv([result]).trim().split('\n');
    expect(rows).to.have.length(1 + 2 * 3);
    expect(rows[6])
      .to.match(/^CIFAR-10,ODIN,near,mean,,/)
      .and.match(/,,,$/);
  });

  it('is written beside the published figures', () => {
    const title = 'CIFAR-10';
    const result = {
      title,
      publishedNetwork: 'ResNet18',
      ...summarizeOpenOod(tables, theirs, { near: true, far: false }),
    };
    const facts = {
      checkpoints: [{ source: 'a.ckpt', accuracy: 0.9506 }],
      missing: [],
      notes: ['few images'],
    };
    const text = openOodText({ results: [result], ...facts });
    expect(text).to.match(
      /MSP +│ 81\.25 ± 6\.25 │ 88\.03 ± 0\.25 │ +−6\.78 │ 50\.00 ± 50\.00 │ 90\.73 ± 0\.43 │ +– /,
    );
    expect(text).to.include('a.ckpt: network, accuracy 95.06 %').and.include('Note: few images.');
    const lines = openOodCsv([result]).trim().split('\n');
    expect(lines).to.have.length(1 + 3 + 2);
    expect(lines[4]).to.match(/^CIFAR-10,MSP,near,mean,,.*,81\.25,6\.25,.*,88\.03,0\.25,-6\.78$/);
    expect(new Set(lines.map((line) => line.split(',').length)).size).to.equal(1);
  });
});
