import { expect } from 'chai';
import { commands, parseCommandLine } from '../../src/cli/command-line.ts';
import { describeFailure } from '../../src/cli/failure.ts';
import { advice, command, DeviceError, option, UsageError } from '../../src/common/errors.ts';
import { laOod, start } from './run.ts';

describe('la-ood: usage', () => {
  it('lists every command in its help', async () => {
    const { exitCode, stdout, stderr } = await start(['--help']).finished;
    expect(exitCode).to.equal(0);
    expect(stderr).to.equal('');
    for (const { name, summary } of commands) {
      expect(stdout).to.include(`la-ood ${name}`);
      expect(stdout.replace(/\s+/g, ' ')).to.include(summary);
    }
  });

  it('explains every command, with its options and examples', async () => {
    const { exitCode, stdout } = await start(['fit', '--help']).finished;
    expect(exitCode).to.equal(0);
    for (const { name, examples } of commands) {
      expect(examples, name).not.to.have.length(0);
      for (const [line] of examples) expect(parseCommandLine(line.split(' '))?.command.name).to.equal(name);
    }
    const fit = commands.find(({ name }) => name === 'fit')!;
    for (const option of ['json', 'quiet', ...Object.keys(fit.options)])
      expect(stdout).to.match(new RegExp(`^ .*--${option}[ ,]`, 'm'));
    expect(stdout).to.include('la-ood fit --model vgg16 --ind cifar10 --layers 0 4 12');
  });

  it('answers wrong usage with one line and exit code 2', async () => {
    const { exitCode, stdout, stderr } = await laOod('fit', '--gamas', '1');
    expect(exitCode).to.equal(2);
    expect(stdout).to.equal('');
    expect(stderr).to.equal(
      '--gamas: there is no such option; did you mean --gammas? (la-ood fit --help tells more)\n',
    );
  });

  const wrong: readonly (readonly [line: string, message: RegExp])[] = [
    ['', /^la-ood: no command was given$/],
    ['fitt', /^fitt: there is no such command; did you mean la-ood fit\?$/],
    ['scroe guarded.onnx photos/ --logits', /^scroe: there is no such command; did you mean la-ood score\?$/],
    ['xyzzy', /^xyzzy: there is no such command; there are demo, train, import, /],
    ['import a.pth', /^la-ood import: not enough non-option arguments: got 1, need at least 2$/],
    ['import a.pth b.onnx c', /^la-ood import: takes no argument "c"$/],
    ['import a.pth b.onnx --mean .5 .5', /^la-ood import: not enough arguments following: mean$/],
    ['import a.pth b.onnx --std 1 0 1', /^--std 0: must be greater than 0$/],
    ['features --run x --device cudda', /^--device cudda: there is no such choice; did you mean cuda\?$/],
    ['features --run x --compat 1', /^--compat 1: there is no such choice; choose from original$/],
    ['fit --run', /^la-ood fit: not enough arguments following: run$/],
    ['fit --run x --nu many', /^--nu: is not a number$/],
    ['fit --run x --nu 2', /^--nu 2: must be from 0 to 1$/],
    ['fit --run x --workers 1.5', /^--workers 1\.5: must be a whole number of at least 1$/],
    ['fit --run x --seed 1 --seed 2', /^--seed: is given more than once$/],
    ['fit --run x --kernel poly', /^--kernel poly: is not offered: /],
    [
      'fit --run x --half',
      /^--half: is a flag of la-ood guard, for weights in half floats; graphs run in float32/,
    ],
    ['evaluate --run x --lambda_value 1', /^--lambda_value: is a flag of la-ood cotrain/],
  ];
  for (const [line, message] of wrong)
    it(`refuses: la-ood ${line}`, () => {
      expect(() => parseCommandLine(line.split(' ').filter(Boolean))).to.throw(UsageError, message);
    });

  it('takes the flags of the original as it spells them', () => {
    const line = 'fit --model vgg16 --ind cifar10 --kernel rbf --val_size .2 --error_rate .4 --threshold .02';
    const values = parseCommandLine(line.split(' '))!.values;
    expect(values).to.include({ valSize: 0.2, errorRate: 0.4, threshold: 0.02, nu: 0.001 });
  });

  it('needs to know the run folder', async () => {
    for (const [line, message] of [
      ['fit', '--run: is missing; name the run folder, or give --model and --ind'],
      ['fit --model vgg16 --run x', '--model: names a run folder, and so does --run; give one of them'],
      ['features --run x', 'la-ood features: no set was given; name one with --train, --test or --ood'],
    ]) {
      const { command, values } = parseCommandLine(line.split(' '))!;
      const error = await command
        .run(
          values as never,
          () => {},
          () => {},
        )
        .catch((error: Error) => error);
      expect(error).to.be.instanceOf(UsageError).with.property('message', message);
    }
  });

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

  it('says options and commands as they are typed', () => {
    const remedy = advice`run ${command('features', option('train', 'SET'))} again, or leave out ${option('earlyExit')}`;
    const { line, error } = describeFailure(
      new DeviceError(option('device', 'cuda'), 'is not there', remedy),
    );
    expect(line).to.equal(
      '--device cuda: is not there; run npx la-ood features --train SET again, or leave out --early-exit',
    );
    expect(error).to.include({ where: '--device cuda' });
  });

  it('leaves usage errors exit code 2', () => {
    expect(describeFailure(new UsageError('--x', 'is wrong', 'right it')).exitCode).to.equal(2);
  });
});
