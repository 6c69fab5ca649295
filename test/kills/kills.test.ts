import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, watch } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { packageRoot } from '../../src/common/package-root.ts';
import { RandomState } from '../../src/common/random.ts';
import { writeModel } from '../../src/index.ts';
import { commandLine } from '../cli/run.ts';
import { smallBackbone } from '../training/networks.ts';

/*
 * Kills each command by SIGKILL at a random moment of its work, runs it again to its end, and compares all that it wrote,
 * byte for byte, with what it writes undisturbed. LA_OOD_KILLS says how many, LA_OOD_SEED which moments. Its work begins with
 * the first file that it makes: before that a program is loaded, and nothing can be lost.
 */

const kills = Number(process.env.LA_OOD_KILLS ?? 3);

/** What a command starts from, and how it is called in a folder. */
interface Subject {
  readonly before: (folder: string) => Promise<void> | void;
  readonly line: (folder: string) => string[];
}

describe(`Killed at ${kills} random moments`, () => {
  const root = mkdtempSync(join(tmpdir(), 'la-ood-kill-'));
  const random = new RandomState(Number(process.env.LA_OOD_SEED ?? 1));
  const payload = Buffer.from(
    Uint8Array.from({ length: 1 << 20 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24),
  );
  const server = createServer(async (request, response) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(from ? 206 : 200, {
      'content-length': payload.length - from,
      ...(from && { 'content-range': `bytes ${from}-${payload.length - 1}/${payload.length}` }),
    });
    for (let at = from; at < payload.length; at += 1 << 14) {
      response.write(payload.subarray(at, at + (1 << 14)));
      await wait(10);
    }
    response.end();
  });

  // Beside the folders, since a training's chart names it.
  const small = join(root, 'small.onnx');
  const adopt = (folder: string) => cpSync(small, join(folder, 'backbone.onnx'));
  const sets = ['--train', 'demo:train:300', '--test', 'demo:test:120', '--ood', 'noise=demo:noise:60'];
  const features = (folder: string) => [
    'features',
    '--run',
    folder,
    '--ind',
    'demo',
    ...sets,
    ...['--batch', '16', '--corrupted', '20'],
  ];
  const fitting = (folder: string) => ['fit', '--run', folder, '--nu', '.02', '--workers', '2'];
  const subjects: Record<string, Subject> = {
    features: { before: adopt, line: features },
    fit: {
      async before(folder) {
        adopt(folder);
        await whole(features(folder));
      },
      line: fitting,
    },
    guard: {
      // Of a network that was trained: a guard of another one is refused.
      async before(folder) {
        cpSync(new URL('data/demo/backbone.onnx', packageRoot), join(folder, 'backbone.onnx'));
        await whole(features(folder));
      },
      line: (folder) => ['guard', '--run', folder, '--false-alarms', '.1'],
    },
    train: {
      before: () => {},
      line: (folder) => [
        ...['train', '--run', folder, '--from', small, '--batch', '16', '--lr', '.02'],
        ...['--train', 'demo:train:100', '--test', 'demo:test:60', '--epochs', '4', '--crop', '1'],
      ],
    },
    datasets: {
      before: () => {},
      line: (folder) => [
        'datasets',
        '--output',
        folder,
        '--ood',
        'noise=demo:noise:1000',
        'a=demo:shapes:1000',
      ],
    },
    download: { before: () => {}, line: () => [] },
  };
  const alone = new Map<string, { before: string; after: string; ms: number }>();

  /** The command line of a subject in a folder. */
  const lineOf = (name: string, folder: string): string[] => {
    if (name !== 'download') return commandLine(subjects[name].line(folder));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/set.bin`;
    const md5 = createHash('md5').update(payload).digest('hex');
    const module = new URL('dist/data/download/download-file.js', packageRoot).href;
    const file = JSON.stringify({ name: 'set.bin', url, size: payload.length, md5 });
    const script = `const { downloadFile } = await import('${module}');
      await downloadFile(${file}, ${JSON.stringify(folder)}, { backoff: 0.01 });`;
    return [process.execPath, '--input-type=module', '--eval', script];
  };

  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await writeModel(small, smallBackbone());
  });

  after(() => {
    server.close();
    rmSync(root, { recursive: true, force: true });
  });

  /** What a command starts from and ends in when it is left alone, and how long it works; once for all kills. */
  async function undisturbed(name: string) {
    const known = alone.get(name);
    if (known) return known;
    const [before, after] = ['before', 'after'].map((which) => join(root, `${name}-${which}`));
    mkdirSync(before);
    await subjects[name].before(before);
    cpSync(before, after, { recursive: true });
    const begun = firstFile(after).then(() => performance.now());
    await finished(lineOf(name, after));
    const found = { before, after, ms: performance.now() - (await begun) };
    alone.set(name, found);
    return found;
  }

  const names = Object.keys(subjects);
  for (let kill = 0; kill < kills; kill++) {
    const name = names[kill % names.length];
    const moment = random.random();
    it(`${name}, ${(100 * moment).toFixed(0)} % of the way`, async () => {
      const { before, after, ms } = await undisturbed(name);
      const folder = join(root, `${name}-${kill}`);
      cpSync(before, folder, { recursive: true });
      const [program, ...args] = lineOf(name, folder);
      const begun = firstFile(folder);
      const child = spawn(program, args, { stdio: 'ignore' });
      const ended = once(child, 'exit');
      await Promise.race([begun.then(() => wait(moment * ms)), ended]);
      child.kill('SIGKILL');
      await ended;
      await finished(lineOf(name, folder));
      expect(filesIn(folder)).to.deep.equal(filesIn(after));
      for (const file of filesIn(after))
        if (file.endsWith('manifest.json'))
          expect(timeless(folder, file)).to.deep.equal(timeless(after, file));
        else
          expect(readFileSync(join(folder, file)).equals(readFileSync(join(after, file))), file).to.equal(
            true,
          );
      rmSync(folder, { recursive: true });
    });
  }
});

function whole(args: readonly string[]): Promise<void> {
  return finished(commandLine(args));
}

async function finished([program, ...args]: readonly string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  const [exitCode] = await once(child, 'close');
  expect(exitCode, errors.slice(-2000)).to.equal(0);
}

/** Waits until a file is made in a folder. */
async function firstFile(folder: string): Promise<void> {
  const watcher = watch(folder, { persistent: false });
  await once(watcher, 'change');
  watcher.close();
}

/** Every file below a folder, hidden ones too. */
function filesIn(folder: string): string[] {
  const all = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return all.filter((file) => statSync(join(folder, file)).isFile()).sort();
}

/** A manifest without what differs from run to run: times, and the folder's own name. */
function timeless(folder: string, file: string): unknown {
  const text = readFileSync(join(folder, file), 'utf8').replaceAll(folder, 'FOLDER');
  const ofTheRun = ['seconds', 'finished'];
  return JSON.parse(text, (key, value) => (ofTheRun.includes(key) ? undefined : value));
}
