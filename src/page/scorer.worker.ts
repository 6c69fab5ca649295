import type * as Onnxruntime from 'onnxruntime-web';
import { resize } from '../../data/resample.ts';
import { decodeFile } from '../browser/decode-file.ts';
import { openRuntime, type Runtime, type RuntimeName } from '../browser/open-browser-guard.ts';
import { scanOutline } from '../graph/outline.ts';
import { type GuardInfo, guardInfo } from '../guard/guard-info.ts';
import type { FromScorer, ToScorer } from './scorer.ts';

/** Decodes, resizes and scores, so that the page can be used meanwhile. One image after the other. */

let runtime: Runtime | undefined;
let size: GuardInfo['size'];
let last: Promise<void> = Promise.resolve();

addEventListener('message', ({ data }: MessageEvent<ToScorer>) => {
  last = last.then(() => ('facts' in data ? open(data) : score(data)));
});

async function open({ facts, only }: Extract<ToScorer, { facts: unknown }>): Promise<void> {
  try {
    const model = await fetchModel(facts.bytes);
    const info = guardInfo(scanOutline(model, facts.name), facts.name);
    size = info.size;
    runtime = await openRuntime(model, info, { runtime: only, expected: facts.expected, onnxruntime });
    post({ opened: runtime.report });
  } catch (error) {
    post({ failed: String((error as Error).message ?? error) });
  }
}

async function fetchModel(length: number): Promise<Uint8Array> {
  const response = await fetch(new URL('../../guarded.onnx', import.meta.url));
  if (!response.ok) throw new Error(`guarded.onnx: ${response.status} ${response.statusText}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes.length !== length)
    throw new Error('guarded.onnx is not the file that guard.json tells of; write the page again');
  return bytes;
}

/** onnxruntime-web as it comes with the page, which no bundler has been at. */
async function onnxruntime(name: RuntimeName): Promise<typeof Onnxruntime> {
  const folder = new URL('../../onnxruntime/', import.meta.url).href;
  const ort: typeof Onnxruntime = await import(`${folder}ort.${name}.min.mjs`);
  ort.env.wasm.wasmPaths = folder;
  return ort;
}

async function score({ id, file, name }: Extract<ToScorer, { id: number }>): Promise<void> {
  try {
    if (!runtime) throw new Error('the model could not be opened');
    const start = performance.now();
    const { image, note } = await decodeFile(file, name, size.background);
    const pixels = resize(image, size);
    const decoded = performance.now();
    const [answer] = await runtime.run(pixels, 1);
    const milliseconds = { decode: decoded - start, run: performance.now() - decoded };
    const { height, width } = image;
    post({ id, scored: { answer, pixels, stored: { height, width }, milliseconds, note } });
  } catch (error) {
    post({ id, error: String((error as Error).message ?? error) });
  }
}

function post(message: FromScorer): void {
  postMessage(message);
}
