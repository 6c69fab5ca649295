import { type DeviceExamination, examineMachine, type TrainingEngineExamination } from '../../index.ts';
import { command } from '../command.ts';
import { columns } from '../terminal-text.ts';

export const doctorCommand = command({
  name: 'doctor',
  summary:
    'Says what this machine can do: versions, memory, the devices that graphs run on, and what trains.',
  examples: [['doctor', 'after an installation, or where --device fails']],
  positionals: {},
  options: {},
  async run() {
    const machine = await examineMachine();
    const { devices, memory, cores, processor, training } = machine;
    const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
    return {
      result: machine,
      text: [
        ...Object.entries(machine.versions).map(([name, version]) => `${name.padEnd(11)}  ${version}`),
        `processor    ${processor}, ${cores} cores for this process`,
        `memory       ${gigabytes(memory.total)}, ${gigabytes(memory.free)} free`,
        '',
        columns(
          ['device', ''],
          devices.map((device) => [device.device, verdict(device)]),
        ),
        '',
        columns(
          ['training', ''],
          training.map((engine) => [engine.engine, trainingVerdict(engine)]),
        ),
      ].join('\n'),
      failure: devices.some(({ works }) => works)
        ? undefined
        : 'onnxruntime: runs a graph on no device; install this package again',
    };
  },
});

function verdict({ built, works, problem }: DeviceExamination): string {
  if (works) return 'works';
  return built ? `does not work: ${problem}` : 'not part of this build of onnxruntime';
}

function trainingVerdict({ engine, works, problem }: TrainingEngineExamination): string {
  if (engine === 'onnx') return 'works; la-ood train takes it';
  if (!works) return problem ? `does not work: ${problem}` : 'not installed';
  return `works; la-ood train takes it by --engine ${engine}`;
}
