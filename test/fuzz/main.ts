import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readers } from './readers.ts';
import { caseOf, TOLD, type Told } from './worker.ts';

/*
 * npm run fuzz -- READER… --minutes N: mutated files through the readers of foreign bytes. A finding is an exception that
 * is no LaOodError, an end of the process, more than 5 s, or more than 1 GiB; its file is kept, and the exit code is 1.
 */

const HANG_MS = 5000;
/** A process that has not begun after this long does not begin. */
const START_MS = 60_000;
const LARGEST_MIB = 1024;
/** Readers at a time: one waits for files and threads for most of its time. */
const AT_ONCE = 4;
/** Findings of one reader, after which nothing new is learned. */
const ENOUGH = 20;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    findings: { type: 'string', default: join(tmpdir(), 'la-ood-findings') },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(readers);
const unknown = names.find((name) => !Object.hasOwn(readers, name));
if (unknown !== undefined) {
  console.error(`${unknown}: there is no such reader; there are ${Object.keys(readers).join(', ')}`);
  process.exit(2);
}

const lanes = Math.min(AT_ONCE, names.length);
const waiting = names.values();
let all = 0;
let bad = 0;
await Promise.all(
  Array.from({ length: lanes }, async () => {
    for (const name of waiting) await report(name, (60_000 * Number(values.minutes) * lanes) / names.length);
  }),
);
console.log(`${all} cases through ${names.length} readers by seed ${values.seed}: ${bad} findings`);
rmSync(process.env.LA_OOD_TEST_FOLDER!, { recursive: true, force: true });
process.exit(bad > 0 ? 1 : 0);

async function report(name: string, ms: number): Promise<void> {
  const { cases, refused, findings } = await fuzz(name, ms);
  all += cases;
  bad += findings;
  const share = ((100 * refused) / Math.max(1, cases)).toFixed(0);
  console.log(
    `${name.padEnd(14)} ${String(cases).padStart(8)} cases, ${share} % refused, ${findings} findings`,
  );
}

async function fuzz(reader: string, ms: number) {
  const end = Date.now() + ms;
  const seed = Number(values.seed);
  const result = { cases: 0, refused: 0, findings: 0 };
  for (let from = 0; Date.now() < end && result.findings < ENOUGH; ) {
    const { cases, refused, finding, begins } = await oneProcess(reader, seed, from, end);
    if (finding !== undefined && !begins) throw new Error(`${reader} does not begin: ${finding}`);
    result.cases += cases;
    result.refused += refused;
    from += cases;
    if (finding === undefined) continue;
    result.findings++;
    await keep(reader, seed, from - 1, finding);
  }
  return result;
}

/** What became of the cases that a process read: all of them in order, the last one a finding where there is one. */
interface Stretch {
  readonly cases: number;
  readonly refused: number;
  readonly begins: boolean;
  readonly finding?: string;
}

/** Reads cases in a process until the time is over, or there is a finding. */
function oneProcess(reader: string, seed: number, from: number, end: number): Promise<Stretch> {
  const worker = fileURLToPath(new URL('worker.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', `--max-old-space-size=${LARGEST_MIB}`, worker, reader, String(seed), String(from)],
    { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] },
  );
  let cases = 0;
  let refused = 0;
  let begins = false;
  let errors = '';
  child.stderr!.on('data', (text) => {
    errors = (errors + text).slice(-4000);
  });
  return new Promise((resolve) => {
    const done = (finding?: string) => {
      clearTimeout(watchdog);
      clearTimeout(over);
      child.removeAllListeners();
      lines.removeAllListeners();
      child.kill('SIGKILL');
      resolve({ cases, refused, begins, finding });
    };
    /** The case that is being read is one. */
    const findCase = (finding: string) => {
      if (begins) cases++;
      done(finding);
    };
    const over = setTimeout(() => done(), Math.max(0, end - Date.now()));
    let watchdog = setTimeout(() => done('takes too long'), START_MS);
    const lines = createInterface({ input: child.stdio[TOLD] as Readable });
    lines.on('line', (line) => {
      const told: Told = JSON.parse(line);
      if ('begins' in told) {
        begins = true;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => findCase(`takes more than ${HANG_MS / 1000} s`), HANG_MS);
        return;
      }
      watchdog.refresh();
      cases++;
      if (told.refused) refused++;
      if (told.problem !== undefined) done(told.problem);
      else if (told.peakMiB > LARGEST_MIB) done(`takes ${told.peakMiB.toFixed(0)} MiB`);
    });
    child.on('close', (code, signal) => findCase(`ends the process (${signal ?? code}): ${errors}`));
  });
}

async function keep(reader: string, seed: number, number: number, problem: string): Promise<void> {
  await mkdir(values.findings, { recursive: true });
  const file = join(values.findings, `${reader}-${seed}-${number}`);
  await writeFile(file, caseOf(await readers[reader].seeds(), seed, number));
  console.log(`${file}: ${problem}`);
}
