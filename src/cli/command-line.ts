import yargs, { type Argv, type Options } from 'yargs';
import { programVersion, UsageError } from '../index.ts';
import type { Command, Option } from './command.ts';
import { benchmarkCommand } from './commands/benchmark.ts';
import { compareCommand } from './commands/compare.ts';
import { cotrainCommand } from './commands/cotrain.ts';
import { datasetsCommand } from './commands/datasets.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { downloadCommand } from './commands/download.ts';
import { duplicatesCommand } from './commands/duplicates.ts';
import { evaluateCommand } from './commands/evaluate.ts';
import { exportCommand } from './commands/export.ts';
import { featuresCommand } from './commands/features.ts';
import { fitCommand } from './commands/fit.ts';
import { guardCommand } from './commands/guard.ts';
import { importCommand } from './commands/import.ts';
import { inspectCommand } from './commands/inspect.ts';
import { monitorCommand } from './commands/monitor.ts';
import { scoreCommand } from './commands/score.ts';
import { serveCommand } from './commands/serve.ts';
import { trainCommand } from './commands/train.ts';
import { usageError, wrongChoice } from './usage.ts';

/** Every command, in the order in which one works. */
export const commands: readonly Command[] = [
  demoCommand,
  trainCommand,
  importCommand,
  exportCommand,
  inspectCommand,
  downloadCommand,
  datasetsCommand,
  duplicatesCommand,
  featuresCommand,
  fitCommand,
  evaluateCommand,
  benchmarkCommand,
  cotrainCommand,
  guardCommand,
  scoreCommand,
  monitorCommand,
  serveCommand,
  compareCommand,
  doctorCommand,
];

/** What every command takes. */
const commonOptions = {
  json: { type: 'boolean', describe: 'print the result as JSON, and nothing else on standard output' },
  quiet: { type: 'boolean', describe: 'no progress and no advice' },
  strict: { type: 'boolean', describe: 'exit code 3 where files in a set of images are not read' },
} as const satisfies Record<string, Options>;

/** A command with the values that it was called with. */
export interface Call {
  readonly command: Command;
  readonly values: Readonly<Record<string, unknown>>;
}

/** The command that a command line names, rightly or wrongly used. */
export function calledCommand(args: readonly string[]): Command | undefined {
  return commands.find(({ name }) => args.includes(name));
}

/**
 * Reads a command line. `--help` and `--version` are answered here.
 *
 * @param args the arguments after the program's name
 * @returns the call; undefined where there is nothing left to do
 * @throws UsageError where they make no sense
 */
export function parseCommandLine(args: readonly string[]): Call | undefined {
  let call: Call | undefined;
  // Of several positionals, yargs drops one that is a lone dash.
  const parser = yargs(args.map((arg) => (arg === '-' ? 'stdin:' : arg)))
    .scriptName('la-ood')
    .usage('$0 <command>\n\nFinds inputs that a classifier was not trained for.')
    // Messages are recognised by their text below.
    .locale('en')
    .parserConfiguration({ 'boolean-negation': false, 'dot-notation': false })
    .options(commonOptions)
    .strict()
    .demandCommand(1, 1, 'no command was given')
    .version(programVersion)
    .alias({ help: 'h' })
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .epilogue(
      'la-ood COMMAND --help tells more. Errors: exit code 1 bad input or failed check, 2 wrong usage, 3 something left out under --strict.',
    )
    .exitProcess(false)
    .fail((message, error) => {
      // The parser of yargs throws what it has to complain about, and calls it a YError.
      if (error && error.name !== 'YError') throw error;
      throw usageError(
        message || error.message,
        args,
        calledCommand(args),
        commands,
        Object.keys(commonOptions),
      );
    });
  for (const command of commands)
    parser.command({
      command: [command.name, ...Object.entries(command.positionals).map(placeholder)].join(' '),
      describe: command.summary,
      builder: (y) => declare(y, command),
      handler: (values) => {
        checkValues(command, values);
        call = { command, values };
      },
    });
  // For errors after a command's handler, yargs lays its help out in every run: that takes a tenth of a second.
  (parser as unknown as YargsInternals).getInternalMethods().getUsageInstance().cacheHelpMessage = () => {};
  parser.parseSync();
  return call;
}

/** What the types of yargs do not tell. */
interface YargsInternals {
  getInternalMethods(): { getUsageInstance(): { cacheHelpMessage: () => void } };
}

function placeholder([name, { demandOption, array }]: [string, Option]): string {
  const names = array ? `${name}..` : name;
  return demandOption === false ? `[${names}]` : `<${names}>`;
}

function declare(parser: Argv, { summary, positionals, options, examples }: Command): Argv {
  parser.usage(summary);
  for (const [name, option] of Object.entries(positionals))
    parser.positional(name, { ...toYargs(option), type: 'string' });
  for (const [name, option] of Object.entries(options)) parser.option(name, toYargs(option));
  for (const [line, purpose] of examples) parser.example(`$0 ${line}`, purpose);
  return parser;
}

/** Choices are only described to yargs, which would refuse a wrong one in several lines and without advice. */
function toYargs({ choices, check: _check, ...option }: Option): Options {
  const text = choices ? `${option.describe}: ${choices.join(', ')}` : option.describe;
  return { type: choices && 'string', requiresArg: option.type !== 'boolean', ...option, describe: text };
}

function checkValues(command: Command, values: Readonly<Record<string, unknown>>): void {
  for (const [name, option] of Object.entries(command.positionals)) checkValue(name, option, values[name]);
  for (const [name, option] of Object.entries(command.options)) checkValue(`--${name}`, option, values[name]);
}

function checkValue(where: string, option: Option, value: unknown): void {
  if (value === undefined) return;
  const { array, choices, check } = option;
  if (Array.isArray(value) && !array) throw new UsageError(where, 'is given more than once');
  for (const item of [value].flat() as (string | number)[]) {
    if (Number.isNaN(item)) throw new UsageError(where, 'is not a number');
    if (item === '') throw new UsageError(where, 'is empty');
    if (choices && !choices.includes(item)) throw wrongChoice(where, item, choices as readonly string[]);
    const problem = check?.(item as never);
    if (problem) throw new UsageError(`${where} ${item}`, problem);
  }
}
