import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { writeFeatures } from '../../converters/hdf5/write-features.ts';
import { fitMethods } from '../../src/detectors/methods/fit-methods.ts';
import { chooseMethods } from '../../src/detectors/methods/method-registry.ts';
import { methodsModel } from '../../src/detectors/methods/methods-model.ts';
import { Training } from '../../src/detectors/methods/training.ts';
import { encodeModel } from '../../src/graph/write.ts';
import * as ort from '../../src/runtime/onnxruntime.ts';
import { type MadeFeatures, Network, trainingOf } from '../detectors/methods/features.ts';
import { type Bench, count, inTemporaryFolder, median, timed } from './bench.ts';

/** Images of one run of a graph. */
const ROWS = 500;

/** What the seconds are of. */
const INCLUDED = [
  'Ours: fitting checks that numbers are finite (SCALE, ASH: in the first block, and that none is negative), reads blocks, and opens',
  `the sessions that it computes with; scoring runs the graph on ${ROWS} images at a time. Opening the session that scores is left out.`,
  'Theirs: fit_logits, fit_features and predict_… on whole tensors, without such checks. Logits are given to us; pytorch-ood computes',
  "the head's for ViM, fDBD and NCI. Neither writes files, and what scores in la-ood evaluate, a worker thread, is left out.",
];

interface Seconds {
  readonly fit: number;
  readonly score: number;
}

/**
 * Each method fitted and scored by itself, from arrays in memory, in this process, beside pytorch-ood with as many threads: method
 * by method the two take turns, and each has done it before with few images.
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
    rounds: { about: 'rounds of each method: ours, theirs, ours, theirs, …', default: '5' },
    ours: { about: 'leave pytorch-ood out', flag: true },
  },
  async run(values) {
    const [width, classes, rounds] = [
      count(values, 'width'),
      count(values, 'classes'),
      count(values, 'rounds'),
    ];
    const network = new Network({ width, classes });
    const train = network.make(count(values, 'images'), 2);
    // One label in fifty is wrong, as in real sets: of a classifier that is right and sure on all images no temperature is best.
    for (let i = 0; i < train.count; i += 50) train.labels[i] = (train.labels[i] + 1) % classes;
    const queries = network.make(count(values, 'queries'), 3);
    const few = [network.make(1000, 4), network.make(ROWS, 5)] as const;
    const methods = chooseMethods(values.methods!.split(',')).filter(
      ({ needs }) => !needs.includes('layers') && !needs.includes('one-class SVMs'),
    );
    await inTemporaryFolder(async (folder) => {
      const counterpart = values.ours ? undefined : await PytorchOod.open(folder, network, train, queries);
      console.log(`\n${INCLUDED.join('\n')}`);
      console.log(`\nMedians of ${rounds} rounds`);
      console.log('method                  fit, s           score, s         both: theirs / ours');
      for (const { name } of methods) {
        // What both compile and load at first is no part of a method's time.
        await timeOurs(name, network, ...few);
        const [ours, theirs]: [Seconds[], Seconds[]] = [[], []];
        for (let round = 0; round < rounds; round++) {
          ours.push(await timeOurs(name, network, train, queries));
          const seconds = await counterpart?.time(name);
          if (seconds) theirs.push(seconds);
        }
        console.log(row(name, ours, theirs));
      }
      counterpart?.close();
    });
  },
};

async function timeOurs(
  name: string,
  network: Network,
  train: MadeFeatures,
  queries: MadeFeatures,
): Promise<Seconds> {
  const [classes, width] = [network.bias.length, train.headInput.length / train.count];
  globalThis.gc?.();
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

/** pytorch-ood in a process of its own, which waits for the names of methods. */
class PytorchOod {
  readonly #process;
  readonly #answers;

  private constructor(folder: string) {
    const script = fileURLToPath(new URL('methods-speed.py', import.meta.url));
    this.#process = spawn(process.env.LA_OOD_PYTHON!, [script, folder, String(availableParallelism())], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** @param folder where it finds the features */
  static async open(
    folder: string,
    { weight, bias }: Network,
    train: MadeFeatures,
    queries: MadeFeatures,
  ): Promise<PytorchOod> {
    const classes = bias.length;
    const width = weight.length / classes;
    const write = (name: string, { count, logits, headInput, labels }: MadeFeatures) =>
      writeFeatures(join(folder, `${name}.hdf5`), { count, widths: [width, classes, 1] }, (append) =>
        append([headInput, logits, Float32Array.from(labels)]),
      );
    await write('train', train);
    await write('queries', queries);
    await writeFeatures(join(folder, 'head.hdf5'), { count: classes, widths: [width, 1] }, (append) =>
      append([weight, bias]),
    );
    return new PytorchOod(folder);
  }

  /** @returns nothing where it lacks the method */
  async time(method: string): Promise<Seconds | undefined> {
    this.#process.stdin.write(`${method}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`methods-speed.py ended at ${method}`);
    return JSON.parse(value) ?? undefined;
  }

  close(): void {
    this.#process.stdin.end();
  }
}

function row(name: string, ours: readonly Seconds[], theirs: readonly Seconds[]): string {
  const of = (seconds: readonly Seconds[], part: (seconds: Seconds) => number) =>
    seconds.length > 0 ? median(seconds.map(part)) : undefined;
  const pair = (part: (seconds: Seconds) => number) =>
    `${of(ours, part)!.toFixed(3).padStart(7)} ${of(theirs, part)?.toFixed(3).padStart(8) ?? ''}`.padEnd(17);
  const both = ({ fit, score }: Seconds) => fit + score;
  const ratio = theirs.length > 0 ? (of(theirs, both)! / of(ours, both)!).toFixed(2) : '';
  return `${name.padEnd(22)} ${pair(({ fit }) => fit)} ${pair(({ score }) => score)} ${ratio}`;
}
