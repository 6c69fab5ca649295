import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { LaOodError } from '../../common/errors.ts';
import type { Tensor } from '../../common/tensor.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { ElementType, type ModelProto } from '../../graph/onnx.ts';
import { type Device, deviceNames } from '../../runtime/device.ts';
import { GraphSession } from '../../runtime/graph-session.ts';
import { hasProvider } from '../../runtime/open-on-device.ts';
import { examineTrainingEngines, type TrainingEngineExamination } from '../../training/engines.ts';
import { versions } from '../versions.ts';

/** What a machine can do. */
export interface MachineExamination {
  readonly versions: Readonly<Record<string, string>>;
  readonly processor: string;
  /** Threads that run side by side for this process. */
  readonly cores: number;
  /** Bytes. */
  readonly memory: { readonly total: number; readonly free: number };
  readonly devices: readonly DeviceExamination[];
  /** What can train; the first is taken where none is named. */
  readonly training: readonly TrainingEngineExamination[];
}

export interface DeviceExamination {
  readonly device: Device;
  /** Whether this build of onnxruntime knows it. */
  readonly built: boolean;
  /** Whether a graph ran there. */
  readonly works: boolean;
  /** Why it did not, where it is built in. */
  readonly problem?: string;
}

/**
 * Finds out what this machine can do, by running a small graph on every device.
 *
 * @example
 * ```ts
 * import { examineMachine } from 'la-ood/guard';
 *
 * const { devices } = await examineMachine();
 * console.log(devices.filter(({ works }) => works).map(({ device }) => device));
 * ```
 */
export async function examineMachine(): Promise<MachineExamination> {
  const devices: DeviceExamination[] = [];
  for (const device of deviceNames) if (device !== 'auto') devices.push(await examineDevice(device));
  return {
    versions: versions(),
    processor: cpus()[0]?.model ?? process.arch,
    cores: availableParallelism(),
    memory: { total: totalmem(), free: freemem() },
    devices,
    training: examineTrainingEngines(),
  };
}

async function examineDevice(device: Device): Promise<DeviceExamination> {
  if (!hasProvider(device)) return { device, built: false, works: false };
  try {
    const session = await GraphSession.open(probe(), { device });
    try {
      const { y } = await session.run({ x: row([1, 2]) });
      const sum = (y.data as Float32Array)[0];
      if (sum === 3) return { device, built: true, works: true };
      return { device, built: true, works: false, problem: `adds 1 and 2 to ${sum}` };
    } finally {
      await session.close();
    }
  } catch (error) {
    const { message } = error as Error;
    const problem = error instanceof LaOodError ? error.problem : message.split('\n')[0];
    // onnxruntime says first which of its own lines found out.
    return { device, built: true, works: false, problem: problem.replace(/^.* was false\. /, '') };
  }
}

/** The sum of two numbers, as a matrix product. */
function probe(): ModelProto {
  const graph = new GraphBuilder('probe');
  graph.input('x', ElementType.float, [1, 2]);
  graph.initializer('ones', { dtype: 'float32', shape: [2, 1], data: Float32Array.of(1, 1) });
  graph.node('MatMul', ['x', 'ones'], { name: 'y' });
  graph.output('y', ElementType.float, [1, 1]);
  return graph.build();
}

function row(values: number[]): Tensor {
  return { dtype: 'float32', shape: [1, values.length], data: Float32Array.from(values) };
}
