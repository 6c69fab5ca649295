import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { checkpoint, imageFolder, temporaryFolder } from './files.ts';
import { commandLine, type Finished, laOod, start } from './run.ts';
import { copyBackbone } from './run-states.ts';

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';

describe('la-ood: progress', () => {
  const at = temporaryFolder();

  let slow: SlowDownload;

  before(async () => {
    slow = await slowDownload(at('downloaded'));
    await checkpoint(at('weights.pth'));
    for (const run of ['terminal', 'run']) await copyBackbone(at(run));
  });
  after(() => slow.server.close());

  it('is a bar with rate and ETA on a terminal, which gets its cursor back after Ctrl-C', async function () {
    if (!hasScript()) skip(this.test!, 'util-linux script is missing here');
    // More images than anyone waits for.
    const sets = ['--ood', 'drawn=demo:train:1000000', '--batch', '4'];
    const terminal = startOnTerminal(['features', '--run', at('terminal'), ...sets]);
    const bar = /features drawn_test \[=* *\] \d+% \d+\/1000000 images, [\d.]+(\/s| s each), ETA [\d.]+ \w+/;
    await terminal.until((text) => bar.test(text));
    expect(terminal.text()).to.include(HIDE_CURSOR);
    terminal.type('\x03');
    expect(await terminal.exitCode).to.equal(130);
    const text = terminal.text();
    expect(text).to.include('interrupted; the same command goes on where it was');
    expect(text.lastIndexOf(SHOW_CURSOR)).to.be.greaterThan(text.lastIndexOf(HIDE_CURSOR));
  });

  it('ends on a terminal with a full bar, the cursor, and what was asked for', async function () {
    if (!hasScript()) skip(this.test!, 'util-linux script is missing here');
    const terminal = startOnTerminal(['duplicates', 'demo:test:60', 'demo:shapes:40']);
    expect(await terminal.exitCode).to.equal(0);
    const text = terminal.text();
    expect(text).to.match(/\[={24}\] 100% (\d+)\/\1 images/);
    expect(text.lastIndexOf(SHOW_CURSOR)).to.be.greaterThan(text.lastIndexOf(HIDE_CURSOR));
    expect(text.slice(text.lastIndexOf(SHOW_CURSOR))).to.include('Compared with the 60 images');
  });

  it('draws nothing on a terminal with --quiet', async function () {
    if (!hasScript()) skip(this.test!, 'util-linux script is missing here');
    const terminal = startOnTerminal(['duplicates', 'demo:test:60', 'demo:shapes:40', '--quiet', '--json']);
    expect(await terminal.exitCode).to.equal(0);
    expect(JSON.parse(terminal.text())).to.include({ images: 60 });
  });

  it('is told by every command that may take long, beside pure JSON', async () => {
    const run = at('run');
    const features = at('run', 'features', 'ind_test.hdf5');
    const images = await imageFolder(at('images'), 'demo:shapes', 40);
    const sets = ['--train', 'ind=demo:train:200', '--test', 'ind=demo:test:200', '--corrupted', '20'];
    const commands: [RegExp, ...string[]][] = [
      [/^writing ind: 200 of 200 images/m, 'datasets', '--output', at('sets'), '--test', 'ind=demo:test:200'],
      [
        /^features ind_train: 200 of 200 images/m,
        'features',
        '--run',
        run,
        ...sets,
        '--ood',
        `shapes=${images}`,
      ],
      [
        /^features ind_train: 200 of 200 images/m,
        'features',
        '--run',
        run,
        ...sets,
        '--ood',
        `shapes=${images}`,
      ],
      [
        /^import weights.pth: 0 of 4 steps reading it\n[\s\S]*^import weights.pth: 4 of 4 steps/m,
        ...['import', at('weights.pth'), at('imported.onnx')],
      ],
      [
        /^import imported.onnx: 0 of 3 steps reading it\n[\s\S]*^import imported.onnx: 3 of 3 steps/m,
        ...['import', at('imported.onnx'), at('again.onnx')],
      ],
      [/^fit: \d+ of \d+ layers/m, 'fit', '--run', run],
      [/^measure: \d+ of \d+ scores[\s\S]*^report: 2 of 2 sets/m, 'evaluate', '--run', run],
      [
        /^checking files: (\d+) of \1 MB[\s\S]*^fit: (\d+) of \2 methods[\s\S]*^trying the guard: 256 of 256 images/m,
        'guard',
        '--run',
        run,
      ],
      [/^score \S+: 40 of 40 images/m, 'score', at('run', 'guarded.onnx'), images],
      [/^score \S+: 40 of 40 images/m, 'monitor', at('run', 'guarded.onnx'), images],
      [/^comparing \S+: 40 of 40 images/m, 'duplicates', 'demo:test:200', images],
      [/^compare: (\d+) of \1 rows/m, 'compare', features, features],
      [/^checking files: (\d+) of \1 MB/m, 'inspect', run],
    ];
    for (const [told, ...args] of commands) {
      const { exitCode, stdout, stderr } = await laOod(...args, '--json');
      expect(exitCode, stderr).to.equal(0);
      expect(stderr, args[0]).to.match(told).and.not.include('\x1b');
      expect(JSON.parse(stdout), args[0]).to.be.an('object');
    }
    const { stdout, stderr } = await laOod('inspect', run, '--quiet', '--json');
    expect(stderr).to.equal('');
    expect(JSON.parse(stdout)).to.have.property('kind', 'run');
  });

  // The last, since it has gone on beside the others.
  it('is a line every five seconds elsewhere, with rate and ETA', async () => {
    const { exitCode, stderr } = await slow.finished;
    expect(exitCode).to.equal(130);
    const [first, ...later] = stderr.split('\n').slice(0, 3);
    expect(first).to.match(/^downloading test_32x32\.mat: \d+ of 64276 kB/);
    for (const line of later)
      expect(line).to.match(
        /^downloading test_32x32\.mat: \d+ of 64276 kB, [\d.]+(\/s| s each), ETA [\d.]+ \w+/,
      );
    expect(stderr).not.to.include('\x1b');
    // A loaded machine may be late.
    const { times } = slow;
    for (const [a, b] of [times, times.slice(1)])
      expect((b - a) / 1000)
        .above(4)
        .and.below(60);
  });
});

interface SlowDownload {
  readonly server: Server;
  /** When it told how far it is, in milliseconds; it is interrupted at the third time. */
  readonly times: readonly number[];
  readonly finished: Promise<Finished>;
}

/** A download that takes an hour, and no work. */
async function slowDownload(folder: string): Promise<SlowDownload> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-length': 64_275_384 });
    const more = setInterval(() => response.write(Buffer.alloc(2000)), 100);
    response.on('close', () => clearInterval(more));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { process, finished } = start(['download', 'svhn', '--output', folder, '--mirror', mirror]);
  const times: number[] = [];
  process.stderr!.on('data', () => {
    times.push(performance.now());
    if (times.length === 3) process.kill('SIGINT');
  });
  return { server, times, finished };
}

function hasScript(): boolean {
  return spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') ?? false;
}

function skip(test: Mocha.Runnable, why: string): never {
  test.title += ` (${why})`;
  return (test as Mocha.Test).skip() as never;
}

interface Terminal {
  /** What it has shown, escape codes and all. */
  text(): string;
  type(keys: string): void;
  until(holds: (text: string) => boolean): Promise<void>;
  readonly exitCode: Promise<number | null>;
}

/** Runs la-ood on a pseudo-terminal. */
function startOnTerminal(args: readonly string[]): Terminal {
  const quoted = commandLine(args).map((word) => `'${word}'`);
  const child: ChildProcess = spawn('script', ['-qefc', `exec ${quoted.join(' ')}`, '/dev/null'], {
    env: { ...process.env, SHELL: '/bin/sh', TERM: 'xterm', LA_OOD_DEBUG: '' },
  });
  let shown = '';
  let look = () => {};
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    look();
  });
  return {
    text: () => shown,
    type: (keys) => child.stdin!.write(keys),
    until: (holds) =>
      new Promise((resolve, reject) => {
        look = () => holds(shown) && resolve();
        look();
        child.on('close', () => reject(new Error(`it ended with: ${shown}`)));
      }),
    exitCode: new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    }),
  };
}
