#!/usr/bin/env node
import { endWorkers } from '../index.ts';
import { type Call, calledCommand, parseCommandLine } from './command-line.ts';
import { describeFailure } from './failure.ts';
import { LeftOutFiles } from './left-out.ts';
import { progressDisplay } from './progress.ts';

/** What a program exits with that was ended by a signal: 128 and the signal's number. */
const signals = { SIGINT: 130, SIGTERM: 143 } as const;

let interrupted = false;
const progress = progressDisplay(process.stderr);
process.on('exit', () => progress.stop());
exitOnSignals();
exitWhenNobodyReads(process.stdout);
exitWhenNobodyReads(process.stderr);
process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    const call = parseCommandLine(args);
    return call ? await execute(call) : 0;
  } catch (error) {
    // What was at work fails when its workers end; that is no news.
    if (interrupted) return new Promise(() => {});
    progress.stop();
    const { exitCode, line, error: facts } = describeFailure(error);
    const help = ['la-ood', calledCommand(args)?.name, '--help'].filter(Boolean).join(' ');
    if (args.includes('--json')) print(JSON.stringify({ error: facts }, null, 2));
    complain(exitCode === 2 ? `${line} (${help} tells more)` : line);
    if (process.env.LA_OOD_DEBUG) complain(String((error as Error)?.stack ?? error));
    return exitCode;
  }
}

async function execute({ command, values }: Call): Promise<number> {
  const show = values.quiet ? () => {} : progress.show.bind(progress);
  const sets = new LeftOutFiles();
  const { result, text, next, failure } = await command.run(values as never, show, sets.take);
  progress.stop();
  if (values.json) print(JSON.stringify({ ...result, ...sets.result() }, null, 2));
  else {
    print([text, ...sets.lines()].join('\n'));
    if (next && !values.quiet) print(`\n${next}`);
  }
  if (failure) complain(failure);
  if (failure) return 1;
  return values.strict && !sets.isEmpty ? 3 : 0;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}

/**
 * Ends as soon as no graph is being run: files are renamed into place when they are whole, and locks are given back on
 * exit. A second signal ends at once.
 */
function exitOnSignals(): void {
  for (const [signal, exitCode] of Object.entries(signals))
    process.on(signal, async () => {
      if (interrupted) process.exit(exitCode);
      interrupted = true;
      progress.stop();
      complain('interrupted; the same command goes on where it was');
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
