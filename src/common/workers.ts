import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

/** What a worker thread is started with. */
export interface WorkerSource {
  readonly url: URL;
  readonly execArgv: string[];
}

/**
 * The worker that lies beside the module asking for it: JavaScript when built, TypeScript when run from source. There
 * the thread needs the TypeScript loader too, which it does not inherit from the main thread.
 *
 * @param module the asking module's `import.meta.url`
 * @param name the worker's file name without its extension, for instance `./graph-session.worker`
 */
export function workerSource(module: string, name: string): WorkerSource {
  const extension = module.slice(module.lastIndexOf('.'));
  return {
    url: new URL(name + extension, module),
    execArgv: extension === '.ts' ? ['--import', typescriptLoader()] : [],
  };
}

function typescriptLoader(): string {
  // Resolved as CommonJS does, which works in a test runner too; of the two files there, hooks need the ES module.
  const api = createRequire(import.meta.url)
    .resolve('tsx/esm/api')
    .replace(/cjs$/, 'mjs');
  const preload = `import { register } from '${pathToFileURL(api)}'; register();`;
  return `data:text/javascript,${encodeURIComponent(preload)}`;
}
