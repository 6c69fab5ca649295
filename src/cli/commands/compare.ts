import { type Comparison, compareFiles } from '../../index.ts';
import { command } from '../command.ts';
import { columns, plural, shapeText } from '../terminal-text.ts';

export const compareCommand = command({
  name: 'compare',
  summary: 'Finds the largest difference between two files, layer by layer.',
  examples: [
    ['compare runs/a/features/cifar10_test.hdf5 runs/b/features/cifar10_test.hdf5', 'features'],
    ['compare resnet20.th resnet20.onnx --tolerance 1e-12', 'weights, whatever the format'],
    ['compare runs/a/detectors.onnx runs/b/detectors.onnx', 'the scores that detectors give'],
    ['compare runs/a runs/b', 'the tables of two evaluated runs'],
  ],
  positionals: {
    a: {
      describe:
        'features (HDF5), weights (checkpoint or ONNX), detectors, a table (CSV, JSON), or a run folder for its summary',
    },
    b: { describe: 'another of that kind' },
  },
  options: {
    tolerance: {
      type: 'number',
      default: 1e-4,
      describe: "the largest difference that passes, as a share of the layer's largest absolute value",
      check: (value: number) => (value >= 0 ? undefined : 'must not be negative'),
    },
  },
  async run({ a, b, tolerance }, onProgress) {
    const comparison = await compareFiles(a, b, { tolerance, onProgress });
    const { worst, agrees } = comparison;
    const what = worst.problem ?? `the values differ by ${number(worst.relative)} of the largest`;
    return {
      result: { a, b, ...comparison },
      text: describe(comparison),
      failure: agrees ? undefined : `${a} and ${b}: ${worst.name}: ${what}; the tolerance is ${tolerance}`,
    };
  },
});

function describe({ kind, rows, tolerance }: Comparison): string {
  const table = columns(
    [heads[kind], 'shape', 'largest value', 'largest difference', 'relative', ''],
    rows.map(({ name, shape, largest, difference, relative, problem }) =>
      problem
        ? [name, shapeText(shape), '', '', '', problem]
        : [
            name,
            shapeText(shape),
            number(largest),
            number(difference),
            number(relative),
            relative > tolerance ? '*' : '',
          ],
    ),
  );
  const beyond = rows.filter(({ relative }) => relative > tolerance).length;
  const verdict = beyond ? `${beyond} of them beyond` : 'all within';
  return `${table}\n${plural(rows.length, 'row')}, ${verdict} a relative difference of ${tolerance}.`;
}

const heads: Readonly<Record<Comparison['kind'], string>> = {
  features: 'layer',
  weights: 'tensor',
  detectors: 'detector',
  tables: 'numbers',
};

function number(value: number): string {
  return value === 0 ? '0' : value.toPrecision(4);
}
