import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parentPort, Worker, type WorkerOptions } from 'node:worker_threads';

/** What a worker is sent so that it ends. */
const END = 'end';

const running = new Set<Worker>();

/**
 * Starts the worker that lies beside the module asking for it: JavaScript when built, TypeScript when run from source.
 *
 * @param module the asking module's `import.meta.url`
 * @param name the worker's file name without its extension, for instance `./graph-session.worker`
 * @param workerData what the worker finds under this name
 * @param limits the memory that its JavaScript may take
 */
export function startWorker(
  module: string,
  name: string,
  workerData?: unknown,
  limits?: Pick<WorkerOptions, 'resourceLimits'>,
): Worker {
  const extension = module.slice(module.lastIndexOf('.'));
  const source = new URL(name + extension, module);
  const options = { workerData, execArgv: [], ...limits };
  const worker =
    extension === '.ts'
      ? new Worker(throughTypescriptLoader(source), { eval: true, ...options })
      : new Worker(source, options);
  running.add(worker);
  worker.once('exit', () => running.delete(worker));
  return worker;
}

/**
 * In a worker: answers messages, until it is told to end.
 *
 * @param handle may throw; then the main thread's `Worker` has an error
 */
export function onMessage<Message>(handle: (message: Message) => unknown): void {
  parentPort!.on('message', (message: Message | typeof END) => {
    // In a worker this ends the thread, not the process.
    if (message === END) process.exit();
    handle(message as Message);
  });
}

/**
 * Ends a worker as soon as it looks at its messages, which is between two runs of onnxruntime: terminated within one,
 * onnxruntime would abort the whole process.
 */
export async function endWorker(worker: Worker): Promise<void> {
  if (!running.has(worker)) return;
  const ended = once(worker, 'exit');
  worker.postMessage(END);
  await ended;
}

/**
 * Ends all workers, so that the process can exit; what waits for them fails.
 *
 * @example
 * ```ts
 * import { endWorkers } from 'la-ood';
 *
 * process.once('SIGTERM', async () => {
 *   await endWorkers();
 *   process.exit(143);
 * });
 * ```
 */
export async function endWorkers(): Promise<void> {
  await Promise.all(Array.from(running, endWorker));
}

/**
 * A script that runs a module of TypeScript: a thread does not inherit the loader from the main thread. As CommonJS the
 * loader starts in a third of the time that it takes as an ES module, and takes no top-level await.
 */
function throughTypescriptLoader(module: URL): string {
  const loader = createRequire(import.meta.url).resolve('tsx/cjs/api');
  const [api, source] = [loader, fileURLToPath(module)].map((path) => JSON.stringify(path));
  return `require(${api}).register(); require(${source});`;
}
