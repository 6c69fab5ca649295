import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RunError } from '../../common/errors.ts';
import { packageRoot } from '../../common/package-root.ts';
import { collectGuardFacts } from './collect-guard-facts.ts';

/** A file of the page. */
export interface PageFile {
  /** Where it lies below the page's address: `src/page/page.js`. */
  readonly path: string;
  /** Its media type. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.onnx': 'application/octet-stream',
};

/** What the page may do (Content-Security-Policy): run its own scripts and WebAssembly, and ask nobody else for anything. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "connect-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** onnxruntime-web as the page takes it: the smaller files where it runs on the CPU, the others where there is WebGPU. */
const ONNXRUNTIME = [
  'ort.wasm.min.mjs',
  'ort-wasm-simd-threaded.mjs',
  'ort-wasm-simd-threaded.wasm',
  'ort.webgpu.min.mjs',
  'ort-wasm-simd-threaded.asyncify.mjs',
  'ort-wasm-simd-threaded.asyncify.wasm',
];

const { resolve: resolvePackage } = createRequire(import.meta.url);

/**
 * All files of the page that runs a guarded model in the browser, the model among them; nothing else is asked for by it.
 *
 * @param model a `guarded.onnx` of `guardRun`
 * @throws GraphError where the file is no guarded model; RunError where the page's own files have not been built
 */
export async function guardPage(model: string): Promise<readonly PageFile[]> {
  const facts = await collectGuardFacts(model, `${basename(dirname(resolve(model)))}/${basename(model)}`);
  const onnxruntime = dirname(resolvePackage('onnxruntime-web/wasm'));
  const contents: Record<string, Uint8Array> = {
    ...(await builtFiles()),
    'guard.json': Buffer.from(JSON.stringify(facts)),
    'guarded.onnx': await readFile(model),
  };
  for (const file of ONNXRUNTIME) contents[`onnxruntime/${file}`] = await readFile(join(onnxruntime, file));
  return Object.entries(contents).map(([path, bytes]) => ({ path, type: types[extname(path)], bytes }));
}

/** What `npm run build` made of src/page and of the modules that it shares with Node, by path. */
async function builtFiles(): Promise<Record<string, Uint8Array>> {
  const folder = fileURLToPath(new URL('dist/page/', packageRoot));
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const files = names.filter((name) => extname(name) in types).map((name) => name.replaceAll('\\', '/'));
  if (!files.includes('index.html'))
    throw new RunError(folder, 'does not hold the page', 'npm run build makes it');
  const contents: Record<string, Buffer> = {};
  for (const file of files) contents[file] = await readFile(join(folder, file));
  const html = contents['index.html'].toString().replace('{{policy}}', PAGE_POLICY);
  return { ...contents, 'index.html': Buffer.from(html) };
}
