import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { decodeEach, type EncodedImage } from '../../data/decode-each.ts';
import { GraphError } from '../common/errors.ts';
import { withThreshold } from '../detectors/decision-model.ts';
import type { ModelProto } from '../graph/onnx.ts';
import { decodeModel, readModel } from '../graph/read.ts';
import { GraphSession, type SessionOptions, type Tensors } from '../runtime/graph-session.ts';
import { DEFAULT_QUEUE, Guard, type GuardLimits, type ImageInput, requirePixels } from './guard.ts';
import { answersOf, type GuardAnswer } from './guard-answer.ts';
import { type GuardInfo, guardInfo } from './guard-info.ts';

export interface OpenGuardOptions extends GuardLimits, Pick<SessionOptions, 'device' | 'threads'> {
  /** Scores above it are OOD; the file's own where absent. */
  readonly threshold?: number;
  /** Turns images as their EXIF orientation says. */
  readonly orient?: boolean;
}

/** Images a run. Larger ones are no faster on most processors. */
const BATCH = 8;

/**
 * Opens a guarded model: once, for as many images as there are. Images are decoded and resized by threads of their own, to the
 * bytes that every command makes of them.
 *
 * @param model the path of a `guarded.onnx`, its address (`file:`, `http:` or `https:`), or its bytes
 * @throws GraphError where it is no guarded model; DeviceError where a named device is not there
 *
 * @example
 * ```ts
 * import { openGuard } from 'la-ood';
 *
 * await using guard = await openGuard('guarded.onnx');
 * const { isOod, reason } = await guard.score('photo.jpg');
 * console.log(isOod ? reason : 'nothing unusual');
 * ```
 */
export async function openGuard(
  model: string | URL | Uint8Array,
  { device, threads, threshold, orient, batch = BATCH, queue = DEFAULT_QUEUE }: OpenGuardOptions = {},
): Promise<Guard> {
  const { proto, where } = await loadModel(model);
  const info = guardInfo(proto, where);
  const guarded = threshold === undefined ? proto : withThreshold(proto, threshold);
  const session = await GraphSession.open(guarded, { device, threads });
  const engine = {
    // One more than there are threads, so that none of them waits.
    decoders: availableParallelism() + 1,
    prepare: async (image: ImageInput, place: string) =>
      decodeEach([await encodedImage(image, place)], info.size, { orient }),
    run: (pixels: Uint8Array, count: number) => runGuard(session, info, pixels, count),
    close: () => session.close(),
  };
  return new Guard(info, engine, { batch, queue });
}

/** Runs a guarded model on the pixels of `count` images of its size. */
export async function runGuard(
  session: { run(feeds: Tensors): Promise<Tensors> },
  info: GuardInfo,
  pixels: Uint8Array,
  count: number,
): Promise<GuardAnswer[]> {
  const { height, width } = info.size;
  const shape = [count, height, width, 3];
  return answersOf(await session.run({ pixels: { dtype: 'uint8', shape, data: pixels } }), count, info);
}

async function loadModel(model: string | URL | Uint8Array): Promise<{ proto: ModelProto; where: string }> {
  if (model instanceof Uint8Array) return { proto: decodeModel(model, 'model'), where: 'model' };
  const address = String(model);
  if (!/^https?:/.test(address)) {
    const path = typeof model === 'string' ? model : fileURLToPath(model);
    return { proto: await readModel(path), where: path };
  }
  const response = await fetch(address);
  if (!response.ok) throw new GraphError(address, `answered ${response.status} ${response.statusText}`);
  return { proto: decodeModel(new Uint8Array(await response.arrayBuffer()), address), where: address };
}

async function encodedImage(image: ImageInput, where: string): Promise<EncodedImage> {
  // What is a file on disk is read by the thread that decodes it.
  if (typeof image === 'string') return { where };
  if (image instanceof Uint8Array) return { where, bytes: whole(image) };
  if (image instanceof Blob) return { where, bytes: new Uint8Array(await image.arrayBuffer()) };
  requirePixels(image, where);
  return { where, image: { ...image, pixels: whole(image.pixels) } };
}

/** What is sent to a thread is all of the memory that a view is of, as the small Buffers of Node share theirs. */
function whole(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}
