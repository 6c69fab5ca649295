import { expect } from 'chai';
import { DeviceError } from '../../src/common/errors.ts';
import { trainingEngineNames } from '../../src/training/engine.ts';
import { examineTrainingEngines, openTrainingEngine } from '../../src/training/engines.ts';
import { laOod } from '../cli/run.ts';

describe('what trains', () => {
  it('is onnxruntime where nothing else is asked for', () => {
    expect(openTrainingEngine().name).equals('onnx');
    const found = examineTrainingEngines();
    expect(found.map(({ engine }) => engine)).deep.equals([...trainingEngineNames]);
    expect(found[0]).deep.equals({ engine: 'onnx', works: true });
  });

  it('is said by doctor, with the reason', async () => {
    const { stdout } = await laOod('doctor');
    const lines = stdout.split('\n');
    expect(lines.filter((line) => /^onnx +works; la-ood train takes it$/.test(line))).length(1);
    const others = lines.filter((line) => line.startsWith('tfjs-'));
    expect(others).length(2);
    for (const line of others) expect(line).matches(/^\S+ +(works; |does not work: .+|not installed)/);
  });

  it('is said to be missing where it is asked for by name', function () {
    const missing = examineTrainingEngines().find(({ works }) => !works)?.engine;
    if (!missing) return this.skip();
    expect(() => openTrainingEngine(missing)).throws(
      DeviceError,
      /^--engine tfjs-node(-gpu)?: (is not installed|does not work here \(.+\)); leave --engine out: onnxruntime trains/,
    );
  });
});
