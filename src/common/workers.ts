/**
 * The file of a worker that lies beside the module asking for it: TypeScript when run from source
 * (the loader is inherited through `execArgv`), JavaScript when built.
 *
 * @param module the asking module's `import.meta.url`
 * @param name the worker's file name without its extension, for instance `./session.worker`
 */
export function workerUrl(module: string, name: string): URL {
  return new URL(name + module.slice(module.lastIndexOf('.')), module);
}
