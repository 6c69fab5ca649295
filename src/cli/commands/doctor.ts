import { type DeviceExamination, examineMachine, type TrainingBackendExamination } from '../../index.ts';
import { command } from '../command.ts';
import { columns } from '../text.ts';

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
    const taken = training.find(({ works }) => works)?.backend;
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
          training.map((backend) => [backend.backend, trainingVerdict(backend, taken)]),
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

function trainingVerdict({ backend, works, problem }: TrainingBackendExamination, taken?: string): string {
  if (!works) return problem ? `does not work: ${problem}` : 'not installed';
  const speed = backend === 'tfjs-backend-cpu' ? ', in plain JavaScript: a hundred times slower' : '';
  return `works${speed}${backend === taken ? '; la-ood train takes it' : ''}`;
}
