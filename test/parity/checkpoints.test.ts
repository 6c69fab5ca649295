import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readCheckpoint } from '../../converters/pytorch/read-checkpoint.ts';
import { torchDialect } from '../../converters/pytorch/torch-pickle.ts';
import { writeCheckpoint } from '../../converters/pytorch/write-checkpoint.ts';
import { sha256 } from '../../src/common/files.ts';
import { unpickle } from '../../src/common/pickle/machine.ts';
import { PickleTuple, type PickleValue } from '../../src/common/pickle/values.ts';
import type { StateDict } from '../../src/common/tensor.ts';
import { reference } from '../reference.ts';
import { python } from './python.ts';

type Described = [key: string, { dtype: string; shape: number[]; sha256: string }][];

const describeAll = (stateDict: StateDict): Described =>
  [...stateDict].map(([key, { dtype, shape, data }]) => [
    key,
    {
      dtype,
      shape: [...shape],
      sha256: sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
    },
  ]);

describe('checkpoints and PyTorch', () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-parity-'));
  });

  after(() => rm(folder, { recursive: true, force: true }));

  it('reads what torch.save writes, and writes what torch.load(weights_only=True) takes, bit for bit', async () => {
    const saved = await python<Record<string, Described>>('checkpoints.py', 'save', folder);
    const written: Record<string, Described> = {};
    for (const [file, expected] of Object.entries(saved)) {
      const { stateDict, format } = await readCheckpoint(join(folder, file));
      expect(format).to.equal(file.includes('-zip-') ? 'zip' : 'legacy');
      expect(describeAll(stateDict), file).to.deep.equal(expected);
      const ours = join(folder, `ours-${file}`);
      await writeCheckpoint(ours, stateDict);
      written[ours] = expected;
    }
    expect(Object.keys(saved)).to.have.length(40);
    expect(await python('checkpoints.py', 'load', ...Object.keys(written))).to.deep.equal(written);
  });

  it('finds what training scripts save beside the weights', async () => {
    const { extras, wrapper, prefix } = await readCheckpoint(join(folder, 'training-legacy-2.pt'));
    expect([wrapper, prefix]).to.deep.equal(['state_dict', 'module.']);
    expect(Object.fromEntries(extras)).to.include({ epoch: 12, best_prec1: 91.25, count: 7 });
  });

  it('reads and writes the published checkpoints bit for bit', async function () {
    const source = reference(this, 'checkpoints');
    const files = await readdir(source);
    const theirs = await python<Record<string, Described>>(
      'checkpoints.py',
      'load',
      ...files.map((file) => join(source, file)),
    );
    const written: Record<string, Described> = {};
    for (const file of files) {
      const { stateDict, prefix = '' } = await readCheckpoint(join(source, file));
      const described = describeAll(stateDict);
      expect(described.map(([key, tensor]) => [prefix + key, tensor])).to.deep.equal(
        theirs[join(source, file)],
      );
      const ours = join(folder, `ours-${file}`);
      await writeCheckpoint(ours, stateDict);
      written[ours] = described;
    }
    expect(await python('checkpoints.py', 'load', ...Object.keys(written))).to.deep.equal(written);
  });

  it('reads what pickle writes in every protocol', async () => {
    const expected = await python('checkpoints.py', 'pickle', folder);
    for (let protocol = 0; protocol <= 5; protocol++) {
      const bytes = await readFile(join(folder, `${protocol}.pkl`));
      const { value, end } = unpickle(bytes, torchDialect(), `protocol ${protocol}`);
      expect(end).to.equal(bytes.length);
      expect(tell(value), `protocol ${protocol}`).to.deep.equal(expected);
    }
  });
});

/** A value with its Python type, as `tell` of checkpoints.py writes it; whole floats look like ints. */
function tell(value: PickleValue): unknown {
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return { number: String(value) };
  if (typeof value === 'number') return { number: float64Hex(value) };
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') };
  if (value instanceof PickleTuple) return { tuple: value.items.map(tell) };
  if (Array.isArray(value)) return value.map(tell);
  if (value instanceof Set) return { set: [...value].map(tell) };
  if (value instanceof Map) return { dict: [...value].map(([key, item]) => [tell(key), tell(item)]) };
  return value;
}

function float64Hex(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes.toString('hex');
}
