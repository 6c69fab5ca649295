import { writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { classifierName } from '../../src/cli/classifier-options.ts';
import {
  backboneMetadata,
  type DetectorsInspection,
  type FeatureReport,
  inspectFile,
  type ModelInspection,
  type RunInspection,
  readModel,
  writeModel,
} from '../../src/index.ts';
import { convolutionalNet, severalOutputs } from '../graph/classifier/networks.ts';
import { checkpoint, imageFolder, temporaryFolder } from './files.ts';
import { json, laOod } from './run.ts';

describe('la-ood with a classifier of whatever origin', () => {
  const at = temporaryFolder();
  const normalization = ['--mean', '.5', '.5', '.5', '--std', '.2', '.2', '.2'];

  before(async () => {
    await Promise.all([
      imageFolder(at('train'), 'demo:train', 60),
      imageFolder(at('test'), 'demo:test', 30),
      imageFolder(at('noise'), 'demo:noise', 30),
      checkpoint(at('weights.pth')),
      writeModel(at('keras.onnx'), convolutionalNet({ layout: 'NHWC', ending: ['Softmax'] })),
      writeModel(at('several.onnx'), severalOutputs()),
    ]);
  });

  it('says what cannot be known of it', async () => {
    const fit = ['fit', at('keras.onnx'), '--train', at('train'), '--run', at('refused')];
    const { exitCode, stderr } = await laOod(...fit);
    expect(exitCode).to.equal(1);
    expect(stderr).to.match(
      /^\S+keras\.onnx: nothing says how its images are normalised.*; give --mean and --std .*\n$/m,
    );
    const several = await laOod('fit', at('several.onnx'), ...fit.slice(2), ...normalization);
    expect(several.stderr).to.match(
      /has 2 outputs that may be the logits: .*; say which with --output scores\n$/,
    );
  });

  it('computes features and fits detectors in one command', async () => {
    const { exitCode, stdout, stderr } = await laOod(
      ...[
        'fit',
        at('keras.onnx'),
        '--train',
        at('train'),
        '--test',
        at('test'),
        '--run',
        at('run'),
        '--ind',
        'demo',
      ],
      ...[...normalization, '--filter', 'bilinear', '--taps', 'conv*', 'sum0', '--nu', '.05'],
    );
    expect(exitCode, stderr).to.equal(0);
    expect(stdout)
      .to.match(/^demo_train +60 /m)
      .and.match(/^demo_test +30 /m);
    expect(stdout).to.include('3 detectors on 60 images');
    expect(stdout).to.include(`Next: npx la-ood features --run ${at('run')} --ood FOLDER`);
    const { detectors } = (await inspectFile(at('run', 'detectors.onnx'))) as DetectorsInspection;
    expect(detectors.map(({ tap }) => tap)).to.deep.equal(['conv0a', 'conv0b', 'sum0']);
    const backbone = backboneMetadata(await readModel(at('run', 'backbone.onnx')));
    expect(backbone).to.deep.include({ mean: [0.5, 0.5, 0.5], filter: 'bilinear' });
  });

  it('goes on with it in the same run, and measures it', async () => {
    const ood = ['features', at('keras.onnx'), '--ood', at('noise'), '--run', at('run')];
    const { sets } = await json<{ sets: FeatureReport[] }>(...ood);
    expect(sets.map(({ set, images }) => [set, images])).to.deep.equal([['noise_test', 30]]);
    const { exitCode, stdout } = await laOod('evaluate', '--run', at('run'));
    expect(exitCode).to.equal(0);
    expect(stdout).to.include('LA-OOD').and.include('energy');
    const { steps } = await json<RunInspection>('inspect', at('run'));
    const imported = steps.find(({ name }) => name === 'import')!;
    expect(imported.results).to.include({ preprocessing: 'as given', taps: 4 });
  });

  it('shows what can be watched in it', async () => {
    const { stdout } = await laOod('inspect', at('keras.onnx'));
    expect(stdout).to.match(
      /^classifier +NHWC float32 of 8×8, any number at once; 5 classes, logits scores$/m,
    );
    expect(stdout).to.match(/^layer +tap +kind +shape +pooling +cost so far +detector$/m);
    expect(stdout).to.match(/ sum0 +residual sum +batch×8×8×4 +spatial mean +99\.\d % +yes$/m);
    expect(stdout).to.include(`Next: npx la-ood fit ${at('keras.onnx')} --train FOLDER`);
    const several = await json<ModelInspection>('inspect', at('several.onnx'));
    expect(several.noClassifier).to.match(/^has 2 outputs that may be the logits/);
    expect(several.taps).to.deep.equal([]);
  });

  it('imports it by itself, and says what it took', async () => {
    const target = at('alone', 'backbone.onnx');
    const { exitCode, stdout } = await laOod(
      ...['import', at('several.onnx'), target, '--output', 'aux', '--scale', '1', '--bgr', '--resize', '9'],
    );
    expect(exitCode).to.equal(0);
    expect(stdout)
      .to.match(/^classes +7$/m)
      .and.match(/^normalisation +mean 0 0 0, std 1 1 1, of bytes × 1, BGR/m);
    expect(stdout).to.match(/^other sizes +shorter side to 9, lanczos, and 8×8 cut out$/m);
    const metadata = backboneMetadata(await readModel(target));
    expect(metadata).to.include({ scale: 1, channelOrder: 'BGR', shorterSide: 9, classCount: 7 });
    const same = await laOod('import', at('keras.onnx'), at('keras.onnx'), ...normalization);
    expect(same.stderr).to.match(/would be written over by its own import; name another output\n$/);
  });

  it('refuses what is said of the other kind of file', async () => {
    const wrong: [string[], RegExp][] = [
      [
        ['import', at('keras.onnx'), at('x.onnx'), '--arch', 'vgg16'],
        /^--arch: is said of checkpoints, and this is an ONNX/,
      ],
      [
        ['import', at('weights.pth'), at('x.onnx'), '--output', 'logits'],
        /^--output: is said of ONNX classifiers, and this is a checkpoint; leave it out/,
      ],
      [
        ['import', at('weights.pth'), at('x.onnx'), '--classes', 'names.txt'],
        /^--classes names\.txt: is no number of classes, which is what is said of a checkpoint/,
      ],
      [
        ['fit', '--run', at('run'), '--taps', 'all'],
        /^la-ood fit: says something of a classifier, and names none; name/,
      ],
      [
        ['fit', at('keras.onnx'), '--run', at('run')],
        /^la-ood fit: no images were given to fit on; name them with --train/,
      ],
      [
        ['fit', at('keras.onnx'), '--train', at('train'), '--mean', '1', '1', '1'],
        /^--std: is missing; --mean and --std belong/,
      ],
    ];
    const finished = await Promise.all(wrong.map(([line]) => laOod(...line)));
    for (const [at, { exitCode, stderr }] of finished.entries()) {
      expect([exitCode, stderr.split('\n').length], stderr).to.deep.equal([2, 2]);
      expect(stderr).to.match(wrong[at][1]);
    }
  });

  it('refuses files that are no classifier, in one line', async () => {
    await writeFile(at('page.onnx'), '<html></html>');
    const { exitCode, stderr } = await laOod(
      'fit',
      at('page.onnx'),
      '--train',
      at('train'),
      '--run',
      at('page'),
    );
    expect(exitCode).to.equal(1);
    expect(stderr).to.match(/^\S+page\.onnx: is a web page and not a model; fetch the file itself\n$/m);
  });

  it('calls a run folder after the model', () => {
    for (const [path, name] of [
      ['models/mobilenet v3.onnx', 'mobilenet_v3'],
      ['resnet-50/model.onnx', 'resnet-50'],
      ['hub/resnet-50/onnx/model.onnx', 'resnet-50'],
      ['runs/photos/backbone.onnx', 'photos'],
      ['model.onnx', classifierName(`${process.cwd()}.onnx`)],
    ])
      expect(classifierName(path)).to.equal(name);
  });
});
