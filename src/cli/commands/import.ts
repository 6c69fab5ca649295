import { basename, dirname } from 'node:path';
import {
  architectureNames,
  fileKind,
  type Imported,
  type ImportedClassifier,
  importCheckpoint,
  importClassifier,
  modelFile,
  UsageError,
} from '../../index.ts';
import {
  classifierOptions,
  describeGeometry,
  describePreprocessing,
  givenOfClassifier,
} from '../classifier-options.ts';
import { command, type Report } from '../command.ts';
import { shapeText, thousands } from '../terminal-text.ts';

const checkpointOptions = {
  arch: {
    type: 'string',
    describe: `the network of a checkpoint where it fits several: FAMILY/NAME as la-ood inspect and errors have it, or a name; the original's are ${architectureNames.join(', ')}`,
  },
  wrapper: {
    type: 'string',
    describe: 'the key of the weights, where a checkpoint holds several: ema; la-ood inspect lists them',
  },
} as const;

export const importCommand = command({
  name: 'import',
  summary: 'Makes a backbone of a PyTorch checkpoint or of any ONNX classifier, and checks what it wrote.',
  examples: [
    ['import resnet20.th runs/resnet20-cifar10/backbone.onnx', 'the network is found from the weights'],
    ['import vgg16-397923af.pth vgg16.onnx', "torchvision's, for 224 × 224 pixels"],
    ['import hub/model.safetensors model.onnx', 'with what config.json beside it says'],
    [
      'import densenet100.pth.tar densenet100.onnx --mean .4914 .4822 .4465 --std .2023 .1994 .2010',
      'trained with a normalisation of its own',
    ],
    [
      'import resnet18.pt resnet18.onnx --arch huyvnphan/resnet18',
      'where keys and shapes fit several networks',
    ],
    [
      'import mobilenet.onnx runs/mobilenet/backbone.onnx --mean .5 .5 .5 --std .5 .5 .5 --taps add_*',
      "an exporter's file, watched at the ends of its blocks",
    ],
  ],
  positionals: {
    source: { describe: 'a file of torch.save or safetensors, or an ONNX classifier, whatever its name' },
    target: { describe: 'the .onnx to write' },
  },
  options: {
    ...checkpointOptions,
    ...classifierOptions,
    classes: {
      type: 'string',
      describe:
        'of a checkpoint, the number of classes that it must have; of an ONNX classifier, a file of their names',
    },
  },
  async run(options, onProgress): Promise<Report> {
    const { target, arch, wrapper } = options;
    const source = await modelFile(options.source);
    if ((await fileKind(source)) === 'onnx') {
      refuseOthers(options, checkpointOptions, 'is said of checkpoints, and this is an ONNX model');
      const imported = await importClassifier(source, target, { ...givenOfClassifier(options), onProgress });
      return {
        result: { source, output: target, ...imported },
        text: describeClassifier(imported, target),
        next: nextStep(target, basename(source).replace(/\.onnx$/, '')),
      };
    }
    const { output: onlyOnnx } = classifierOptions;
    refuseOthers(options, { output: onlyOnnx }, 'is said of ONNX classifiers, and this is a checkpoint');
    const classes = numberOfClasses(options.classes);
    const {
      preprocessing: normalization,
      output: _output,
      classes: _names,
      ...given
    } = givenOfClassifier(options);
    const imported = await importCheckpoint(source, target, {
      arch,
      classes,
      wrapper,
      normalization,
      ...given,
      onProgress,
    });
    return {
      result: { source, output: target, ...imported },
      text: describeCheckpoint(imported, target),
      next: nextStep(target, imported.architecture.replace('/', '-')),
    };
  },
});

function numberOfClasses(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,6}$/.test(text))
    throw new UsageError(
      `--classes ${text}`,
      'is no number of classes, which is what is said of a checkpoint',
    );
  return Number(text);
}

function refuseOthers(values: Readonly<Record<string, unknown>>, options: object, problem: string): void {
  const given = Object.keys(options).find((name) => values[name] !== undefined);
  if (given !== undefined) throw new UsageError(`--${given}`, problem, 'leave it out');
}

function describeClassifier(imported: ImportedClassifier, target: string): string {
  const { classifier, taps, detectorTaps, preprocessing, geometry, origin, notes, classNames } = imported;
  const { input, layout, dtype, batch, classes, height, width } = classifier;
  const shape = layout === 'NCHW' ? [3, height, width] : [height, width, 3];
  return [
    `input          ${input}, ${dtype} ${shapeText([batch ?? 'batch', ...shape])}`,
    `classes        ${classes}${classNames ? `, ${fromTo(classNames.names)} (${classNames.origin})` : ''}`,
    `taps           ${taps.length}, of which ${detectorTaps.length} get a detector`,
    `normalisation  ${describePreprocessing(preprocessing)} (${origin})`,
    `other sizes    ${describeGeometry(geometry)}`,
    ...notes.map((note) => `note           ${note}`),
    `Wrote ${target}, and ran it beside the original.`,
  ].join('\n');
}

function describeCheckpoint(imported: Imported, output: string): string {
  const { architecture, classes, parameters, taps, notes, normalization, origin, geometry } = imported;
  const { assumptions, classNames } = imported;
  const guessed = origin === architecture;
  return [
    `architecture   ${architecture}`,
    `classes        ${classes}${classNames ? `, ${fromTo(classNames)} (config.json)` : ''}`,
    `parameters     ${thousands(parameters)}`,
    `taps           ${taps.length}, ${fromTo(taps)}`,
    `normalisation  ${describePreprocessing(normalization)} (${guessed ? `the default of ${architecture}; a checkpoint does not tell: give --mean and --std if it was trained with another` : origin})`,
    `images         ${describeGeometry(geometry)}`,
    ...assumptions.map((assumption) => `assumed        ${assumption}`),
    ...notes.map((note) => `note           ${note}`),
    `Wrote ${output}, read it back, compared every weight, and ran it.`,
  ].join('\n');
}

function fromTo(names: readonly string[]): string {
  return `from ${names[0]} to ${names.at(-1)}`;
}

function nextStep(output: string, architecture: string): string {
  if (basename(output) !== 'backbone.onnx')
    return `Next: npx la-ood fit ${output} --train FOLDER --test FOLDER --run runs/${architecture}-NAME`;
  return `Next: npx la-ood features --run ${dirname(output)} --ind NAME --train FOLDER --test FOLDER --ood FOLDER pure_color`;
}
