import type { ArgumentsCamelCase, InferredOptionTypes, Options } from 'yargs';
import type { OnLeftOut, OnProgress } from '../index.ts';

/** An option as yargs takes it, and what its value must be beyond its type. */
export interface Option extends Options {
  /** What is wrong with a value; nothing where it is fine. Asked for each element of a list. */
  readonly check?: (value: never) => string | undefined;
}

type OptionTable = Readonly<Record<string, Option>>;

/** A command of `la-ood`: what it takes, and what it does. */
export interface Command {
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** Whether it goes on where it was, if it is run again after an interruption. */
  readonly goesOn?: true;
  /** Command lines without the program's name, and what they are for. */
  readonly examples: readonly (readonly [commandLine: string, purpose: string])[];
  /** The arguments without a flag, in this order; those with `demandOption: false` may be left out. */
  readonly positionals: OptionTable;
  readonly options: OptionTable;
  run(values: never, onProgress: OnProgress, onLeftOut: OnLeftOut): Promise<Report>;
}

/** What a command has to say when it is done; it prints nothing itself. */
export interface Report {
  /** For machines (`--json`). */
  readonly result: object;
  /** For people: what was found and what was written. */
  readonly text: string;
  /** What to do next; left out under `--quiet`. */
  readonly next?: string;
  /** A check that failed, in one line: exit code 1. */
  readonly failure?: string;
}

/** Values of a command's options and positionals, as the table of them says. */
type Values<P extends OptionTable, O extends OptionTable> = ArgumentsCamelCase<
  {
    [name in keyof P]: P[name] extends { array: true }
      ? string[]
      : P[name] extends { demandOption: false }
        ? string | undefined
        : string;
  } & InferredOptionTypes<O>
>;

/** Defines a command; its `run` gets the values by their types. */
export function command<const P extends OptionTable, const O extends OptionTable>(
  definition: Omit<Command, 'positionals' | 'options' | 'run'> & {
    readonly positionals: P;
    readonly options: O;
    run(values: Values<P, O>, onProgress: OnProgress, onLeftOut: OnLeftOut): Promise<Report>;
  },
): Command {
  return definition as unknown as Command;
}
