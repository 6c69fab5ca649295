/** An option of a step, by the name that the step's function gives it: `{ option: 'batch', value: 8 }`. */
export interface OptionAdvice {
  readonly option: string;
  readonly value?: string | number;
}

/** A command of the program, and what it takes: `{ command: 'fit', takes: [{ option: 'run', value: 'runs/x' }] }`. */
export interface CommandAdvice {
  readonly command: string;
  readonly takes: readonly (string | OptionAdvice)[];
}

/** Words of advice, and between them the options and commands that it names. */
export type Advice = string | readonly (string | OptionAdvice | CommandAdvice)[];

/** How options and commands are said; the command line says them as they are typed there. */
export interface AdviceWords {
  option(advice: OptionAdvice): string;
  command(advice: CommandAdvice): string;
}

export function option(name: string, value?: string | number): OptionAdvice {
  return value === undefined ? { option: name } : { option: name, value };
}

export function command(name: string, ...takes: readonly (string | OptionAdvice)[]): CommandAdvice {
  return { command: name, takes };
}

/** Advice as it is written: `` advice`run ${command('fit', option('run', path))} first` ``. */
export function advice(
  words: TemplateStringsArray,
  ...parts: readonly (number | Advice | OptionAdvice | CommandAdvice)[]
): Advice {
  return words
    .flatMap((text, i) => [text, ...parts.slice(i, i + 1)].flat())
    .map((part) => (typeof part === 'number' ? String(part) : part))
    .filter((part) => part !== '');
}

/** One option or another. */
export function either(options: readonly OptionAdvice[]): Advice {
  return options.flatMap((one, i) => (i === 0 ? [one] : [' or ', one]));
}

/** Advice as text. */
export function adviceText(advice: Advice, words: AdviceWords = inCode): string {
  if (typeof advice === 'string') return advice;
  return advice
    .map((part) => {
      if (typeof part === 'string') return part;
      return 'option' in part ? words.option(part) : words.command(part);
    })
    .join('');
}

/** Options as a program writes them: `` `run` ``, `` `batch: 8` ``. */
const inCode: AdviceWords = {
  option: (option) => `\`${property(option)}\``,
  command: ({ command, takes }) => {
    const taken = takes.map((one) => (typeof one === 'string' ? one : property(one)));
    return `la-ood ${command}${taken.length > 0 ? ` (${taken.join(', ')})` : ''}`;
  },
};

function property({ option, value }: OptionAdvice): string {
  return value === undefined ? option : `${option}: ${value}`;
}

/**
 * Every error that a user can mend. Its message is one line: where, what, and how to mend it.
 * Anything else that is thrown is a defect of this program.
 *
 * @example
 * ```ts
 * import { LaOodError, openGuard } from 'la-ood';
 *
 * try {
 *   await openGuard('classifier.onnx');
 * } catch (error) {
 *   if (!(error instanceof LaOodError)) throw error;
 *   console.log(error.kind, error.where, error.problem, error.remedy, error.cause);
 * }
 * ```
 */
export abstract class LaOodError extends Error {
  /** Which kind of thing was wrong; stable, for programs. */
  abstract readonly kind: string;
  /** The file, and the place in it (`weights.pth: archive/data.pkl at byte 12`), or the option. */
  readonly where: string;
  /** The option that was wrong, where one was. */
  readonly option?: OptionAdvice;

  /**
   * @param where the file, and the place in it, or an option
   * @param problem what is wrong there
   * @param remedy what to do about it
   * @param cause the error that it comes of
   */
  constructor(
    where: string | OptionAdvice,
    readonly problem: string,
    readonly remedy?: Advice,
    cause?: unknown,
  ) {
    const place = typeof where === 'string' ? where : inCode.option(where);
    super(
      oneLine(`${place}: ${problem}${remedy ? `; ${adviceText(remedy)}` : ''}`),
      cause === undefined ? {} : { cause },
    );
    this.name = new.target.name;
    this.where = place;
    if (typeof where !== 'string') this.option = where;
  }
}

/** Names from a hostile file may hold line breaks and terminal sequences: they are shown, not obeyed. */
function oneLine(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** A PyTorch checkpoint that is damaged, hostile, or does not fit the network. */
export class CheckpointError extends LaOodError {
  readonly kind = 'checkpoint';
}

/** An ONNX model that is damaged, inconsistent, or lacks what was asked of it. */
export class GraphError extends LaOodError {
  readonly kind = 'graph';
}

/** Images or datasets that cannot be read. */
export class DataError extends LaOodError {
  readonly kind = 'data';
}

/** Features that are missing, damaged, or do not fit together. */
export class FeatureError extends LaOodError {
  readonly kind = 'feature';
}

/** Features on which a detector cannot be fitted, or a detector that does not fit its input. */
export class DetectorError extends LaOodError {
  readonly kind = 'detector';
}

/** A training that cannot go on as it was asked to. */
export class TrainingError extends LaOodError {
  readonly kind = 'training';
}

/** A run folder whose contents do not belong together, or that another process is using. */
export class RunError extends LaOodError {
  readonly kind = 'run';
}

/** A device that was named and is not there. */
export class DeviceError extends LaOodError {
  readonly kind = 'device';
}

/** A command or a function that was called wrongly (exit code 2). */
export class UsageError extends LaOodError {
  readonly kind = 'usage';
}

/** More images at a time than a guard was opened for: ask again in a while. */
export class QueueFullError extends LaOodError {
  readonly kind = 'queue';
}
