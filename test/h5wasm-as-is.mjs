import { register } from 'node:module';

/**
 * Loads h5wasm as it is: tsx looks for imports to rewrite in the four megabytes of WebAssembly within its JavaScript, which
 * takes each process that tests run in three seconds.
 */
const hooks = `
  import { readFile } from 'node:fs/promises';

  export async function load(url, context, next) {
    if (!url.includes('/node_modules/h5wasm/')) return next(url, context);
    return { format: 'module', source: await readFile(new URL(url)), shortCircuit: true };
  }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
