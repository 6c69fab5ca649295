import { nearestName, UsageError } from '../index.ts';
import type { Command } from './command.ts';

/** Flags of the original implementation that mean nothing here, and why. */
const originalFlags: Readonly<Record<string, string>> = {
  kernel: 'is a flag of la-ood fit',
  threshold: 'is a flag of la-ood fit',
  val_size: 'is a flag of la-ood fit',
  error_rate: 'is a flag of la-ood fit',
  lambda_value: 'is a flag of la-ood cotrain',
  epochs: 'is a flag of la-ood train and cotrain',
  lr: 'is a flag of la-ood train and cotrain',
  'weight-decay': 'is a flag of la-ood train and cotrain',
  momentum: 'is a flag of la-ood train and cotrain',
  resume: 'is not needed: work that was cut off goes on where it was',
  evaluate: 'is a command of its own: la-ood evaluate',
  half: 'is a flag of la-ood guard, for weights in half floats; graphs run in float32, as the numbers to compare with do',
};

/**
 * What yargs complains about, in one line and with the name that was probably meant.
 *
 * @param message yargs's own, in English
 * @param args the command line
 * @param called the command that it names, if any
 * @param common options of every command
 */
export function usageError(
  message: string,
  args: readonly string[],
  called: Command | undefined,
  commands: readonly Command[],
  common: readonly string[],
): UsageError {
  if (!called && args.length > 0 && !args[0].startsWith('-')) return unknownCommand(args[0], commands);
  const program = called ? `la-ood ${called.name}` : 'la-ood';
  const [, unknown] = /^Unknown arguments?: ([^,]+)/.exec(message) ?? [];
  if (unknown === undefined) return new UsageError(program, lowerFirst(message.split('\n')[0]));
  const flag = args.find((arg) => arg.replace(/^-+|=.*$/g, '') === unknown && arg.startsWith('-'));
  if (flag) return unknownFlag(flag.replace(/=.*$/, ''), called, common);
  return new UsageError(program, `takes no argument ${JSON.stringify(unknown)}`);
}

/** A value that is none of those there are. */
export function wrongChoice(where: string, value: unknown, choices: readonly string[]): UsageError {
  const nearest = nearestName(String(value), choices);
  return new UsageError(
    `${where} ${value}`,
    'there is no such choice',
    nearest ? `did you mean ${nearest}?` : `choose from ${choices.join(', ')}`,
  );
}

function unknownCommand(name: string, commands: readonly Command[]): UsageError {
  const names = commands.map((command) => command.name);
  const nearest = nearestName(name, names);
  return new UsageError(
    name,
    'there is no such command',
    nearest ? `did you mean la-ood ${nearest}?` : `there are ${names.join(', ')}`,
  );
}

function unknownFlag(flag: string, called: Command | undefined, common: readonly string[]): UsageError {
  const name = flag.replace(/^-+/, '');
  if (Object.hasOwn(originalFlags, name)) return new UsageError(flag, originalFlags[name]);
  const names = [...Object.keys(called?.options ?? {}), ...common, 'help', 'version'];
  const nearest = nearestName(name, names);
  return new UsageError(flag, 'there is no such option', nearest && `did you mean --${nearest}?`);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
