import { existsSync } from 'node:fs';
import { copyFile, cp } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { python } from '../parity/python.ts';
import { type Program, startProgram, startRecipe, until } from './processes.ts';

/** A server that answers. */
export interface Triton {
  readonly program: Program;
  readonly url: string;
}

/**
 * Starts Triton's server, as the package `nvidia-pytriton` has it, with the repository that the recipe makes of a model.
 * `triton-backend.py` stands in for its onnxruntime backend.
 *
 * @returns what is missing, where it cannot be started here
 */
export async function startTriton(
  model: string,
  at: (...parts: string[]) => string,
): Promise<Triton | string> {
  const { packages, numpy1, version } = await python<Record<string, string>>('../cluster/environment.py');
  const home = join(packages, 'pytriton', 'tritonserver');
  const stub = join(home, 'python_backend_stubs', version, 'triton_python_backend_stub');
  if (![stub, numpy1].every(existsSync)) return 'there is no Triton server for this machine and Python';
  const libraries = startProgram('ldd', [stub]);
  await libraries.finished;
  const missing = /(\S+) => not found/.exec(libraries.printed());
  if (missing) return `${missing[1]} is missing here`;

  await startRecipe('triton_repository.py', [model, at('repository')]).finished;
  const backends = at('backends');
  await cp(join(home, 'backends'), backends, { recursive: true });
  await copyFile(stub, join(backends, 'python', 'triton_python_backend_stub'));
  await cp(new URL('triton-backend.py', import.meta.url), join(backends, 'onnxruntime', 'model.py'));
  const port = String(await freePort());
  const program = startProgram(
    join(home, 'bin', 'tritonserver'),
    [
      ...['--model-repository', at('repository'), '--backend-directory', backends],
      ...['--http-address', '127.0.0.1', '--http-port', port],
      ...['--allow-grpc=false', '--allow-metrics=false', '--allow-gpu-metrics=false'],
    ],
    { LD_LIBRARY_PATH: join(packages, 'nvidia_pytriton.libs'), LA_OOD_PACKAGES: `${numpy1}:${packages}` },
  );
  await until(program, () => program.printed().includes('Started HTTPService'));
  return { program, url: `127.0.0.1:${port}` };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
