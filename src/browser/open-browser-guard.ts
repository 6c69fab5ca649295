import type * as Onnxruntime from 'onnxruntime-web';
import type { Image } from '../../data/image-set.ts';
import { resize } from '../../data/resample.ts';
import { scanOutline } from '../graph/outline.ts';
import { checkImages } from '../guard/check-images.ts';
import {
  DEFAULT_QUEUE,
  Guard,
  type GuardEngine,
  type GuardLimits,
  type ImageInput,
  requirePixels,
} from '../guard/guard.ts';
import { answersOf, type Difference, difference, type GuardAnswer } from '../guard/guard-answer.ts';
import { type GuardInfo, guardInfo } from '../guard/guard-info.ts';
import { decodeFile } from './decode-file.ts';
import { fetched } from './fetched.ts';

/** What a graph can be run on in a browser. */
export const runtimeNames = ['webgpu', 'wasm'] as const;
export type RuntimeName = (typeof runtimeNames)[number];

/** What they are called. */
export const runtimeTitles: Readonly<Record<RuntimeName, string>> = { webgpu: 'WebGPU', wasm: 'WebAssembly' };

/** What runs the model, and how it was found to do. */
export interface RuntimeReport {
  readonly name: RuntimeName;
  /** Of WebAssembly. */
  readonly threads: number;
  /** Milliseconds an image, the fastest of a few. */
  readonly milliseconds: number;
  /** The largest difference on made-up images to what is expected: of a p-value, and of the logits as a share of the largest. */
  readonly difference: Difference;
  /** What was tried and not taken, and why. */
  readonly notes: readonly string[];
}

export interface OpenBrowserGuardOptions extends GuardLimits {
  /** What has to run the model; the fastest that gives the numbers that are expected where absent. */
  readonly runtime?: RuntimeName;
  /** What Node makes of each of `checkImages`; what WebAssembly makes of them where absent. */
  readonly expected?: readonly GuardAnswer[];
  /** Loads onnxruntime-web where the page has it elsewhere than a bundler would put it. */
  readonly onnxruntime?: (runtime: RuntimeName) => Promise<typeof Onnxruntime>;
}

/** A guarded model that is open in a browser. */
export class BrowserGuard extends Guard {
  /** What runs it. */
  readonly runtime: RuntimeReport;

  /** @internal `openGuard` makes it */
  constructor(info: GuardInfo, engine: GuardEngine, options: Required<GuardLimits>, runtime: RuntimeReport) {
    super(info, engine, options);
    this.runtime = runtime;
  }
}

/** The largest difference of a p-value that is taken; one rank, where that is more. */
const P_VALUE_TOLERANCE = 0.005;

/** And that of the logits, as a share of the largest. */
const LOGITS_TOLERANCE = 1e-3;

/**
 * Opens a guarded model in a browser: with WebGPU and with WebAssembly, has both do some made-up images, and takes the faster
 * one of those that give the same numbers. Decoding and resizing are those of Node (docs/browser.md says of which images byte
 * for byte). WebAssembly runs on the thread that asks: call this in a worker to keep a page at hand meanwhile.
 *
 * @param model the address of a `guarded.onnx`, or the file itself
 * @throws GraphError where it is no guarded model; Error where nothing runs it
 *
 * @example
 * ```ts
 * import { openGuard } from 'la-ood/browser';
 *
 * const guard = await openGuard('guarded.onnx');
 * const [file] = document.querySelector<HTMLInputElement>('input[type=file]')!.files!;
 * const { isOod, label, reason } = await guard.score(file);
 * document.body.append(isOod ? reason : `${label}`);
 * ```
 */
export async function openGuard(
  model: string | URL | Uint8Array | Blob,
  options: OpenBrowserGuardOptions = {},
): Promise<BrowserGuard> {
  const { batch = 1, queue = DEFAULT_QUEUE } = options;
  const where = typeof model === 'string' || model instanceof URL ? String(model) : 'model';
  const bytes = model instanceof Uint8Array ? model : await fetched(model);
  const info = guardInfo(scanOutline(bytes, where), where);
  const { report, run, close } = await openRuntime(bytes, info, options);
  const prepare = async (image: ImageInput, place: string) =>
    resize(await imageOf(image, place, info), info.size);
  return new BrowserGuard(info, { decoders: 2, prepare, run, close }, { batch, queue }, report);
}

async function imageOf(image: ImageInput, where: string, { size }: GuardInfo): Promise<Image> {
  if (typeof image !== 'string' && 'pixels' in image) {
    requirePixels(image, where);
    return image;
  }
  const file = typeof image === 'string' ? new Blob([await fetched(image)]) : image;
  const blob = file instanceof Blob ? file : new Blob([new Uint8Array(file)]);
  return (await decodeFile(blob, where, size.background)).image;
}

/** onnxruntime-web as a bundler finds it; that for WebGPU is twice as large, and lacks operators on the processor. */
function bundled(runtime: RuntimeName): Promise<typeof Onnxruntime> {
  return runtime === 'webgpu' ? import('onnxruntime-web/webgpu') : import('onnxruntime-web/wasm');
}

/** A model that is ready to run. */
export interface Runtime extends Pick<GuardEngine, 'run' | 'close'> {
  readonly report: RuntimeReport;
}

/**
 * Opens a model with what runs it the fastest, or with what has to run it.
 *
 * @throws Error where nothing runs it
 */
export async function openRuntime(
  model: Uint8Array,
  info: GuardInfo,
  { runtime: only, expected, onnxruntime = bundled }: Omit<OpenBrowserGuardOptions, keyof GuardLimits>,
): Promise<Runtime> {
  const hasGpu = await findGpu();
  const notes = only === 'webgpu' && !hasGpu ? ['WebGPU: this browser or machine has none.'] : [];
  const wanted = runtimeNames.filter((name) => (only ?? name) === name && (name === 'wasm' || hasGpu));
  const opened: { name: RuntimeName; session: Session }[] = [];
  for (const name of wanted)
    try {
      opened.push({ name, session: await open(name, await onnxruntime(name), model, info) });
    } catch (error) {
      notes.push(`${runtimeTitles[name]}: ${(error as Error).message ?? error}`);
    }
  // Without anything to compare with, WebAssembly, which computes as the processor does, is the reference.
  const reference = opened.at(-1);
  const answers = expected ?? (reference && (await reference.session.answers(checkImages(info.size))));
  const passed: Runtime[] = [];
  for (const { name, session } of opened)
    try {
      passed.push({ ...session, report: await check(name, session, info, answers!) });
    } catch (error) {
      notes.push(`${runtimeTitles[name]}: ${(error as Error).message ?? error}`);
      await session.close();
    }
  const [first, ...others] = passed.sort((a, b) => a.report.milliseconds - b.report.milliseconds);
  if (!first) throw new Error(notes.join(' '));
  for (const { report, close } of others) {
    notes.push(
      `${runtimeTitles[report.name]} gives the same numbers, in ${report.milliseconds.toFixed(1)} ms.`,
    );
    await close();
  }
  return { ...first, report: { ...first.report, notes } };
}

async function findGpu(): Promise<boolean> {
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu;
  return Boolean(await gpu?.requestAdapter().catch(() => undefined));
}

/** Threads share memory, which a browser allows to a page that its server isolates from others. */
function threads(): number {
  return globalThis.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
}

interface Session extends Pick<GuardEngine, 'run' | 'close'> {
  /** Of images one by one. */
  answers(images: readonly Uint8Array[]): Promise<GuardAnswer[]>;
}

async function open(
  name: RuntimeName,
  ort: typeof Onnxruntime,
  model: Uint8Array,
  info: GuardInfo,
): Promise<Session> {
  ort.env.logLevel = 'error';
  ort.env.wasm.numThreads = threads();
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [name],
    logSeverityLevel: 3,
  });
  const { height, width } = info.size;
  const run = async (pixels: Uint8Array, count: number) => {
    const input = new ort.Tensor('uint8', pixels, [count, height, width, 3]);
    return answersOf(await session.run({ pixels: input }), count, info);
  };
  const answers = async (images: readonly Uint8Array[]) => {
    const found: GuardAnswer[] = [];
    for (const pixels of images) found.push(...(await run(pixels, 1)));
    return found;
  };
  return { run, answers, close: () => session.release() };
}

/** @throws Error where the model gives other numbers than are expected */
async function check(
  name: RuntimeName,
  session: Session,
  { size, calibration }: GuardInfo,
  expected: readonly GuardAnswer[],
): Promise<RuntimeReport> {
  let [pValue, logits] = [0, 0];
  let milliseconds = Number.POSITIVE_INFINITY;
  // Twice: in the first round memory is laid out, and shaders are compiled.
  for (let round = 0; round < 2; round++)
    for (const [i, pixels] of checkImages(size).entries()) {
      const start = performance.now();
      const [answer] = await session.run(pixels, 1);
      milliseconds = Math.min(milliseconds, performance.now() - start);
      const found = difference(answer, expected[i]);
      pValue = Math.max(pValue, found.pValue);
      // Not Math.max alone: NaN is no number that is taken.
      logits = found.logits > logits || Number.isNaN(found.logits) ? found.logits : logits;
    }
  const rank = (1 + 1e-6) / (calibration.count + 1);
  if (!(pValue <= Math.max(P_VALUE_TOLERANCE, rank) && logits <= LOGITS_TOLERANCE))
    throw new Error(
      `its p-values differ by ${pValue.toPrecision(2)} from those that are expected, its logits by ${logits.toPrecision(2)} of the largest.`,
    );
  return { name, threads: threads(), milliseconds, difference: { pValue, logits }, notes: [] };
}
