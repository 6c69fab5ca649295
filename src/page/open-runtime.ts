import type * as Onnxruntime from 'onnxruntime-web';
import { checkImages } from './check-images.ts';
import type { GuardFacts } from './guard-facts.ts';
import { type Difference, difference, type Outputs, outputsOf } from './outputs.ts';

/** What a graph can be run on in a browser. */
export const runtimeNames = ['webgpu', 'wasm'] as const;
export type RuntimeName = (typeof runtimeNames)[number];

/** What runs the model, and how it was found to do. */
export interface RuntimeReport {
  readonly name: RuntimeName;
  /** Of WebAssembly. */
  readonly threads: number;
  /** Milliseconds an image, the fastest of a few. */
  readonly milliseconds: number;
  /** The largest difference to what Node makes of the check images: of a p-value, and of the logits as a share of the largest. */
  readonly difference: Difference;
  /** What was tried and not taken, and why. */
  readonly notes: readonly string[];
}

/** A model that is ready to run. */
export interface Runtime {
  readonly report: RuntimeReport;
  /** @param pixels `height × width × 3` of one image */
  run(pixels: Uint8Array): Promise<Outputs>;
  close(): Promise<void>;
}

/** The largest difference of a p-value to Node that is taken; one rank, where that is more. */
const P_VALUE_TOLERANCE = 0.005;

/** And that of the logits, as a share of the largest. */
const LOGITS_TOLERANCE = 1e-3;

/** What they are called. */
export const runtimeTitles: Readonly<Record<RuntimeName, string>> = { webgpu: 'WebGPU', wasm: 'WebAssembly' };

/**
 * Opens a guarded model with WebGPU and with WebAssembly, has both do the check images, and takes the faster one of those
 * that give Node's numbers.
 *
 * @param only the one to take, where the user names it
 * @throws Error where none does
 */
export async function openRuntime(
  model: Uint8Array,
  facts: GuardFacts,
  only?: RuntimeName,
): Promise<Runtime> {
  const hasGpu = await findGpu();
  const wanted = runtimeNames.filter((name) => (only ?? name) === name && (name === 'wasm' || hasGpu));
  const notes = only === 'webgpu' && !hasGpu ? ['WebGPU: this browser or machine has none.'] : [];
  const tried: Runtime[] = [];
  for (const name of wanted)
    try {
      tried.push(await openWith(name, model, facts));
    } catch (error) {
      notes.push(`${runtimeTitles[name]}: ${(error as Error).message ?? error}`);
    }
  const [fastest, ...others] = tried.sort((a, b) => a.report.milliseconds - b.report.milliseconds);
  if (!fastest) throw new Error(notes.join(' '));
  for (const { report, close } of others) {
    notes.push(
      `${runtimeTitles[report.name]} gives the same numbers, in ${report.milliseconds.toFixed(1)} ms.`,
    );
    await close();
  }
  return { ...fastest, report: { ...fastest.report, notes } };
}

async function findGpu(): Promise<boolean> {
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu;
  return Boolean(await gpu?.requestAdapter().catch(() => undefined));
}

/** onnxruntime-web's build for a runtime; that for WebGPU is twice as large, and lacks operators on the processor. */
async function load(name: RuntimeName): Promise<typeof Onnxruntime> {
  const folder = new URL('../../onnxruntime/', import.meta.url).href;
  const ort: typeof Onnxruntime = await import(`${folder}ort.${name}.min.mjs`);
  ort.env.logLevel = 'error';
  ort.env.wasm.wasmPaths = folder;
  ort.env.wasm.numThreads = threads();
  return ort;
}

/** Threads share memory, which a browser allows to a page that its server isolates from others. */
function threads(): number {
  return globalThis.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
}

/** @throws Error where the model does not run, or gives other numbers than in Node */
async function openWith(name: RuntimeName, model: Uint8Array, facts: GuardFacts): Promise<Runtime> {
  const ort = await load(name);
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [name],
    logSeverityLevel: 3,
  });
  const { height, width } = facts.size;
  const run = async (pixels: Uint8Array) => {
    const input = new ort.Tensor('uint8', pixels, [1, height, width, 3]);
    return outputsOf(await session.run({ pixels: input }), facts.logits);
  };
  let [pValue, logits] = [0, 0];
  let milliseconds = Number.POSITIVE_INFINITY;
  // Twice: in the first round memory is laid out, and shaders are compiled.
  for (let round = 0; round < 2; round++)
    for (const [i, pixels] of checkImages(facts.size).entries()) {
      const start = performance.now();
      const outputs = await run(pixels);
      milliseconds = Math.min(milliseconds, performance.now() - start);
      const found = difference(outputs, facts.expected[i]);
      pValue = Math.max(pValue, found.pValue);
      // Not Math.max alone: NaN is no number that is taken.
      logits = found.logits > logits || Number.isNaN(found.logits) ? found.logits : logits;
    }
  const rank = (1 + 1e-6) / (facts.calibration.count + 1);
  if (!(pValue <= Math.max(P_VALUE_TOLERANCE, rank) && logits <= LOGITS_TOLERANCE))
    throw new Error(
      `its p-values differ by ${pValue.toPrecision(2)} from those of Node, its logits by ${logits.toPrecision(2)} of the largest.`,
    );
  return {
    report: { name, threads: threads(), milliseconds, difference: { pValue, logits }, notes: [] },
    run,
    close: () => session.release(),
  };
}
