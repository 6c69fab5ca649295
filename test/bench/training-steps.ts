import { readCheckpoint } from '../../converters/pytorch/read-checkpoint.ts';
import { buildBackbone } from '../../models/backbone.ts';
import { architectureNamed } from '../../models/registry.ts';
import { RandomState } from '../../src/common/random.ts';
import type { TrainingEngineName } from '../../src/training/engine.ts';
import { openTrainingEngine } from '../../src/training/engines.ts';

/** What a process of its own measures of training steps: given and printed as JSON. */
export interface StepsTask {
  readonly engine: TrainingEngineName;
  readonly name: string;
  /** A state dict. */
  readonly checkpoint: string;
  readonly classes: number;
  readonly batch: number;
  readonly steps: number;
  readonly rate: number;
}

export interface StepsMeasured {
  /** Of all steps but a first one that is not counted. */
  readonly seconds: number;
  /** Resident memory at most, and after a tenth and after all of the steps, in MiB. */
  readonly peak: number;
  readonly early: number;
  readonly late: number;
}

const task: StepsTask = JSON.parse(process.argv[2]);
const { name, batch, steps, rate, classes } = task;
const { stateDict } = await readCheckpoint(task.checkpoint);
const session = await openTrainingEngine(task.engine).open({
  model: buildBackbone(architectureNamed(name), stateDict),
  where: name,
  objective: {},
  optimizer: { momentum: 0.9, weightDecay: 1e-4 },
});
const random = new RandomState(0);
const images = Float32Array.from({ length: batch * 3 * 32 * 32 }, () => random.normal());
const labels = Int32Array.from({ length: batch }, () => random.integer(classes - 1));
const step = () => session.step({ images: images.slice(), shape: [batch, 3, 32, 32], labels }, rate, random);
const mebibytes = () => process.memoryUsage().rss / 2 ** 20;

await step();
const start = performance.now();
let early = mebibytes();
for (let taken = 0; taken < steps; taken++) {
  await step();
  if (taken === Math.ceil(steps / 10)) early = mebibytes();
}
const seconds = (performance.now() - start) / 1000;
const measured: StepsMeasured = {
  ...{ seconds, peak: process.resourceUsage().maxRSS / 1024, early, late: mebibytes() },
};
await session.close();
console.log(JSON.stringify(measured));
