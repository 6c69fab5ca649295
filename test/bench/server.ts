import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { UsageError } from '../../src/common/errors.ts';
import { installExample } from '../examples/files.ts';
import { type Bench, count, inTemporaryFolder, median } from './bench.ts';

/** The example server beside the same server with the bare classifier. */
export const server: Bench = {
  about: 'the example server under load, beside the same server with the bare classifier and sharp',
  python: false,
  options: {
    model: { about: 'a guarded.onnx (required)' },
    images: { about: 'a folder of JPEG or PNG files to upload (required)' },
    connections: { about: 'clients at a time', default: '32' },
    seconds: { about: 'of each of three rounds', default: '10' },
    memory: { about: 'seconds of load over which memory is watched', default: '60' },
  },
  async run(values) {
    const { model, images } = values;
    if (!model || !images) throw new UsageError('--model and --images', 'are required');
    const uploads = await uploadsOf(images);
    const [connections, seconds] = [count(values, 'connections'), count(values, 'seconds')];
    await inTemporaryFolder(async (folder) => {
      await installExample('server', folder);
      const bareServer = fileURLToPath(new URL('server-bare.ts', import.meta.url));
      const starts = {
        bare: ['--import', import.meta.resolve('tsx'), bareServer, resolve(model), folder],
        guarded: ['server.js', resolve(model), '0'],
      };
      const rounds: Record<keyof typeof starts, Load[]> = { bare: [], guarded: [] };
      console.log(
        `\n${connections} connections, ${uploads.length} images\n\nserver   requests/s  p50 ms  p99 ms  failed`,
      );
      for (let round = 0; round < 3; round++)
        for (const name of ['bare', 'guarded'] as const) {
          // Alone: threads of another open session would look for work meanwhile.
          const running = await start(starts[name], folder);
          await load(running.url, uploads, connections, 2);
          const found = await load(running.url, uploads, connections, seconds);
          rounds[name].push(found);
          console.log(`${name.padEnd(8)} ${rowOf(found)}`);
          await stop(running.process);
        }
      const of = (name: keyof typeof starts, what: keyof Load) =>
        median(rounds[name].map((one) => one[what]));
      console.log(
        `\nguarded / bare: ${(of('guarded', 'rate') / of('bare', 'rate')).toFixed(2)} × the requests/s, ${(of('guarded', 'p99') / of('bare', 'p99')).toFixed(2)} × the p99`,
      );
      const running = await start(starts.guarded, folder);
      await watchMemory(running, uploads, connections, count(values, 'memory'));
      await stop(running.process);
    });
  },
};

interface Upload {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

async function uploadsOf(folder: string): Promise<Upload[]> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.(jpe?g|png)$/i.test(name));
  if (names.length === 0) throw new UsageError('--images', `${folder} has no JPEG or PNG files`);
  return Promise.all(
    names.slice(0, 100).map(async (name) => ({
      body: await readFile(join(folder, name)),
      headers: { 'Content-Type': name.endsWith('png') ? 'image/png' : 'image/jpeg' },
    })),
  );
}

interface Running {
  readonly process: ChildProcess;
  readonly url: string;
}

async function start(args: readonly string[], cwd: string): Promise<Running> {
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let log = '';
  const url = await new Promise<string>((found, failed) => {
    child.once('exit', () => failed(new Error(`the server ended: ${log}`)));
    child.stdout!.on('data', (part) => {
      if (log.length < 10_000) log += part;
      const [, address] = /listening at (http:\/\/127\.0\.0\.1:\d+)/.exec(log) ?? [];
      if (address) found(address);
    });
  });
  return { process: child, url };
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

interface Load {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly failed: number;
}

async function load(
  url: string,
  uploads: readonly Upload[],
  connections: number,
  duration: number,
): Promise<Load> {
  const { requests, latency, non2xx, errors } = await autocannon({
    url: `${url}/score`,
    connections,
    duration,
    requests: uploads.map(({ body, headers }) => ({ method: 'POST', path: '/score', body, headers })),
  });
  return { rate: requests.average, p50: latency.p50, p99: latency.p99, failed: non2xx + errors };
}

function rowOf({ rate, p50, p99, failed }: Load): string {
  return `${rate.toFixed(1).padStart(10)}${String(p50).padStart(8)}${String(p99).padStart(8)}${String(failed).padStart(8)}`;
}

/** Resident memory of the server's process, by the second. */
async function watchMemory(
  { url, process: { pid } }: Running,
  uploads: readonly Upload[],
  connections: number,
  seconds: number,
): Promise<void> {
  let isLoaded = true;
  const loading = load(url, uploads, connections, seconds).finally(() => {
    isLoaded = false;
  });
  const sizes: number[] = [];
  while (isLoaded) {
    await sleep(1000);
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    sizes.push(Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024);
  }
  await loading;
  const fifth = Math.floor(sizes.length / 5);
  const parts = [1, 2, 3, 4].map((part) => median(sizes.slice(part * fifth, (part + 1) * fifth)).toFixed(0));
  console.log(`memory over ${seconds} s, MiB, median of each fifth after the first: ${parts.join(', ')}`);
}
