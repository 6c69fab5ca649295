import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { writeFeatures } from '../../converters/hdf5/write-features.ts';
import type { Tensor } from '../../src/common/tensor.ts';
import { fitMethods } from '../../src/detectors/methods/fit-methods.ts';
import { chooseMethods } from '../../src/detectors/methods/method-registry.ts';
import { methodsModel } from '../../src/detectors/methods/methods-model.ts';
import { Training } from '../../src/detectors/methods/training.ts';
import { GraphSession } from '../../src/runtime/graph-session.ts';
import { type MadeFeatures, Network, trainingOf } from '../detectors/methods/features.ts';
import { python } from '../parity/python.ts';
import { type Bench, count, inTemporaryFolder, timed } from './bench.ts';

/** Images of one run of a graph. */
const ROWS = 500;

interface Seconds {
  readonly fit: number;
  readonly score: number;
}

/**
 * Each method fitted and scored by itself, from arrays in memory, beside pytorch-ood with as many threads; both have done it before
 * with few images, and the start of the worker that scores is not counted.
 */
export const methodsSpeed: Bench = {
  about: 'fitting and scoring of each method, beside pytorch-ood with as many threads',
  python: true,
  options: {
    methods: { about: 'names of methods, by commas', default: 'all' },
    images: { about: 'training images', default: '50000' },
    queries: { about: 'images that are scored', default: '10000' },
    width: { about: 'width of the head input', default: '640' },
    classes: { about: 'classes', default: '10' },
    ours: { about: 'leave pytorch-ood out', flag: true },
  },
  async run(values) {
    const [width, classes] = [count(values, 'width'), count(values, 'classes')];
    const network = new Network({ width, classes });
    const train = network.make(count(values, 'images'), 2);
    const queries = network.make(count(values, 'queries'), 3);
    const methods = chooseMethods(values.methods!.split(',')).filter(
      ({ needs }) => !needs.includes('layers') && !needs.includes('one-class SVMs'),
    );
    const ours = new Map<string, Seconds>();
    // What both compile and load at first is no part of a method's time.
    const few = [network.make(1000, 4), network.make(ROWS, 5)] as const;
    for (const method of methods) await timeOurs(method.name, network, ...few);
    for (const method of methods) ours.set(method.name, await timeOurs(method.name, network, train, queries));
    const theirs = values.ours ? {} : await timeTheirs(network, train, queries, [...ours.keys()]);
    console.log('\nmethod                  fit, s           score, s         both: theirs / ours');
    for (const [name, own] of ours) console.log(row(name, own, theirs[name]));
  },
};

async function timeOurs(
  name: string,
  network: Network,
  train: MadeFeatures,
  queries: MadeFeatures,
): Promise<Seconds> {
  const [classes, width] = [network.bias.length, train.headInput.length / train.count];
  const { seconds: fit, result: model } = await timed(async () => {
    const { fitted, refused } = await fitMethods(
      chooseMethods([name]),
      new Training(trainingOf(network, train)),
    );
    for (const { reason } of refused) throw new Error(`${name}: ${reason}`);
    return methodsModel(fitted, { logits: ['logits', classes], headInput: ['head_input', width] });
  });
  const values: Record<string, [Float32Array, number]> = {
    logits: [queries.logits, classes],
    head_input: [queries.headInput, width],
  };
  const inputs = model.graph.input.map((input) => input.name);
  const session = await GraphSession.open(model, { device: 'cpu' });
  const feeds = Array.from({ length: Math.ceil(queries.count / ROWS) }, (_, block) => {
    const [start, end] = [block * ROWS, Math.min(queries.count, (block + 1) * ROWS)];
    return Object.fromEntries(
      inputs.map((input): [string, Tensor] => {
        const [all, own] = values[input];
        const data = all.slice(start * own, end * own);
        return [input, { dtype: 'float32', shape: [end - start, own], data }];
      }),
    );
  });
  await session.run(feeds[0]);
  const { seconds } = await timed(async () => {
    for (const some of feeds) await session.run(some);
  });
  await session.close();
  return { fit, score: seconds };
}

/** @returns the seconds of those methods that pytorch-ood has */
async function timeTheirs(
  { weight, bias }: Network,
  train: MadeFeatures,
  queries: MadeFeatures,
  names: readonly string[],
): Promise<Record<string, Seconds>> {
  const classes = bias.length;
  const width = weight.length / classes;
  return inTemporaryFolder(async (folder) => {
    const write = (name: string, { count, logits, headInput, labels }: MadeFeatures) =>
      writeFeatures(join(folder, `${name}.hdf5`), { count, widths: [width, classes, 1] }, (append) =>
        append([headInput, logits, Float32Array.from(labels)]),
      );
    await write('train', train);
    await write('queries', queries);
    await writeFeatures(join(folder, 'head.hdf5'), { count: classes, widths: [width, 1] }, (append) =>
      append([weight, bias]),
    );
    return python<Record<string, Seconds>>(
      '../bench/methods-speed.py',
      folder,
      String(availableParallelism()),
      ...names,
    );
  });
}

function row(name: string, ours: Seconds, theirs: Seconds | undefined): string {
  const pair = (of: (seconds: Seconds) => number) =>
    `${of(ours).toFixed(3).padStart(7)} ${theirs ? of(theirs).toFixed(3).padStart(8) : ''}`.padEnd(17);
  const both = theirs ? ((theirs.fit + theirs.score) / (ours.fit + ours.score)).toFixed(2) : '';
  return `${name.padEnd(22)} ${pair(({ fit }) => fit)} ${pair(({ score }) => score)} ${both}`;
}
