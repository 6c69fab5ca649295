import {
  type CheckpointInspection,
  type Classifier,
  type DetectorsInspection,
  type FeaturesInspection,
  type ImagesInspection,
  type Inspection,
  inspectFile,
  type ModelInspection,
  printable,
  type RunInspection,
} from '../../index.ts';
import { classifierOptions, givenOfClassifier } from '../classifier-options.ts';
import { command } from '../command.ts';
import { given, seed } from '../options.ts';
import { columns, duration, plural, shapeText, thousands } from '../terminal-text.ts';
import { typedAdvice } from '../typed-advice.ts';

export const inspectCommand = command({
  name: 'inspect',
  summary:
    'Shows what is in a checkpoint, an ONNX model, a file of features or detectors, a run folder, or a set of images.',
  examples: [
    ['inspect weights.pth.tar', 'tensors, architecture, hash'],
    ['inspect mobilenet.onnx', 'what it takes and yields, and what can be watched in it'],
    ['inspect runs/demo/detectors.onnx', 'gamma, error and support vectors of each layer'],
    ['inspect runs/demo', 'the steps that were done, and whether their files are as they left them'],
    [
      'inspect tiny-imagenet-200.zip:test --sheet tiny.png',
      'images: how many, sizes, classes; and 100 to look at',
    ],
  ],
  positionals: { path: { describe: 'a file of whatever name, a run folder, or any set of images' } },
  options: {
    sheet: {
      type: 'string',
      describe: 'write 100 images of a set into this .png file, to look at',
      check: (file: string) => (/\.png$/i.test(file) ? undefined : 'must end in .png'),
    },
    seed: {
      type: 'number',
      default: 0,
      describe: 'chooses the images, and draws generated ones',
      check: seed,
    },
    size: classifierOptions.size,
    output: classifierOptions.output,
  },
  async run({ path, sheet, seed, size, output }, onProgress, onLeftOut) {
    const { size: imageSize } = givenOfClassifier({ size });
    const options = given({ sheet, size: imageSize, output });
    const inspection = worded(await inspectFile(path, { ...options, seed, onProgress, onLeftOut }));
    return { result: inspection, text: describe(inspection), next: nextStep(inspection) };
  },
});

/** What is wrong, with options and commands as they are typed. */
function worded(inspection: Inspection): Inspection {
  if (!('problems' in inspection)) return inspection;
  const problems = inspection.problems.map(typedAdvice);
  if (inspection.kind === 'checkpoint' || !inspection.noClassifier) return { ...inspection, problems };
  return { ...inspection, problems, noClassifier: typedAdvice(inspection.noClassifier) };
}

function describe(inspection: Inspection): string {
  switch (inspection.kind) {
    case 'checkpoint':
      return describeCheckpoint(inspection);
    case 'model':
      return describeModel(inspection);
    case 'detectors':
      return describeDetectors(inspection);
    case 'features':
      return describeFeatures(inspection);
    case 'images':
      return describeImages(inspection);
    case 'run':
      return describeRun(inspection);
  }
}

/** A classifier that is no backbone of la-ood yet. */
function nextStep(inspection: Inspection): string | undefined {
  if (inspection.kind !== 'model' || !inspection.classifier || inspection.metadata['la_ood.taps'])
    return undefined;
  const { path, classifier, preparedBy } = inspection;
  const size = classifier.height && classifier.width ? '' : ' --size HEIGHT WIDTH';
  if (preparedBy !== undefined) return `Next: npx la-ood fit ${path} --train FOLDER --test FOLDER${size}`;
  return [
    `Next: npx la-ood fit ${path} --train FOLDER --test FOLDER${size} --preprocess imagenet`,
    '      (or clip, inception, --mean and --std: as in its training; --resize 256 where the middle was cut out)',
  ].join('\n');
}

function describeCheckpoint(checkpoint: CheckpointInspection): string {
  const { format, architecture, extras, notes, problems, parameters, tensors, sets, assumptions } =
    checkpoint;
  const kind = format === 'safetensors' ? 'safetensors file' : `PyTorch checkpoint, ${format} format`;
  return [
    ...fileLines(checkpoint, kind),
    line('network', architecture ? `${architecture.name}, ${architecture.classes} classes` : 'not known'),
    ...assumptions.map((assumption) => line('assumed', assumption)),
    line('parameters', thousands(parameters)),
    ...(sets.length > 1
      ? [line('weights', `under ${sets.map((set) => printable(set)).join(', ')}; --wrapper`)]
      : []),
    ...Object.entries(extras).map(([key, value]) => line('beside', printable(`${key} = ${value}`))),
    ...notes.map((note) => line('note', note)),
    ...problems.map((problem) => line('problem', `${problem}`)),
    '',
    columns(
      ['tensor', 'type', 'shape'],
      tensors.map(({ key, dtype, shape }) => [printable(key), dtype, shapeText(shape)]),
    ),
  ].join('\n');
}

function describeModel(model: ModelInspection): string {
  const { producer, irVersion, opsets, inputs, outputs, operators, parameters, taps, metadata, problems } =
    model;
  const { classifier, noClassifier } = model;
  const value = ({ name, dtype, shape }: ModelInspection['inputs'][number]) =>
    `${printable(name)} ${dtype ?? 'of unknown type'}${shape ? ` ${shapeText(shape)}` : ''}`;
  const counts = Object.entries(operators).map(([operator, count]) => `${count} ${printable(operator)}`);
  return [
    ...fileLines(model, `ONNX model${producer && ` by ${printable(producer)}`}`),
    line(
      'versions',
      `IR ${irVersion}, ${Object.entries(opsets)
        .map(([domain, version]) => `${printable(domain)} ${version}`)
        .join(', ')}`,
    ),
    ...inputs.map((input) => line('input', value(input))),
    ...outputs.map((output) => line('output', value(output))),
    line('operators', counts.join(', ')),
    line('parameters', thousands(parameters)),
    ...Object.entries(metadata).map(([key, text]) => line('metadata', printable(`${key} = ${text}`))),
    ...problems.map((problem) => line('problem', `${problem}`)),
    ...(noClassifier ? [line('guard', `cannot be guarded: ${noClassifier}`)] : []),
    ...(classifier ? [line('classifier', describeClassifier(classifier))] : []),
    ...(taps.length > 0 ? ['', tapTable(taps)] : []),
  ].join('\n');
}

function tapTable(taps: ModelInspection['taps']): string {
  return columns(
    ['layer', 'tap', 'kind', 'shape', 'pooling', 'cost so far', 'detector'],
    taps.map(({ name, kind = '', shape, pooling = '', cost, hasDetector }, index) => [
      index,
      printable(name),
      kind,
      shape ? shapeText(shape) : '',
      pooling,
      cost === undefined ? '' : `${(100 * cost).toFixed(1)} %`,
      hasDetector ? 'yes' : 'no',
    ]),
  );
}

function describeClassifier({ layout, dtype, height, width, batch, logits, classes }: Classifier): string {
  const size = height && width ? `${height}×${width}` : 'any size';
  const images = `${layout} ${dtype} of ${size}, ${batch ?? 'any number'} at once`;
  return `${images}; ${classes} classes, logits ${printable(logits)}`;
}

function describeDetectors(file: DetectorsInspection): string {
  return [
    ...fileLines(file, `detectors of ${file.detectors.length} layers`),
    line('backbone', file.backbone ?? 'not recorded'),
    '',
    columns(
      ['tap', 'channels', 'nu', 'gamma', 'error', 'support vectors', 'samples'],
      file.detectors.map(({ tap, width, nu, gamma, error, supportVectors, samples }) => [
        printable(tap),
        width,
        nu,
        gamma,
        error?.toFixed(4) ?? '',
        supportVectors,
        samples ?? '',
      ]),
    ),
  ].join('\n');
}

function describeFeatures(features: FeaturesInspection): string {
  const { images, layers, attributes } = features;
  return [
    ...fileLines(features, `pooled features of ${thousands(images)} images`),
    ...Object.entries(attributes)
      .filter(([name]) => name !== 'taps' && name !== 'detector_taps')
      .map(([name, text]) => line('attribute', printable(`${name} = ${text}`))),
    '',
    columns(
      ['layer', 'tap', 'channels', 'detector'],
      layers.map(({ index, tap, width, hasDetector }) => [
        index,
        printable(tap),
        width,
        hasDetector ? 'yes' : 'no',
      ]),
    ),
  ].join('\n');
}

/** Sizes that are printed. */
const SIZES = 5;

function describeImages(set: ImagesInspection): string {
  const { path, images, stored, endings, sizes, measured, classes, unlabeled, sheet } = set;
  const kinds = Object.entries(endings).map(([ending, count]) => `${thousands(count)} ${ending}`);
  const how = { files: kinds.join(', '), array: 'in arrays', drawn: 'drawn when they are read' }[stored];
  const size = sizes.slice(0, SIZES).map(({ height, width, images }) => {
    return sizes.length === 1 ? `${height}×${width}` : `${height}×${width} (${thousands(images)})`;
  });
  const more = sizes.length > SIZES ? ` and ${plural(sizes.length - SIZES, 'other')}` : '';
  const sample = measured < images ? `, of ${thousands(measured)} that were looked at` : '';
  return [
    line('set', `${path}, called ${printable(set.name)}`),
    line('is', `${plural(images, 'image')}, ${how}`),
    line('size', sizes.length === 0 ? 'as it is asked for' : `${size.join(', ')}${more}${sample}`),
    line('classes', classes ? thousands(classes.length) : 'none'),
    ...(classes && unlabeled > 0 ? [line('', `${plural(unlabeled, 'image')} without one`)] : []),
    ...(sheet ? [line('sheet', sheet)] : []),
    ...(classes
      ? [
          '',
          columns(
            ['class', 'images'],
            classes.map(({ name, images }) => [printable(name), images]),
          ),
        ]
      : []),
  ].join('\n');
}

function describeRun({ path, program, steps }: RunInspection): string {
  return [
    line('run folder', path),
    line('made by', printable(program)),
    '',
    columns(
      ['step', 'finished', 'time', 'device', 'file', 'SHA-256', ''],
      steps.flatMap(({ name, finished, seconds, device, files }) =>
        files.map(({ file, sha256, state }, f) => [
          ...(f === 0
            ? [printable(name), finished.slice(0, 19), duration(seconds), device ?? '']
            : ['', '', '', '']),
          printable(file),
          sha256.slice(0, 16),
          state,
        ]),
      ),
    ),
  ].join('\n');
}

function fileLines(
  { path, bytes, sha256 }: Exclude<Inspection, RunInspection | ImagesInspection>,
  is: string,
): string[] {
  return [line('file', `${path}, ${thousands(bytes)} bytes`), line('is', is), line('SHA-256', sha256)];
}

function line(name: string, text: string): string {
  return `${name.padEnd(10)}  ${text}`;
}
