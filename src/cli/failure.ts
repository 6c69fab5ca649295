import { LaOodError, printable, UsageError } from '../index.ts';
import { typedAdvice, typedOption } from './typed-advice.ts';

/** What to tell of an error, and what to exit with. */
export interface Failure {
  readonly exitCode: 1 | 2;
  /** One line: where, what, how to mend it. */
  readonly line: string;
  /** The same for machines. */
  readonly error: Readonly<Record<string, string | undefined>>;
}

/** What an operating system refuses, in words. */
const systemErrors: Readonly<Record<string, readonly [problem: string, remedy: string]>> = {
  ENOSPC: ['there is no space left on the device', 'make room, then run the same command again: it goes on'],
  EDQUOT: ['the disk quota is used up', 'make room, then run the same command again: it goes on'],
  EFBIG: ['the file would be larger than is allowed here', 'look at ulimit -f'],
  EACCES: ['permission denied', 'choose a place that you may write to, or change its permissions'],
  EPERM: ['the system does not allow it', 'choose a place that you may write to, or change its permissions'],
  EROFS: ['the file system is read-only', 'choose another place'],
  ENOENT: ['there is no such file or folder', 'check the path'],
  ENOTDIR: ['a part of the path is a file, not a folder', 'check the path'],
  EEXIST: ['a file is where a folder should be', 'check the path'],
  EISDIR: ['is a folder', 'name a file in it'],
  EMFILE: ['too many files are open', 'raise the limit: ulimit -n'],
};

/** How the engines that allocate say that they cannot: V8, Node's workers, onnxruntime, WebAssembly. */
const OUT_OF_MEMORY =
  /out of memory|allocation failed|failed to allocate|bad_?alloc|ERR_WORKER_OUT_OF_MEMORY|cannot enlarge memory/i;

/** Puts an error into one line. What is neither the user's nor the machine's is called a defect. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof LaOodError) {
    const { kind, problem } = error;
    const where = error.option ? typedOption(error.option) : error.where;
    const remedy = error.remedy && typedAdvice(error.remedy);
    return {
      exitCode: error instanceof UsageError ? 2 : 1,
      line: oneLine(`${where}: ${problem}${remedy ? `; ${remedy}` : ''}`),
      error: { kind, where, problem, remedy },
    };
  }
  const { code = '', path, dest, message, name } = error as NodeJS.ErrnoException & { dest?: string };
  if (OUT_OF_MEMORY.test(`${code} ${message}`))
    return failure(
      'memory',
      name,
      'the memory does not suffice',
      'try a smaller --batch, or fewer --workers',
    );
  if (Object.hasOwn(systemErrors, code)) {
    const [problem, remedy] = systemErrors[code];
    return failure('system', dest ?? path ?? 'file system', problem, remedy);
  }
  return failure(
    'defect',
    'la-ood',
    `this is a defect of the program: ${message ?? error}`,
    'please report it with what LA_OOD_DEBUG=1 adds',
  );
}

function failure(kind: string, where: string, problem: string, remedy: string): Failure {
  return {
    exitCode: 1,
    line: oneLine(`${where}: ${problem}; ${remedy}`),
    error: { kind, where, problem, remedy },
  };
}

function oneLine(text: string): string {
  return printable(text.replace(/\s*\n\s*/g, ' '), 2000);
}
