import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { parseArgs } from 'node:util';

/** Runs sections one after the other, goes on where one fails, and writes how each went into `docs/full-run.md`. */

interface Section {
  readonly command: string;
  /** Where it is ended, because it hangs: no section takes so long on two quiet cores. */
  readonly minutes: number;
}

const sections: Readonly<Record<string, Section>> = {
  goldens: { command: 'npm run test:golden', minutes: 15 },
  parity: { command: 'npm run test:parity', minutes: 60 },
  training: { command: 'npm run test:training', minutes: 45 },
  recipes: { command: 'npm run test:cluster', minutes: 10 },
  // .ci/run has the package by Node 20.19 and 24.
  installing: { command: 'bash test/install/all.sh 22 26', minutes: 20 },
  benchmarks: { command: 'bash test/bench/all.sh', minutes: 10 },
  kills: { command: 'LA_OOD_KILLS=100 npm run test:kills', minutes: 20 },
  fuzz: { command: 'npm run fuzz -- --minutes 5', minutes: 10 },
  browser: { command: 'npm run test:browser', minutes: 10 },
  examples: { command: 'npm run test:examples', minutes: 5 },
};

/** For all sections that are run; what has not finished by then has failed. Each uses all cores, so they take turns. */
const MINUTES = 90;

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const REPORT = new URL('../docs/full-run.md', import.meta.url);

process.exitCode = await main(parseArgs({ allowPositionals: true }).positionals);

async function main(named: readonly string[]): Promise<number> {
  const unknown = named.find((name) => !(name in sections));
  if (unknown !== undefined) {
    console.error(`${unknown}: there are the sections ${Object.keys(sections).join(', ')}`);
    return 2;
  }
  const total = { passed: 0, failed: 0, skipped: 0 };
  const end = Date.now() + MINUTES * 60_000;
  for (const name of named.length > 0 ? named : Object.keys(sections)) {
    const counts = await runSection(name, sections[name], end);
    for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += counts[key];
  }
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total.failed > 0 ? 1 : 0;
}

async function runSection(name: string, { command, minutes }: Section, end: number): Promise<Counts> {
  console.log(`\n== ${name} (${new Date().toTimeString().slice(0, 8)}): ${command}`);
  const date = new Date();
  const { succeeded, output } = await run(command, Math.min(minutes * 60_000, end - date.getTime()));
  const seconds = Math.round((Date.now() - date.getTime()) / 1000);
  const counts = countTests(output, succeeded);
  const { passed, failed, skipped } = counts;
  writeSection(name, [
    `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC, commit ${commit()}: ` +
      `**${passed} passed, ${failed} failed, ${skipped} skipped**, ${seconds} s`,
    `- \`${command}\``,
    `- ${machine()}`,
    `- ${versions()}`,
    ...failedTests(output).map((title) => `- failed: ${title}`),
  ]);
  return counts;
}

/** What a command prints is shown, and kept to be counted. It runs in a process group, which ends as a whole. */
function run(command: string, limit: number): Promise<{ succeeded: boolean; output: string }> {
  const child = spawn('bash', ['-c', `exec 2>&1; ${command}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const end = (signal: NodeJS.Signals) => process.kill(-child.pid!, signal);
  const timer = setTimeout(
    () => {
      console.log(`ended: it has not finished in ${(limit / 60_000).toFixed(1)} minutes`);
      end('SIGKILL');
    },
    Math.max(0, limit),
  );
  const interrupt = () => {
    end('SIGINT');
    process.exit(130);
  };
  process.once('SIGINT', interrupt);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    process.stdout.write(text);
  });
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      process.off('SIGINT', interrupt);
      resolve({ succeeded: code === 0, output });
    });
  });
}

/** The sum over mocha's counts and plain closing lines. What counts nothing is one test; a failure is never counted as none. */
function countTests(output: string, succeeded: boolean): Counts {
  const sum = (pattern: RegExp) =>
    Array.from(output.matchAll(pattern), ([, count]) => Number(count)).reduce((a, b) => a + b, 0);
  const passed = sum(/^ *(\d+) (?:passing\b|passed, \d+ failed)/gm);
  const failed = sum(/^ *(?:\d+ passed, )?(\d+) (?:failing$|failed, \d+ skipped)/gm);
  const skipped = sum(/^ *(?:\d+ passed, \d+ failed, )?(\d+) (?:pending$|skipped$)/gm);
  if (!succeeded) return { passed, failed: Math.max(failed, 1), skipped };
  return { passed: Math.max(passed, 1), failed, skipped };
}

/** Titles as mocha lists them at the end: the suites and the test on a line each, and a colon. */
function failedTests(output: string): string[] {
  return Array.from(output.matchAll(/^ {2}\d+\) ((?:.+\n)*?.*):\n/gm), ([, lines]) =>
    lines
      .split('\n')
      .map((line) => line.trim())
      .join(' › '),
  );
}

/** Replaces one section of the report; the others keep their date, commit and machine. */
function writeSection(name: string, lines: readonly string[]): void {
  const text = existsSync(REPORT) ? readFileSync(REPORT, 'utf8') : '';
  const written = new Map(
    text
      .split(/^## /m)
      .slice(1)
      .map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n')).trim()]),
  );
  written.set(name, lines.join('\n'));
  const parts = Object.keys(sections).map((key) => `## ${key}\n\n${written.get(key) ?? 'Not run yet.'}\n`);
  const head =
    '# The full run\n\nWritten by `.ci/full [SECTION…]`: how each section went when it was last run.\n';
  writeFileSync(REPORT, [head, ...parts].join('\n'));
}

function commit(): string {
  const changed = first('git', ['status', '--porcelain', '--', '.', ':!docs/full-run.md']) !== '';
  return first('git', ['rev-parse', '--short=10', 'HEAD']) + (changed ? ' with changes' : '');
}

function machine(): string {
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  return `${type()} ${release()}, ${cpus().length} × ${cpus()[0]?.model.trim()}, ${gibibytes} GiB`;
}

function versions(): string {
  const packages = ['onnxruntime-node', 'onnxruntime-web', 'typescript', 'mocha'].map((name) => {
    const { version } = JSON.parse(
      readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8'),
    );
    return `${name} ${version}`;
  });
  const python = `${process.env.LA_OOD_VENV ?? '.venv'}/bin/python`;
  const script = [
    'import platform; from importlib.metadata import distributions',
    'found = {d.name.lower(): d.version for d in distributions()}',
    "names = 'torch torchvision timm transformers pytorch-ood scikit-learn numpy scipy h5py onnx onnxruntime pillow'.split()",
    "print(', '.join(['Python ' + platform.python_version()] + [n + ' ' + found[n] for n in names if n in found]))",
  ];
  return [`Node ${process.versions.node}`, ...packages, first(python, ['-c', script.join('\n')])]
    .filter(Boolean)
    .join(', ');
}

/** What a program prints, nothing where it is not there. */
function first(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}
