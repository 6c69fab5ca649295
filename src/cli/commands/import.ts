import { basename, dirname } from 'node:path';
import {
  architectureNames,
  type Imported,
  importCheckpoint,
  type Normalisation,
  UsageError,
} from '../../index.ts';
import { command } from '../command.ts';
import { atLeastOne, positive } from '../options.ts';
import { thousands } from '../text.ts';

export const importCommand = command({
  name: 'import',
  summary: 'Turns a PyTorch checkpoint into an ONNX classifier, and checks what it wrote.',
  examples: [
    ['import resnet20.th runs/resnet20-cifar10/backbone.onnx', 'the architecture is found from the weights'],
    [
      'import densenet100.pth.tar densenet100.onnx --mean .4914 .4822 .4465 --std .2023 .1994 .2010',
      'trained with a normalisation of its own',
    ],
    ['import vgg16.pth vgg16.onnx --arch vgg16 --classes 100', 'refused where it is anything else'],
  ],
  positionals: {
    checkpoint: { describe: 'a file that torch.save wrote, whatever its name' },
    output: { describe: 'the .onnx to write' },
  },
  options: {
    arch: { type: 'string', describe: `the architecture: ${architectureNames.join(', ')}` },
    classes: { type: 'number', describe: 'the number of classes that it must have', check: atLeastOne },
    wrapper: { type: 'string', describe: 'the key of the weights, where a checkpoint holds several: ema' },
    mean: {
      type: 'number',
      array: true,
      nargs: 3,
      describe: 'mean of red, green and blue in training, of 0 to 1',
    },
    std: { type: 'number', array: true, nargs: 3, describe: 'their standard deviation', check: positive },
  },
  async run({ checkpoint, output, arch, classes, wrapper, mean, std }) {
    const normalisation = normalisationOf(mean, std);
    const imported = await importCheckpoint(checkpoint, output, { arch, classes, wrapper, normalisation });
    return {
      result: { checkpoint, output, ...imported },
      text: describe(imported, output, normalisation !== undefined),
      next: nextStep(output, imported.architecture),
    };
  },
});

function normalisationOf(mean?: readonly number[], std?: readonly number[]): Normalisation | undefined {
  if (!mean && !std) return undefined;
  if (!mean || !std)
    throw new UsageError(mean ? '--std' : '--mean', 'is missing', '--mean and --std belong together');
  for (const [name, values] of Object.entries({ mean, std }))
    if (values.length !== 3) throw new UsageError(`--${name}`, 'takes three numbers: red, green, blue');
  return { mean, std };
}

function describe(imported: Imported, output: string, normalisationGiven: boolean): string {
  const { architecture, classes, parameters, taps, notes } = imported;
  const { mean, std } = imported.normalisation;
  const origin = normalisationGiven
    ? 'as given'
    : `the default of ${architecture}; a checkpoint does not tell: give --mean and --std if it was trained with another`;
  return [
    `architecture   ${architecture}`,
    `classes        ${classes}`,
    `parameters     ${thousands(parameters)}`,
    `taps           ${taps.length}, from ${taps[0]} to ${taps.at(-1)}`,
    `normalisation  mean ${mean.join(' ')}, std ${std.join(' ')} (${origin})`,
    ...notes.map((note) => `note           ${note}`),
    `Wrote ${output}, read it back, compared every weight, and ran it.`,
  ].join('\n');
}

function nextStep(output: string, architecture: string): string {
  if (basename(output) !== 'backbone.onnx')
    return `Next: put it into a run folder, under the name runs/${architecture}-NAME/backbone.onnx.`;
  return `Next: la-ood features --run ${dirname(output)} --ind NAME --train FOLDER --test FOLDER --ood FOLDER pure_color`;
}
