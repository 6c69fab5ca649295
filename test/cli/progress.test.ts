import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { importCheckpoint } from '../../src/index.ts';
import { checkpoint, imageFolder, temporaryFolder } from './files.ts';
import { commandLine, laOod, start } from './run.ts';

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';

describe('la-ood: progress', () => {
  const at = temporaryFolder();

  before(async () => {
    await checkpoint(at('weights.pth'));
    for (const run of ['terminal', 'lines', 'run'])
      await importCheckpoint(at('weights.pth'), at(run, 'backbone.onnx'));
  });

  /** More images than anyone waits for. */
  const long = (run: string) => [
    ...['features', '--run', at(run), '--ood', 'drawn=demo:train:1000000', '--batch', '4'],
  ];

  it('is a bar with rate and ETA on a terminal, which gets its cursor back after Ctrl-C', async function () {
    if (!hasScript()) skip(this.test!, 'util-linux script is missing here');
    const terminal = startOnTerminal(long('terminal'));
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
    const terminal = startOnTerminal(['duplicates', 'demo:test:300', 'demo:shapes']);
    expect(await terminal.exitCode).to.equal(0);
    const text = terminal.text();
    expect(text).to.match(/\[={24}\] 100% (\d+)\/\1 images/);
    expect(text.lastIndexOf(SHOW_CURSOR)).to.be.greaterThan(text.lastIndexOf(HIDE_CURSOR));
    expect(text.slice(text.lastIndexOf(SHOW_CURSOR))).to.include('Compared with the 300 images');
  });

  it('draws nothing on a terminal with --quiet', async function () {
    if (!hasScript()) skip(this.test!, 'util-linux script is missing here');
    const terminal = startOnTerminal(['duplicates', 'demo:test:300', 'demo:shapes', '--quiet', '--json']);
    expect(await terminal.exitCode).to.equal(0);
    expect(JSON.parse(terminal.text())).to.include({ images: 300 });
  });

  it('is a line every five seconds elsewhere, with rate and ETA', async () => {
    const { process, finished } = start(long('lines'));
    const times: number[] = [];
    process.stderr!.on('data', () => {
      times.push(performance.now());
      if (times.length === 3) process.kill('SIGINT');
    });
    const { exitCode, stderr } = await finished;
    expect(exitCode).to.equal(130);
    const line = /^features drawn_test: \d+ of 1000000 images, [\d.]+(\/s| s each), ETA [\d.]+ \w+/;
    const [first, second, third] = stderr.split('\n');
    expect(first).to.match(/^features drawn_test: \d+ of 1000000 images/);
    for (const later of [second, third]) expect(later).to.match(line);
    expect(stderr).not.to.include('\x1b');
    // A loaded machine may be late.
    for (const [a, b] of [times, times.slice(1)])
      expect((b - a) / 1000)
        .above(4)
        .and.below(60);
  });

  it('is told by every command that may take long, beside pure JSON', async () => {
    const run = at('run');
    const features = at('run', 'features', 'ind_test.hdf5');
    const images = await imageFolder(at('images'), 'demo:shapes', 40);
    const sets = ['--train', 'ind=demo:train:200', '--test', 'ind=demo:test:200'];
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
        /^checking files: (\d+) of \1 MB[\s\S]*^fit: 1 of 1 methods[\s\S]*^trying the guard: 256 of 256 images/m,
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
});

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
