/** `la-ood`: a guarded model in Node, and the images that it is given. */

export { type DecodeOptions, decodeImage, imageSize } from '../../data/decode.ts';
export type { Color, Framing, Geometry, ImageSize } from '../../data/image-set.ts';
export { resize } from '../../data/resample.ts';
export {
  type Advice,
  CheckpointError,
  type CommandAdvice,
  DataError,
  DetectorError,
  DeviceError,
  FeatureError,
  GraphError,
  LaOodError,
  type OptionAdvice,
  QueueFullError,
  RunError,
  TrainingError,
  UsageError,
} from '../common/errors.ts';
export type { OnProgress, Progress } from '../common/progress.ts';
export { endWorkers } from '../common/workers.ts';
export type { Guard, GuardLimits, GuardScoreOptions, ImageInput, RawImage } from '../guard/guard.ts';
export type { ClassScore, GuardAnswer } from '../guard/guard-answer.ts';
export type { GuardInfo } from '../guard/guard-info.ts';
export { type OpenGuardOptions, openGuard } from '../guard/open-guard.ts';
export type { Device, DeviceName } from '../runtime/device.ts';
