import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runDemo } from '../../src/index.ts';

let running: Promise<string> | undefined;

/** The run folder of the demo, which is made once for all suites. Nothing in it may be changed. */
export function demoRun(): Promise<string> {
  running ??= makeRun();
  return running;
}

after(async () => {
  if (running) await rm(await running, { recursive: true, force: true });
});

async function makeRun(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'la-ood-demo-'));
  await runDemo(folder);
  return folder;
}
