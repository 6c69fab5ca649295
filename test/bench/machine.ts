import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { versions } from '../../src/pipeline/versions.ts';
import { python } from '../parity/python.ts';

/** What the figures depend on: processor, memory, load before the start, versions on both sides. */
export async function machineFacts(): Promise<string> {
  const [{ model }] = cpus();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const theirs = process.env.LA_OOD_PYTHON
    ? await python<Record<string, string>>('../bench/versions.py')
    : { python: 'none (npm run test:parity makes the environment)' };
  return [
    `processor  ${model}, ${availableParallelism()} cores, ${memory}`,
    `load       ${loadavg()[0].toFixed(2)} processes over the last minute; figures count only when it is near 0`,
    `ours       ${list(versions())}`,
    `theirs     ${list(theirs)}`,
  ].join('\n');
}

function list(entries: Record<string, string>): string {
  return Object.entries(entries)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
}
