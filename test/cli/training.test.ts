import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { tensorFromProto } from '../../src/graph/tensor-proto.ts';
import type { TrainReport } from '../../src/index.ts';
import { readModel, writeModel } from '../../src/index.ts';
import { png } from '../data/files.ts';
import { smallBackbone } from '../training/networks.ts';
import { temporaryFolder } from './files.ts';
import { json, laOod, start, until } from './run.ts';

describe('la-ood train and cotrain', () => {
  const at = temporaryFolder();
  const tune = (run: string, ...more: string[]) => [
    ...['train', '--run', at(run), '--from', at('small.onnx')],
    ...[
      '--train',
      'demo:train:100',
      '--test',
      'demo:test:60',
      '--epochs',
      '6',
      '--batch',
      '16',
      '--lr',
      '.02',
    ],
    ...['--crop', '1', ...more],
  ];

  before(() => writeModel(at('small.onnx'), smallBackbone()));

  it('is killed in the middle, goes on, and ends in the same weights as when it is not', async () => {
    const whole = await json<TrainReport>(...tune('whole'));
    expect(whole.epochs).length(6);
    expect(whole.engine).equals('onnx');
    const { process, finished } = start(tune('cut'));
    await until(() => checkpointIn(at('cut')));
    process.kill('SIGKILL');
    await finished;
    expect(existsSync(at('cut', 'backbone.onnx'))).equals(false);
    const { exitCode, stdout, stderr } = await laOod(...tune('cut'));
    expect(exitCode, stderr).equals(0);
    const [, first] = /^train: (\d+) of 960 images/m.exec(stderr)!;
    expect(Number(first)).above(0);
    expect(stdout).includes('Trained 6 epochs on onnx');
    const bytes = (run: string) => readFileSync(at(run, 'backbone.onnx'));
    expect(bytes('cut').equals(bytes('whole'))).equals(true);
    expect(readdirSync(at('cut'))).has.members(['backbone.onnx', 'manifest.json', 'training']);
    const rows = readFileSync(at('cut', 'training', 'curves.csv'), 'utf8')
      .trim()
      .split('\n');
    expect(rows).length(7);
    expect(readFileSync(at('cut', 'training', 'curves.svg'), 'utf8')).includes('<polyline');
    // What was done is not done again.
    expect((await json<TrainReport>(...tune('cut'))).done).equals('before');
    const best = Math.max(...whole.epochs.map(({ testAccuracy }) => testAccuracy));
    expect(whole.best.testAccuracy).equals(best);
  });

  it('goes on where it was killed before the manifest knew of its backbone', async () => {
    // As it was left then: the backbone, the parts that it was copied from, and no record.
    mkdirSync(at('unrecorded'));
    copyFileSync(at('whole', 'backbone.onnx'), at('unrecorded', 'backbone.onnx'));
    const manifest = JSON.parse(readFileSync(at('whole', 'manifest.json'), 'utf8'));
    const parts = at('unrecorded', `.train.${manifest.steps.train.key.slice(0, 8)}`);
    mkdirSync(parts);
    copyFileSync(at('whole', 'backbone.onnx'), join(parts, 'backbone.onnx'));
    expect((await json<TrainReport>(...tune('unrecorded'))).done).equals('now');
    const bytes = (run: string) => readFileSync(at(run, 'backbone.onnx'));
    expect(bytes('unrecorded').equals(bytes('whole'))).equals(true);
    expect(readdirSync(at('unrecorded'))).has.members(['backbone.onnx', 'manifest.json', 'training']);
  });

  it('trains each of the parameters that an exporter has merged, since they were equal', async () => {
    const model = smallBackbone();
    const { graph } = model;
    const normalize = graph.node.find(({ opType }) => opType === 'BatchNormalization')!;
    const [input, scale, offset] = normalize.input;
    // Some exporters name the one tensor twice, some give it a second name.
    const merged = { ...normalize, input: [input, scale, offset, 'second', scale] };
    const second = { ...normalize, name: 'second', opType: 'Identity', input: [offset], output: ['second'] };
    const node = [
      { ...second, attribute: [] },
      ...graph.node.map((each) => (each === normalize ? merged : each)),
    ];
    const initializer = graph.initializer.filter(({ name }) => !name.startsWith('bn1.running'));
    const sets = ['--train', 'demo:train:100', '--test', 'demo:test:60'];
    await writeModel(at('merged.onnx'), { ...model, graph: { ...graph, node, initializer } });
    const train = async (from: string) => {
      const run = `of-${from}`;
      const settings = ['--from', at(`${from}.onnx`), '--epochs', '2', '--batch', '16', '--lr', '.02'];
      const { epochs } = await json<TrainReport>('train', '--run', at(run), ...settings, ...sets);
      const { graph: trained } = await readModel(at(run, 'backbone.onnx'));
      const { input } = trained.node.find(({ opType }) => opType === 'BatchNormalization')!;
      const parameters = input
        .slice(1)
        .map((name) => tensorFromProto(trained.initializer.find((proto) => proto.name === name)!, run).data);
      return { epochs: epochs.map(({ seconds: _, ...facts }) => facts), parameters };
    };
    expect(await train('merged')).deep.equals(await train('small'));
  });

  it('ends within a step on Ctrl-C and on SIGTERM, with what was finished kept', async () => {
    // The one step of the first training takes longer than the end may.
    for (const [signal, expected, batch] of [
      ['SIGINT', 130, '768'],
      ['SIGTERM', 143, '64'],
    ] as const) {
      const sets = ['--train', 'demo:train:768', '--test', 'demo:test:20', '--epochs', '1', '--batch', batch];
      const { process, finished } = start(['train', '--run', at(signal), '--arch', 'resnet20', ...sets]);
      let told = '';
      process.stderr!.on('data', (text: string) => {
        told += text;
      });
      await until(() => told.includes('on onnx'));
      await sleep(500);
      const begun = performance.now();
      process.kill(signal);
      const { exitCode, stderr } = await finished;
      expect(performance.now() - begun).below(20_000);
      expect(exitCode).equals(expected);
      expect(stderr)
        .includes('interrupted; the same command goes on where it was\n')
        .and.not.includes('testing');
      expect(existsSync(join(at(signal), '.lock'))).equals(false);
    }
  });

  it('trains the backbone together with detectors, compares, and names again what is not read', async () => {
    mkdirSync(at('co'), { recursive: true });
    const photos = at('photos');
    mkdirSync(photos);
    for (let i = 0; i < 5; i++) writeFileSync(join(photos, `${i}.png`), await png(50 * i, 7, 9, 16));
    writeFileSync(join(photos, 'b.heic'), '\0\0\0\x18ftypheic\0\0\0\0mif1heic');
    copyFileSync(at('whole', 'backbone.onnx'), at('co', 'backbone.onnx'));
    const oods = ['noise=demo:noise:60', `photos=${photos}`];
    const sets = ['--train', 'demo:train:100', '--test', 'demo:test:60', '--ood', ...oods];
    await json('features', '--run', at('co'), '--ind', 'demo', ...sets, '--corrupted', '0');
    await json('fit', '--run', at('co'));
    const line = ['cotrain', '--run', at('co'), '--epochs', '1', '--batch', '32', '--lambda', '.01'];
    const report = await json<{ rows: { epoch: number; accuracy: number }[]; leftOut: unknown }>(...line);
    expect(report.leftOut).deep.equals([
      { set: photos, count: 1, files: [{ name: 'b.heic', kind: 'HEIC' }] },
    ]);
    expect(report.rows.map(({ epoch }) => epoch)).deep.equals([0, 1]);
    const table = readFileSync(at('co', 'cotrain', 'comparison.csv'), 'utf8')
      .trim()
      .split('\n');
    expect(table[0]).equals('ood,epochs,accuracy,auroc,fpr_at_95_tpr,best_layer_auroc');
    expect(table.slice(1).filter((row) => row.startsWith('noise,'))).length(2);
    const { exitCode, stdout } = await laOod(...line, '--strict');
    expect(exitCode).equals(3);
    expect(stdout).includes('before').and.includes('epoch 1').and.includes('1 file not read: b.heic (HEIC).');
    // Its weights are others, its graph is the same.
    const [old, now] = await Promise.all(
      ['backbone.onnx', 'cotrain/epoch-1/backbone.onnx'].map((file) => readModel(at('co', file))),
    );
    expect(now.graph.node).deep.equals(old.graph.node);
    expect(now.graph.initializer).not.deep.equals(old.graph.initializer);
  });

  it('says in one line what is missing', async () => {
    const line = async (...args: string[]) => {
      const { exitCode, stderr } = await laOod(...args, '--quiet');
      return `${exitCode} ${stderr.trim()}`;
    };
    const sets = ['--train', 'demo:train:20', '--test', 'demo:test:20'];
    expect(await line('train', '--run', at('x'), ...sets)).matches(
      /^2 --arch: is missing; name what to train/,
    );
    mkdirSync(at('own'), { recursive: true });
    copyFileSync(at('small.onnx'), at('own', 'backbone.onnx'));
    expect(await line('train', '--run', at('own'), '--arch', 'resnet20', ...sets)).matches(
      /^1 \S+backbone\.onnx: was not trained here, and is not replaced; take another --run$/,
    );
    expect(
      await line(
        'train',
        '--run',
        at('y'),
        '--arch',
        'resnet20',
        '--train',
        'demo:noise',
        '--test',
        'demo:test',
      ),
    ).matches(/^1 demo:noise: its images have no classes/);
    expect(await line(...tune('z').map((arg) => (arg === '.02' ? '1e20' : arg)))).matches(
      /^1 epoch 1, step \d+: the loss is not finite any more; try --lr 10000000000000000000, or --clip 1$/,
    );
    expect(await line('cotrain', '--run', at('own'))).matches(/^1 \S+detectors\.onnx: is missing/);
  });
});

function checkpointIn(run: string): boolean {
  if (!existsSync(run)) return false;
  const folder = readdirSync(run).find((file) => file.startsWith('.train.'));
  return folder !== undefined && existsSync(join(run, folder, 'checkpoint.onnx'));
}
