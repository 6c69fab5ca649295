import { type Call, calledCommand, parseCommandLine } from './command-line.ts';
import { describeFailure } from './failure.ts';
import { LeftOutFiles } from './left-out.ts';
import type { ProgressDisplay } from './progress-display.ts';

/** What a command line writes to. */
export interface Terminal {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** Draws on `stderr`. */
  readonly progress: ProgressDisplay;
}

/**
 * Runs a command line to its end.
 *
 * @param args the arguments after the program's name
 * @param interruption where it is aborted, an error is not told of: what was at work fails when its workers end
 * @returns the exit code
 */
export async function runCommandLine(
  args: readonly string[],
  terminal: Terminal,
  interruption?: AbortSignal,
): Promise<number> {
  try {
    const call = parseCommandLine(args);
    return call ? await execute(call, terminal) : 0;
  } catch (error) {
    if (interruption?.aborted) return new Promise(() => {});
    terminal.progress.stop();
    const { exitCode, line, error: facts } = describeFailure(error);
    const help = ['la-ood', calledCommand(args)?.name, '--help'].filter(Boolean).join(' ');
    if (args.includes('--json')) writeLine(terminal.stdout, JSON.stringify({ error: facts }, null, 2));
    writeLine(terminal.stderr, exitCode === 2 ? `${line} (${help} tells more)` : line);
    if (process.env.LA_OOD_DEBUG) writeLine(terminal.stderr, String((error as Error)?.stack ?? error));
    return exitCode;
  }
}

async function execute({ command, values }: Call, { stdout, stderr, progress }: Terminal): Promise<number> {
  const show = values.quiet ? () => {} : progress.show.bind(progress);
  const sets = new LeftOutFiles();
  const { result, text, next, failure } = await command.run(values as never, show, sets.take);
  progress.stop();
  if (values.json) writeLine(stdout, JSON.stringify({ ...result, ...sets.result() }, null, 2));
  else {
    writeLine(stdout, [text, ...sets.lines()].join('\n'));
    if (next && !values.quiet) writeLine(stdout, `\n${next}`);
  }
  if (failure) writeLine(stderr, failure);
  if (failure) return 1;
  return values.strict && !sets.isEmpty ? 3 : 0;
}

function writeLine(stream: NodeJS.WritableStream, text: string): void {
  stream.write(`${text}\n`);
}
