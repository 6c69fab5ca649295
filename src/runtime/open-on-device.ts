import { advice, command, DeviceError, option } from '../common/errors.ts';
import type { Device, DeviceName, Setting } from './device.ts';
import * as ort from './onnxruntime.ts';

/**
 * Opens a session on the device that was asked for, and says which one it got. Only `auto` falls back, to the CPU;
 * onnxruntime itself places operators that a device lacks on the CPU, node by node.
 *
 * @param model an encoded model, or the path of its file (which external data need)
 * @throws DeviceError where a named device is not there
 */
export async function openOnDevice(
  model: Uint8Array | string,
  wanted: DeviceName,
  { threads, single = false, optimization = single ? 'disabled' : 'all' }: Setting = {},
): Promise<{ session: ort.InferenceSession; device: Device }> {
  const open = async (device: Device) => {
    const options: ort.InferenceSession.SessionOptions = {
      executionProviders: device === 'cpu' ? ['cpu'] : [device, 'cpu'],
      ...(threads ? { intraOpNumThreads: threads } : {}),
      graphOptimizationLevel: optimization,
      // Whatever fails comes as an exception.
      logSeverityLevel: 4,
      // For a few runs nothing is prepared, and threads that wait for work do not spin, which would take as much time as the work.
      ...(single && { extra: { session: { disable_prepacking: '1', intra_op: { allow_spinning: '0' } } } }),
    };
    return { session: await ort.openSession(model, options), device };
  };
  if (wanted === 'auto') {
    if (!hasProvider('cuda')) return open('cpu');
    return open('cuda').catch(() => open('cpu'));
  }
  if (wanted !== 'cpu' && !hasProvider(wanted))
    throw new DeviceError(
      option('device', wanted),
      'this onnxruntime was built without it',
      advice`${command('doctor')} lists what is there`,
    );
  if (wanted === 'cpu') return open(wanted);
  return open(wanted).catch((error: Error) => {
    throw new DeviceError(
      option('device', wanted),
      error.message.split('\n')[0],
      advice`${command('doctor')} tells what is missing; ${option('device', 'auto')} takes what works`,
      error,
    );
  });
}

/** The execution providers that this onnxruntime build knows, whether or not their libraries and devices are there. */
export function hasProvider(device: Device): boolean {
  return ort
    .onnxruntime()
    .listSupportedBackends()
    .some(({ name }) => name === device);
}
