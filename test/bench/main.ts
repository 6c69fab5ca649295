import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { LaOodError, UsageError } from '../../src/common/errors.ts';
import type { Bench, BenchValues } from './bench.ts';
import { calibration } from './calibration.ts';
import { data } from './data.ts';
import { detectors } from './detectors.ts';
import { features } from './features.ts';
import { fineTuning } from './fine-tuning.ts';
import { folder } from './folder.ts';
import { growth } from './growth.ts';
import { guard } from './guard.ts';
import { importing } from './import.ts';
import { machineFacts } from './machine.ts';
import { methods } from './methods.ts';
import { methodsBank } from './methods-bank.ts';
import { methodsSpeed } from './methods-speed.ts';
import { real } from './real.ts';
import { scoring } from './scoring.ts';
import { server } from './server.ts';
import { training } from './training.ts';
import { trainingProfile } from './training-profile.ts';

/** `npm run bench -- NAME`: ratios measured side by side in one run. */

const benches: Readonly<Record<string, Bench>> = {
  data,
  folder,
  features,
  detectors,
  growth,
  scoring,
  guard,
  server,
  'methods-speed': methodsSpeed,
  'methods-bank': methodsBank,
  methods,
  calibration,
  real,
  training,
  'training-profile': trainingProfile,
  'fine-tuning': fineTuning,
  import: importing,
};

process.exitCode = await main(process.argv.slice(2));

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || args.includes('--help')) {
    console.log(help());
    return 0;
  }
  usePythonOfParityTests();
  try {
    const bench = benches[name];
    if (!bench) throw new UsageError(name, `there are ${Object.keys(benches).join(', ')}`);
    const values = parse(bench, args);
    if (bench.python && !process.env.LA_OOD_PYTHON && !values.ours)
      throw new UsageError('Python', 'there is none to compare with', 'npm run test:parity makes one');
    console.log(await machineFacts(bench));
    await bench.run(values);
    return 0;
  } catch (error) {
    if (!(error instanceof LaOodError)) throw error;
    console.error(error.message);
    return error instanceof UsageError ? 2 : 1;
  }
}

/** The interpreter that `LA_OOD_PYTHON` names, else that of the environment which `npm run test:parity` makes. */
function usePythonOfParityTests(): void {
  const interpreter = resolve(process.env.LA_OOD_VENV ?? '.venv', 'bin/python');
  if (existsSync(interpreter)) process.env.LA_OOD_PYTHON ??= interpreter;
}

function parse({ options }: Bench, args: string[]): BenchValues {
  const described = Object.entries(options).map(([name, option]) => [
    name,
    option.flag ? { type: 'boolean' } : { type: 'string', default: option.default },
  ]);
  try {
    const { values } = parseArgs({ args, options: Object.fromEntries(described) });
    return Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, value === true ? 'yes' : String(value)]),
    );
  } catch (error) {
    throw new UsageError('options', (error as Error).message);
  }
}

function help(): string {
  const lines = Object.entries(benches).flatMap(([name, { about, options }]) => [
    '',
    `${name}: ${about}`,
    ...Object.entries(options).map(([option, { about, default: standard, flag }]) => {
      const term = `--${option}${flag ? '' : ' …'}`;
      return `  ${term.padEnd(14)} ${about}${standard ? ` [${standard}]` : ''}`;
    }),
  ]);
  return ['npm run bench -- NAME [options]', ...lines].join('\n');
}
