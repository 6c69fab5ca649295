import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { versions } from '../../src/pipeline/versions.ts';
import { python } from '../parity/python.ts';
import type { Bench } from './bench.ts';

/** What the figures of a bench depend on: processor, memory, load before the start, versions on both sides. */
export async function machineFacts({ python: isBesidePython }: Bench): Promise<string> {
  const [{ model }] = cpus();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const facts = [
    `processor  ${model}, ${availableParallelism()} cores, ${memory}`,
    `load       ${loadavg()[0].toFixed(2)} processes over the last minute; figures count only when it is near 0`,
    `ours       ${list(versions())}`,
  ];
  if (isBesidePython) facts.push(`theirs     ${list(await theirVersions())}`);
  return facts.join('\n');
}

async function theirVersions(): Promise<Record<string, string>> {
  if (!process.env.LA_OOD_PYTHON) return { python: 'none (npm run test:parity makes the environment)' };
  return python('../bench/versions.py');
}

function list(entries: Record<string, string>): string {
  return Object.entries(entries)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
}
