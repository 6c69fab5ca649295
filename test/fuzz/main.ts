import { type ChildProcess, fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readers } from './readers.ts';
import { caseOf, type Task, type Told } from './worker.ts';

/*
 * npm run fuzz -- READER… --minutes N: mutated files through the readers of foreign bytes. A finding is an exception that
 * is no LaOodError, an end of the process, more than 5 s, or more than 1 GiB; its file is kept, and the exit code is 1.
 */

const HANG_MS = 5000;
const LARGEST_MIB = 1024;
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

let all = 0;
let bad = 0;
for (const name of names) {
  const { cases, refused, findings } = await fuzz(name, (60_000 * Number(values.minutes)) / names.length);
  all += cases;
  bad += findings;
  const share = ((100 * refused) / Math.max(1, cases)).toFixed(0);
  console.log(
    `${name.padEnd(14)} ${String(cases).padStart(8)} cases, ${share} % refused, ${findings} findings`,
  );
}
console.log(`${all} cases through ${names.length} readers by seed ${values.seed}: ${bad} findings`);
rmSync(process.env.LA_OOD_TEST_FOLDER!, { recursive: true, force: true });
process.exit(bad > 0 ? 1 : 0);

async function fuzz(reader: string, ms: number) {
  const end = Date.now() + ms;
  const seed = Number(values.seed);
  const result = { cases: 0, refused: 0, findings: 0 };
  for (let from = 0; Date.now() < end && result.findings < ENOUGH; ) {
    const { last, refused, finding } = await oneProcess({ reader, seed, from }, end);
    if (finding !== undefined && last < from) throw new Error(`${reader} does not begin: ${finding}`);
    result.cases += last + 1 - from;
    result.refused += refused;
    if (finding !== undefined) {
      result.findings++;
      await keep(reader, seed, last, finding);
    }
    from = last + 1;
  }
  return result;
}

/** Reads cases in a process until the time is over, or there is a finding. */
function oneProcess(task: Task, end: number): Promise<{ last: number; refused: number; finding?: string }> {
  const child: ChildProcess = fork(fileURLToPath(new URL('worker.ts', import.meta.url)), {
    execArgv: ['--import', 'tsx', `--max-old-space-size=${LARGEST_MIB}`],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let last = task.from - 1;
  let refused = 0;
  let errors = '';
  child.stderr!.on('data', (text) => {
    errors = (errors + text).slice(-4000);
  });
  return new Promise((resolve) => {
    let watchdog: NodeJS.Timeout | undefined;
    const done = (finding?: string) => {
      clearTimeout(watchdog);
      clearTimeout(over);
      child.removeAllListeners();
      child.kill('SIGKILL');
      resolve({ last, refused, finding });
    };
    const over = setTimeout(() => done(), Math.max(0, end - Date.now()));
    child.on('message', (told: Told) => {
      if ('begun' in told) {
        last = told.begun;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => done(`takes more than ${HANG_MS / 1000} s`), HANG_MS);
        return;
      }
      clearTimeout(watchdog);
      if (told.refused) refused++;
      if (told.problem !== undefined) done(told.problem);
      else if (told.peakMiB > LARGEST_MIB) done(`takes ${told.peakMiB.toFixed(0)} MiB`);
    });
    child.on('exit', (code, signal) => done(`ends the process (${signal ?? code}): ${errors}`));
    child.send(task);
  });
}

async function keep(reader: string, seed: number, number: number, problem: string): Promise<void> {
  await mkdir(values.findings, { recursive: true });
  const file = join(values.findings, `${reader}-${seed}-${number}`);
  await writeFile(file, caseOf(await readers[reader].seeds(), seed, number));
  console.log(`${file}: ${problem}`);
}
