import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { buildBackbone } from '../../../models/backbone.ts';
import { backboneMetadata } from '../../../models/metadata.ts';
import { architectureNamed } from '../../../models/registry.ts';
import { DataError, GraphError, UsageError } from '../../../src/common/errors.ts';
import { float, GraphBuilder } from '../../../src/graph/builder.ts';
import { describeClassifier } from '../../../src/graph/classifier/classifier.ts';
import { ElementType, type ModelProto } from '../../../src/graph/onnx.ts';
import { readModel } from '../../../src/graph/read.ts';
import { setMetadata } from '../../../src/graph/rewrite.ts';
import { writeModel } from '../../../src/graph/write.ts';
import { adoptClassifier } from '../../../src/pipeline/classifier/adopt-classifier.ts';
import {
  type ImportClassifierOptions,
  importClassifier,
} from '../../../src/pipeline/classifier/import-classifier.ts';
import { extractFeatures } from '../../../src/pipeline/features/extract-features.ts';
import { featureGraph } from '../../../src/pipeline/features/feature-graph.ts';
import { RunFolder } from '../../../src/pipeline/run-folder.ts';
import { imageFolder, weights } from '../../cli/files.ts';
import { rejection } from '../../data/rejection.ts';
import { convolutionalNet, random, transformer } from '../../graph/classifier/networks.ts';
import { runModel } from '../../graph/models.ts';

const preprocessing = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] };

describe('importClassifier', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-classifier-'));
  });
  after(() => rm(folder, { recursive: true }));
  let count = 0;

  /** Writes a model, with files beside it, and imports it. */
  async function imported(
    model: ModelProto,
    options: ImportClassifierOptions = { preprocessing },
    files = {},
  ) {
    const home = join(folder, String(count++));
    await writeModel(join(home, 'net.onnx'), model);
    for (const [name, content] of Object.entries(files))
      await writeFile(join(home, name), JSON.stringify(content));
    const target = join(home, 'backbone.onnx');
    const found = await importClassifier(join(home, 'net.onnx'), target, options);
    return { ...found, home, backbone: await readModel(target) };
  }

  it('writes what it found into the metadata, and the graph from pixels follows', async () => {
    const { taps, detectorTaps, backbone } = await imported(
      convolutionalNet({ layout: 'NHWC', ending: ['Softmax'] }),
    );
    expect(taps).to.deep.equal(['stem', 'conv0a', 'conv0b', 'sum0', 'pool', 'logits']);
    expect(detectorTaps).to.deep.equal(taps.slice(0, -1));
    expect(backboneMetadata(backbone)).to.deep.equal({ classCount: 5, taps, detectorTaps, ...preprocessing });
    const graph = featureGraph(backbone, 'backbone.onnx');
    expect(graph).to.deep.include({
      taps: [...taps, 'head_input', 'stem[deviation]'],
      conditionTaps: ['stem', 'stem[deviation]'],
      ...{ logits: 'logits', headInput: 'head_input', widths: [4, 4, 4, 4, 4, 5, 4, 4] },
    });
    expect(graph.size).to.include({ height: 8, width: 8 });
    const pixels = { data: new Uint8Array(3 * 8 * 8 * 3).fill(7), dims: [3, 8, 8, 3] };
    const yielded = await runModel(graph.model, { pixels });
    expect(graph.taps.map((tap) => yielded[tap].dims)).to.deep.equal(graph.widths.map((width) => [3, width]));
  });

  it('finds the preprocessing beside the model, or asks for it', async () => {
    const config = {
      image_processor_type: 'CLIPImageProcessor',
      do_center_crop: true,
      size: { shortest_edge: 12 },
      crop_size: 8,
      resample: 3,
      image_mean: [0.1, 0.2, 0.3],
      image_std: [0.4, 0.5, 0.6],
    };
    const files = { 'preprocessor_config.json': config };
    const { origin, geometry, backbone } = await imported(convolutionalNet(), {}, files);
    expect(origin).to.equal('preprocessor_config.json');
    const to = { height: 12, width: 12 };
    const framing = { fit: 'cover', to, rounding: 'truncate', place: 'middle-floor' };
    expect(geometry).to.deep.equal({ height: 8, width: 8, filter: 'bicubic', framing });
    expect(backboneMetadata(backbone)).to.deep.include({ filter: 'bicubic', framing });
    expect(featureGraph(backbone, 'backbone.onnx').size).to.deep.include(geometry);

    const given = await imported(convolutionalNet(), { preprocessing, filter: 'box' }, files);
    expect([given.origin, given.geometry.filter, given.geometry.framing]).to.deep.equal([
      'as given',
      'box',
      undefined,
    ]);
    const nothing = await rejection(imported(convolutionalNet(), {}), GraphError);
    expect(nothing.message).to.match(
      /net\.onnx: nothing says how its images are normalised.*; give `mean` and `std`/,
    );
    const other = { ...files, 'preprocessor_config.json': { ...config, crop_size: 10 } };
    const wrong = await rejection(imported(convolutionalNet(), {}, other), GraphError);
    expect(wrong.message).to.match(
      /takes images of 8×8, and \S+preprocessor_config\.json is for 10×10; say how/,
    );
    const damaged = { 'preprocessor_config.json': { ...config, image_mean: [1] } };
    await rejection(imported(convolutionalNet(), {}, damaged), DataError);
  });

  it('finds the names of the classes in its own words, beside it, or in a file', async () => {
    const id2label = { 0: 'ant', 1: 'bee', 2: 'cat', 3: 'dog', 4: 'eel' };
    const names = Object.values(id2label);
    const files = { 'config.json': { model_type: 'vit', id2label } };
    const found = await imported(convolutionalNet(), { preprocessing }, files);
    expect(found.classNames).to.deep.equal({ names, origin: 'config.json' });
    expect(backboneMetadata(found.backbone).classNames).to.deep.equal(names);
    const timm = { 'config.json': { architecture: 'x', label_names: names } };
    expect((await imported(convolutionalNet(), { preprocessing }, timm)).classNames?.names).to.deep.equal(
      names,
    );
    for (const [key, text] of [
      ['character', names.join('\n')],
      ['names', "{0: 'ant', 1: 'bee', 2: \"cat\", 3: 'dog', 4: 'eel'}"],
    ]) {
      const own = setMetadata(convolutionalNet(), { [key]: text });
      expect((await imported(own)).classNames).to.deep.equal({ names, origin: 'its metadata' });
    }
    const placeholders = { 'config.json': { id2label: { 0: 'LABEL_0', 1: 'LABEL_1' } } };
    expect((await imported(convolutionalNet(), { preprocessing }, placeholders)).classNames).to.equal(
      undefined,
    );
    const labels = join(folder, 'labels.txt');
    await writeFile(labels, 'a\r\nb\nc\nd\ne\n\n');
    const given = await imported(convolutionalNet(), { preprocessing, classes: labels }, files);
    expect(given.classNames?.names).to.deep.equal(['a', 'b', 'c', 'd', 'e']);
    await writeFile(labels, 'a\nb\n');
    const error = await rejection(
      imported(convolutionalNet(), { preprocessing, classes: labels }),
      DataError,
    );
    expect(error.message).to.match(/labels\.txt: has 2 names, and the model 5 classes; give one name a line/);
  });

  it('takes the folder of a model, as it lies in a hub or in its cache', async () => {
    const home = join(folder, 'hub');
    const hub = join(home, 'models--x--y');
    const snapshot = join(hub, 'snapshots', 'abc', 'onnx');
    await writeModel(join(hub, 'blobs', 'model.onnx'), convolutionalNet(), { inlineLimit: 0 });
    await mkdir(snapshot, { recursive: true });
    // The blobs are called after their hashes; what the links are called is what the model says.
    await rename(join(hub, 'blobs', 'model.onnx'), join(hub, 'blobs', 'aaa'));
    await rename(join(hub, 'blobs', 'model.onnx.data'), join(hub, 'blobs', 'bbb'));
    await symlink('../../../blobs/aaa', join(snapshot, 'model.onnx'));
    await symlink('../../../blobs/bbb', join(snapshot, 'model.onnx.data'));
    await writeModel(join(snapshot, 'model_quantized.onnx'), convolutionalNet());
    const { taps } = await importClassifier(hub, join(home, 'out.onnx'), { preprocessing });
    expect(taps).to.have.length(6);
    await rename(join(snapshot, 'model.onnx'), join(snapshot, 'model_fp32.onnx'));
    const error = await rejection(
      importClassifier(hub, join(home, 'out.onnx'), { preprocessing }),
      DataError,
    );
    expect(error.message).to.match(
      /holds several models, \S+model_fp32\.onnx, \S+model_quantized\.onnx; name one/,
    );
  });

  it('takes the size of images from what is given or found, where the graph takes any', async () => {
    const free = convolutionalNet({ size: 'side' });
    const { classifier } = await imported(free, { preprocessing, size: { height: 16, width: 12 } });
    expect(classifier).to.include({ height: 16, width: 12 });
    const error = await rejection(imported(free), GraphError);
    expect(error.message).to.match(/its input image takes images of any size; say which with `size`$/);
    for (const [options, message] of [
      [{ size: { height: 16, width: 12 } }, /takes images of 8×8, and not 16×12/],
      [{ shorterSide: 6 }, /takes images of 8×8, which cannot be cut out of 6/],
    ] as const) {
      const refused = imported(convolutionalNet(), { preprocessing, ...options });
      expect((await rejection(refused, GraphError)).message).to.match(message);
    }
  });

  it('frees a batch size that is fixed', async () => {
    for (const batch of [1, 4]) {
      const { classifier, backbone } = await imported(convolutionalNet({ batch }));
      expect(classifier.batch).to.equal(undefined);
      expect(describeClassifier(backbone, 'backbone.onnx').batch).to.equal(undefined);
    }
  });

  it('leaves a graph as it is that cannot but take one image at a time, and runs it so', async () => {
    const fixed = (batch: number) => {
      const model = convolutionalNet({ batch });
      // A learned constant for each image of the batch.
      const constant = new GraphBuilder('constant');
      constant.input('pool', ElementType.float, [batch, 4]);
      constant.initializer('token', random([batch, 2], 9));
      constant.node('Concat', ['token', 'pool'], { name: 'both', attributes: { axis: 1 } });
      constant.output('both', ElementType.float, [batch, 6]);
      const { node, initializer } = constant.build().graph;
      model.graph.initializer = [...model.graph.initializer, ...initializer];
      const head = model.graph.node.pop()!;
      const weight = new GraphBuilder('weight');
      weight.initializer('fc.weight', random([5, 6], 3));
      const others = model.graph.initializer.filter(({ name }) => name !== 'fc.weight');
      model.graph.initializer = [...others, ...weight.build().graph.initializer];
      model.graph.node.push(...node, { ...head, input: ['both', 'fc.weight'] });
      return model;
    };
    const { classifier, home } = await imported(fixed(1));
    expect(classifier.batch).to.equal(1);
    await RunFolder.use(join(home, 'run'), async (run) => {
      await adoptClassifier(run, join(home, 'net.onnx'), { preprocessing });
      const test = { name: 'x', source: await imageFolder(join(home, 'images'), 'demo:noise', 5) };
      const [{ images }] = await extractFeatures(run, { test, batch: 64 });
      expect(images).to.equal(5);
    });
    const error = await rejection(imported(fixed(2)), GraphError);
    expect(error.message).to.match(
      /takes 2 images at once, no more and no fewer; export it with a dynamic batch/,
    );
  });

  it('runs the graph where shapes cannot be inferred', async () => {
    const graph = new GraphBuilder('g');
    graph.input('image', ElementType.float, ['batch', 3, 8, 8]);
    graph.initializer('up.weight', random([3, 6, 2, 2], 2));
    graph.initializer('fc.weight', random([6, 5], 3));
    // Shape inference has no rule for this one.
    graph.node('ConvTranspose', ['image', 'up.weight'], { name: 'up', attributes: { strides: [2, 2] } });
    graph.node('LeakyRelu', ['up'], { name: 'act', attributes: { alpha: float(0.1) } });
    graph.node('GlobalAveragePool', ['act'], { name: 'pool' });
    graph.node('Flatten', ['pool'], { name: 'flat' });
    graph.node('MatMul', ['flat', 'fc.weight'], { name: 'logits' });
    graph.output('logits', ElementType.float, ['batch', 5]);
    const { taps, backbone } = await imported(graph.build(), { preprocessing, taps: ['act', 'flat'] });
    expect(taps).to.deep.equal(['act', 'flat', 'logits']);
    expect(featureGraph(backbone, 'backbone.onnx').widths).to.deep.equal([6, 6, 5, 6]);
  });

  it('refuses a network that computes across the images of a batch', async () => {
    const mixing = (model: ModelProto, from: string, to: string) => {
      const extra = new GraphBuilder('extra');
      extra.input(from, ElementType.float, ['batch', 4]);
      extra.node('ReduceMean', [from], { name: 'over_batch', attributes: { axes: [0], keepdims: 1 } });
      extra.node('Sub', [from, 'over_batch'], { name: 'centred' });
      extra.output('centred', ElementType.float, ['batch', 4]);
      const at = model.graph.node.findIndex(({ name }) => name === to);
      const user = model.graph.node[at];
      user.input = user.input.map((name) => (name === from ? 'centred' : name));
      model.graph.node.splice(at, 0, ...extra.build().graph.node);
      return model;
    };
    const error = await rejection(imported(mixing(convolutionalNet(), 'pool', 'scores')), GraphError);
    expect(error.message).to.match(
      /net\.onnx: (tap centred of an image depends on the other images of its batch|the logits of an image depend)/,
    );
    // It was written to be checked, and has not got its name.
    expect(await readdir(join(folder, String(count - 1)))).to.deep.equal(['net.onnx']);
  });

  it('takes transformers, and their class tokens by name', async () => {
    const { taps, backbone } = await imported(transformer(), {
      preprocessing,
      taps: ['sum?', 'sum?[class]'],
    });
    expect(taps).to.deep.equal(['sum0', 'sum0[class]', 'sum1', 'sum1[class]', 'logits']);
    // The embedding of patches is a map, which tells of conditions.
    expect(featureGraph(backbone, 'backbone.onnx').widths).to.deep.equal([6, 6, 6, 6, 5, 6, 6, 6]);
  });

  it('takes networks of bytes, which are not normalised', async () => {
    const bytes = convolutionalNet({ dtype: 'uint8' });
    const { preprocessing: none, backbone } = await imported(bytes, {});
    expect(none).to.equal(undefined);
    expect(featureGraph(backbone, 'backbone.onnx').widths).to.have.length(9);
    const error = await rejection(imported(bytes), GraphError);
    expect(error.message).to.match(/takes bytes, which it normalises itself; leave out `mean`/);
  });

  it("keeps the original's taps and normalisation for its models", async () => {
    const architecture = architectureNamed('resnet20');
    const model = buildBackbone(architecture, weights(1), { normalization: preprocessing });
    const { taps, detectorTaps, origin, preprocessing: kept } = await imported(model, {});
    expect(taps).to.deep.equal(architecture.taps);
    expect(detectorTaps).to.deep.equal(architecture.detectorTaps);
    expect(origin).to.equal('its metadata');
    expect(kept).to.deep.include(preprocessing);
  });
});

describe('adoptClassifier', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-adopt-'));
    await writeModel(join(folder, 'net.onnx'), convolutionalNet());
  });
  after(() => rm(folder, { recursive: true }));

  it('leaves no run folder where the classifier is refused, and the backbone that was there', async () => {
    const source = join(folder, 'net.onnx');
    const fails = (...path: string[]) =>
      rejection(
        RunFolder.use(join(folder, ...path), (run) =>
          adoptClassifier(run, source, { taps: ['nothing*'], preprocessing }),
        ),
        GraphError,
      );
    await fails('runs', 'refused');
    expect(await readdir(folder)).to.deep.equal(['net.onnx']);
    await RunFolder.use(join(folder, 'kept'), (run) => adoptClassifier(run, source, { preprocessing }));
    const before = await readdir(join(folder, 'kept'));
    await fails('kept');
    expect(await readdir(join(folder, 'kept'))).to.deep.equal(before);
  });

  it('need not be told again what it was told once', async () => {
    const source = join(folder, 'net.onnx');
    await RunFolder.use(join(folder, 'run'), async (run) => {
      const finished = () => run.record('import')?.finished;
      await rejection(adoptClassifier(run, source), GraphError);
      await adoptClassifier(run, source, { preprocessing });
      const first = finished();
      await adoptClassifier(run, source);
      await adoptClassifier(run, source, { preprocessing });
      expect(finished()).to.equal(first);
      await adoptClassifier(run, source, { preprocessing, taps: ['stem'] });
      expect(finished()).not.to.equal(first);
      const own = run.file('backbone.onnx');
      expect(backboneMetadata(await readModel(own)).taps).to.deep.equal(['stem', 'logits']);
      await adoptClassifier(run, own);
      await rejection(adoptClassifier(run, own, { taps: ['all'] }), UsageError);
    });
  });
});
