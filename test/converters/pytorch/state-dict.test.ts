import { expect } from 'chai';
import { readCheckpoint } from '../../../converters/pytorch/read-checkpoint.ts';
import { PickleAssembler } from '../../../src/common/pickle/assembler.ts';
import { checkpointOf, expectRefused, temporaryFile, tensor } from './fixtures.ts';

/** A dict of dicts, tensors (`'tensor'`) and numbers. */
type Contents = { [key: string]: Contents | 'tensor' | number };

function write(pickle: PickleAssembler, contents: Contents): PickleAssembler {
  pickle.emit('EMPTY_DICT', 'MARK');
  for (const [key, value] of Object.entries(contents)) {
    pickle.string(key);
    if (value === 'tensor') tensor(pickle);
    else if (typeof value === 'number') pickle.int(value);
    else write(pickle, value);
  }
  return pickle.emit('SETITEMS');
}

function checkpoint(contents: Contents): Promise<Buffer> {
  return checkpointOf(write(new PickleAssembler().protocol(2), contents).emit('STOP').bytes());
}

async function read(contents: Contents, wrapper?: string) {
  const found = await readCheckpoint(await temporaryFile(await checkpoint(contents)), { wrapper });
  return { ...found, keys: [...found.stateDict.keys()] };
}

const weights = { 'conv.weight': 'tensor', 'conv.bias': 'tensor' } as const;

/** Number 26 of the list of bad inputs. */
describe('state dicts in checkpoints', () => {
  it('reads a bare one', async () => {
    const { keys, wrapper, prefix, notes } = await read(weights);
    expect(keys).to.deep.equal(['conv.weight', 'conv.bias']);
    expect([wrapper, prefix, notes]).to.deep.equal([undefined, undefined, []]);
  });

  for (const wrapper of ['state_dict', 'model_state_dict', 'model', 'net', 'ema'])
    it(`finds one under ${wrapper}, and says so`, async () => {
      const { keys, extras, ...found } = await read({ epoch: 7, [wrapper]: weights, optimizer: { lr: 1 } });
      expect(keys).to.deep.equal(['conv.weight', 'conv.bias']);
      expect(found.wrapper).to.equal(wrapper);
      expect(found.notes).to.deep.equal([`weights found under ${wrapper}`]);
      expect([...extras]).to.deep.equal([['epoch', 7]]);
    });

  it('finds one under two wrappers', async () => {
    const { keys, wrapper } = await read({ ema: { state_dict: weights } });
    expect(keys).to.deep.equal(['conv.weight', 'conv.bias']);
    expect(wrapper).to.equal('ema.state_dict');
  });

  it('finds the only one under any name', async () => {
    expect((await read({ my_net: weights, epoch: 3 })).wrapper).to.equal('my_net');
  });

  it('takes the plain model before its moving average, says so, and takes the other when told', async () => {
    const contents: Contents = { ema: { a: 'tensor' }, model: { b: 'tensor' } };
    const plain = await read(contents);
    expect(plain.keys).to.deep.equal(['b']);
    expect(plain.notes).to.include('weights also found under ema: model was taken');
    expect((await read(contents, 'ema')).keys).to.deep.equal(['a']);
    await expectRefused(
      await checkpoint({ a: weights, b: weights }),
      /several sets of weights; name one of a, b/,
    );
  });

  for (const prefix of ['module.', 'model.', 'backbone.', 'net.', '_orig_mod.', 'module.model.'])
    it(`takes ${prefix} off every key, and says so`, async () => {
      const contents = Object.fromEntries(
        Object.keys(weights).map((key) => [prefix + key, 'tensor' as const]),
      );
      const found = await read(contents);
      expect(found.keys).to.deep.equal(['conv.weight', 'conv.bias']);
      expect(found.prefix).to.equal(prefix);
      expect(found.notes).to.deep.equal([`prefix ${prefix} taken off every key`]);
    });

  it('leaves a prefix that only some keys have', async () => {
    const { keys, prefix } = await read({ 'backbone.conv': 'tensor', 'head.weight': 'tensor' });
    expect(keys).to.deep.equal(['backbone.conv', 'head.weight']);
    expect(prefix).to.equal(undefined);
  });

  it('leaves out what is no tensor, and the counter of an averaged model', async () => {
    const { keys, notes } = await read({ n_averaged: 'tensor', 'module.w': 'tensor', 'module.version': 3 });
    expect(keys).to.deep.equal(['w']);
    expect(notes).to.deep.equal([
      'left out module.version: a number',
      'left out n_averaged: a counter',
      'prefix module. taken off every key',
    ]);
  });

  it('refuses a checkpoint without weights', () =>
    checkpoint({ epoch: 3, args: { lr: 1 } }).then((bytes) =>
      expectRefused(
        bytes,
        /holds no weights; save the weights with torch\.save\(model\.state_dict\(\), PATH\)/,
      ),
    ));
});
