/** `la-ood/browser`: a guarded model in a browser, on onnxruntime-web. */

export type { Color, Framing, Geometry, ImageSize } from '../../data/image-set.ts';
export { resize } from '../../data/resample.ts';
export { DataError, GraphError, LaOodError, QueueFullError, UsageError } from '../common/errors.ts';
export type { OnProgress, Progress } from '../common/progress.ts';
export { checkImages } from '../guard/check-images.ts';
export type { Guard, GuardLimits, GuardScoreOptions, ImageInput, RawImage } from '../guard/guard.ts';
export type { ClassScore, Difference, GuardAnswer } from '../guard/guard-answer.ts';
export type { GuardInfo } from '../guard/guard-info.ts';
export { type DecodedFile, decodeFile } from './decode-file.ts';
export {
  BrowserGuard,
  type OpenBrowserGuardOptions,
  openGuard,
  type RuntimeName,
  type RuntimeReport,
  runtimeNames,
  runtimeTitles,
} from './open-browser-guard.ts';
