#!/usr/bin/env node
import { endWorkers } from '../index.ts';
import { progressDisplay } from './progress.ts';
import { runCommandLine } from './run-command-line.ts';

/** What a program exits with that was ended by a signal: 128 and the signal's number. */
const signals = { SIGINT: 130, SIGTERM: 143 } as const;

const { stdout, stderr } = process;
const progress = progressDisplay(stderr);
const interruption = new AbortController();
process.on('exit', () => progress.stop());
exitOnSignals();
exitWhenNobodyReads(stdout);
exitWhenNobodyReads(stderr);
process.exitCode = await runCommandLine(
  process.argv.slice(2),
  { stdout, stderr, progress },
  interruption.signal,
);

/**
 * Ends as soon as no graph is being run: files are renamed into place when they are whole, and locks are given back on
 * exit. A second signal ends at once.
 */
function exitOnSignals(): void {
  for (const [signal, exitCode] of Object.entries(signals))
    process.on(signal, async () => {
      if (interruption.signal.aborted) process.exit(exitCode);
      interruption.abort();
      progress.stop();
      stderr.write('interrupted; the same command goes on where it was\n');
      await endWorkers();
      process.exit(exitCode);
    });
}

/** `la-ood inspect weights.pth | head` closes the pipe: then there is nobody left to work or to complain for. */
function exitWhenNobodyReads(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(process.exitCode ?? 0);
  });
}
