import { expect } from 'chai';
import { commands } from '../../src/cli/command-line.ts';
import { describeFailure } from '../../src/cli/failure.ts';
import { UsageError } from '../../src/index.ts';
import { laOod } from './run.ts';

/** Runs several command lines side by side: starting Node takes most of the time. */
function each<T>(lines: readonly T[], check: (line: T) => Promise<void>): Promise<unknown> {
  return Promise.all(lines.map(check));
}

describe('la-ood: usage', () => {
  it('lists every command in its help', async () => {
    const { exitCode, stdout, stderr } = await laOod('--help');
    expect(exitCode).to.equal(0);
    expect(stderr).to.equal('');
    for (const { name, summary } of commands) {
      expect(stdout).to.include(`la-ood ${name}`);
      expect(stdout.replace(/\s+/g, ' ')).to.include(summary);
    }
  });

  it('explains every command, with examples', () =>
    each(commands, async ({ name, options, examples }) => {
      const { exitCode, stdout } = await laOod(name, '--help');
      expect(exitCode).to.equal(0);
      for (const option of ['json', 'quiet', ...Object.keys(options)])
        expect(stdout).to.include(`--${option}`);
      expect(examples).not.to.have.length(0);
      expect(stdout).to.include('Examples:');
    }));

  it('answers wrong usage with one line, the nearest name and exit code 2', () =>
    each<[string, RegExp]>(
      [
        ['', /^la-ood: no command was given/],
        ['fitt', /^fitt: there is no such command; did you mean la-ood fit\?/],
        ['xyzzy', /there is no such command; there are demo, import, /],
        ['fit --gamas 1', /^--gamas: there is no such option; did you mean --gammas\?/],
        ['features --run x --device cudda', /^--device cudda: .*did you mean cuda\?/],
        ['fit --run x --nu many', /^--nu: is not a number/],
        ['fit --run x --nu 2', /^--nu 2: must be from 0 to 1/],
        ['fit --run x --kernel poly', /^--kernel poly: is not offered/],
        ['fit --run x --half', /^--half: is not offered: graphs run in float32/],
        ['fit --run x --seed 1 --seed 2', /^--seed: is given more than once/],
        ['fit', /^--run: is missing; name the run folder, or give --model and --ind/],
        ['fit --model vgg16 --run x', /^--model: names a run folder, and so does --run/],
        ['import a.pth', /^la-ood import: not enough non-option arguments/],
        ['import a.pth b.onnx c', /^la-ood import: takes no argument "c"/],
        ['import a.pth b.onnx --mean .5 .5 .5', /^--std: is missing/],
        ['features --run x', /^la-ood features: no set was given/],
      ],
      async ([line, message]) => {
        const { exitCode, stdout, stderr } = await laOod(...line.split(' ').filter(Boolean));
        expect(stderr)
          .to.match(message)
          .and.match(/^[^\n]*\(la-ood .*--help tells more\)\n$/);
        expect(stdout).to.equal('');
        expect(exitCode, line).to.equal(2);
      },
    ));

  it('tells machines what was wrong', async () => {
    const { exitCode, stdout } = await laOod('fit', '--json');
    expect(exitCode).to.equal(2);
    expect(JSON.parse(stdout).error).to.include({ kind: 'usage', where: '--run', problem: 'is missing' });
  });
});

describe('describeFailure', () => {
  const system = (code: string, path?: string) => Object.assign(new Error(`${code}: what`), { code, path });

  it('puts what the system refuses into one line', () => {
    const { line, exitCode } = describeFailure(system('ENOSPC', '/runs/x/features/a.hdf5'));
    expect(line).to.match(/^\/runs\/x\/features\/a\.hdf5: there is no space left on the device; make room/);
    expect(exitCode).to.equal(1);
    expect(describeFailure(system('EACCES', 'out.onnx')).line).to.match(/^out\.onnx: permission denied/);
    expect(describeFailure(system('EROFS')).line).to.match(/^file system: the file system is read-only/);
  });

  it('recognises exhausted memory, whoever ran out of it', () => {
    for (const error of [
      new RangeError('Array buffer allocation failed'),
      system('ERR_WORKER_OUT_OF_MEMORY'),
      new Error('bad_alloc: std::bad_alloc'),
      new Error('Failed to allocate memory for requested buffer of size 1024'),
    ])
      expect(describeFailure(error).line).to.match(/the memory does not suffice; try a smaller --batch/);
  });

  it('calls everything else a defect, in one line', () => {
    const { line, exitCode, error } = describeFailure(new TypeError('x is\nnot a function'));
    expect(line).to.match(/^la-ood: this is a defect of the program: x is not a function; .*LA_OOD_DEBUG=1/);
    expect(exitCode).to.equal(1);
    expect(error.kind).to.equal('defect');
    expect(describeFailure('just a text').line).to.include('just a text');
  });

  it('leaves usage errors exit code 2', () => {
    expect(describeFailure(new UsageError('--x', 'is wrong', 'right it')).exitCode).to.equal(2);
  });
});
