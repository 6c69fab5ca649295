import { expect } from 'chai';
import { advice, command, DeviceError, either, option } from '../../src/common/errors.ts';

describe('errors', () => {
  const remedy = advice`take ${option('device', 'auto')}, or see ${command('doctor')}`;
  const cause = new Error('no driver');
  const error = new DeviceError(option('device', 'cuda'), 'is not there', remedy, cause);

  it('carry the option, the remedy and the cause as data', () => {
    expect(error.option).to.deep.equal({ option: 'device', value: 'cuda' });
    expect(error.remedy).to.deep.equal([
      'take ',
      { option: 'device', value: 'auto' },
      ', or see ',
      { command: 'doctor', takes: [] },
    ]);
    expect(error.cause).to.equal(cause);
  });

  it('say them as a program has them', () => {
    expect(error.message).to.equal('`device: cuda`: is not there; take `device: auto`, or see la-ood doctor');
    const archs = advice`say ${either([option('arch', 'a'), option('arch', 'b')])}, from epoch ${3} on`;
    expect(new DeviceError('here', 'is unclear', archs).message).to.equal(
      'here: is unclear; say `arch: a` or `arch: b`, from epoch 3 on',
    );
    const fit = command('fit', 'model.onnx', option('run', 'runs/x'));
    expect(new DeviceError('here', 'is empty', advice`run ${fit}`).message).to.match(
      /; run la-ood fit \(model\.onnx, run: runs\/x\)$/,
    );
  });
});
