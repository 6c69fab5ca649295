import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { writeFeatures } from '../../converters/hdf5/write-features.ts';
import { fitMethods } from '../../src/detectors/methods/fit-methods.ts';
import { chooseMethods } from '../../src/detectors/methods/method-registry.ts';
import { methodsModel } from '../../src/detectors/methods/methods-model.ts';
import { Training } from '../../src/detectors/methods/training.ts';
import { encodeModel } from '../../src/graph/write.ts';
import * as ort from '../../src/runtime/onnxruntime.ts';
import { type MadeFeatures, Network, trainingOf } from '../detectors/methods/features.ts';
import { python } from '../parity/python.ts';
import { type Bench, count, inTemporaryFolder, timed } from './bench.ts';

/** Images of one run of a graph. */
const ROWS = 500;

/** What the seconds are of. */
const INCLUDED = [
  'Ours: fitting checks that numbers are finite and, for SCALE and ASH, that none is negative, reads blocks of 2 to 4 MiB, and opens',
  `the sessions that it computes with; scoring runs the graph on ${ROWS} images at a time. Opening the session that scores is left out.`,
  'Theirs: fit_logits, fit_features and predict_… on whole tensors, without such checks. Logits are given to us; pytorch-ood computes',
  "the head's for ViM, fDBD and NCI. Neither writes files, and what scores in la-ood evaluate, a worker thread, is left out.",
];

interface Seconds {
  readonly fit: number;
  readonly score: number;
}

/**
 * Each method fitted and scored by itself, from arrays in memory, in this process, beside pytorch-ood with as many threads; both
 * have done it before with few images.
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
    console.log(`\n${INCLUDED.join('\n')}`);
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
  const session = await ort.openSession(encodeModel(model));
  const run = (start: number) => {
    const end = Math.min(queries.count, start + ROWS);
    const feeds = session.inputNames.map((input) => {
      const [all, own] = values[input];
      return [input, ort.tensor('float32', all.subarray(start * own, end * own), [end - start, own])];
    });
    return session.run(Object.fromEntries(feeds));
  };
  await run(0);
  const { seconds } = await timed(async () => {
    for (let start = 0; start < queries.count; start += ROWS) await run(start);
  });
  await session.release();
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
