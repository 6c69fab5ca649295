import { expect } from 'chai';
import { DeviceError } from '../../src/common/errors.ts';
import {
  examineTrainingBackends,
  openTrainingBackend,
  trainingBackendNames,
} from '../../src/training/backend.ts';
import { laOod } from '../cli/run.ts';

describe('what trains', () => {
  it('is looked for from the fastest to plain JavaScript, which says how slow it is', () => {
    const found = examineTrainingBackends();
    expect(found.map(({ backend }) => backend)).deep.equals([...trainingBackendNames]);
    expect(found.at(-1)).deep.equals({ backend: 'tfjs-backend-cpu', works: true, problem: undefined });
    expect(openTrainingBackend().name).equals(found.find(({ works }) => works)!.backend);
    expect(openTrainingBackend('tfjs-backend-cpu').warning).matches(/plain JavaScript here, a hundred times/);
  });

  it('is said by doctor, with the reason', async () => {
    const { stdout } = await laOod('doctor');
    const lines = stdout.split('\n').filter((line) => line.startsWith('tfjs-'));
    expect(lines).length(3);
    expect(lines.filter((line) => line.endsWith('; la-ood train takes it'))).length(1);
    for (const line of lines) expect(line).matches(/^\S+ +(works|does not work: .+|not installed)/);
  });

  it('is said to be missing where it is asked for by name', () => {
    const missing = examineTrainingBackends().find(({ works }) => !works)!.backend;
    expect(() => openTrainingBackend(missing)).throws(
      DeviceError,
      /^training: .+; npm install --ignore-scripts=false @tensorflow\/tfjs-node@4\.22\.0 in the folder that la-ood is installed in/,
    );
  });
});
