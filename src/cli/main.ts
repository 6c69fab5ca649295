#!/usr/bin/env node
import { setTimeout as sleep } from 'node:timers/promises';
import { endWorkers } from '../index.ts';
import { calledCommand } from './command-line.ts';
import { progressDisplay } from './progress-display.ts';
import { runCommandLine } from './run-command-line.ts';

/** What a program exits with that was ended by a signal: 128 and the signal's number. */
const signals = { SIGINT: 130, SIGTERM: 143 } as const;

/** How long a graph that is being run may hold the end up, in milliseconds; a step of training takes seconds. */
const PATIENCE = 1000;

const args = process.argv.slice(2);
const { stdout, stderr } = process;
const progress = progressDisplay(stderr);
const interruption = new AbortController();
process.on('exit', () => progress.stop());
exitOnSignals();
exitWhenNobodyReads(stdout);
exitWhenNobodyReads(stderr);
process.exitCode = await runCommandLine(args, { stdout, stderr, progress }, interruption.signal);

/**
 * Ends as soon as no graph is being run, or `PATIENCE` later: files are renamed into place when they are whole, and locks
 * are given back on exit. A second signal ends at once.
 */
function exitOnSignals(): void {
  for (const [signal, exitCode] of Object.entries(signals) as [keyof typeof signals, number][])
    process.on(signal, async () => {
      if (interruption.signal.aborted) return endBy(signal, exitCode);
      interruption.abort();
      progress.stop();
      const { goesOn } = calledCommand(args) ?? {};
      stderr.write(goesOn ? 'interrupted; the same command goes on where it was\n' : 'interrupted\n');
      const ended = await Promise.race([endWorkers().then(() => true), sleep(PATIENCE, false)]);
      if (ended) process.exit(exitCode);
      endBy(signal, exitCode);
    });
}

/**
 * Ends as a program does that does not listen to signals, which the shell sees as the same exit code: onnxruntime would
 * call an exit in the middle of a run a crash.
 */
function endBy(signal: keyof typeof signals, exitCode: number): void {
  process.emit('exit', exitCode);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** `la-ood inspect weights.pth | head` closes the pipe: then there is nobody left to work or to complain for. */
function exitWhenNobodyReads(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(process.exitCode ?? 0);
  });
}
