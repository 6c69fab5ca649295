import { existsSync } from 'node:fs';
import { expect } from 'chai';
import { readCheckpoint } from '../../../converters/pytorch/read-checkpoint.ts';
import { PickleAssembler } from '../../../src/common/pickle/assembler.ts';
import {
  checkpointOf,
  expectRefused,
  legacyCheckpoint,
  temporaryFile,
  temporaryPath,
  tensor,
} from './fixtures.ts';

const start = () => new PickleAssembler().protocol(4);
const marker = () => temporaryPath('executed-by-module');

/** An empty OrderedDict, which what follows until SETITEMS fills. */
const ordered = (out: PickleAssembler) =>
  out.global('collections', 'OrderedDict').emit('EMPTY_TUPLE', 'REDUCE', 'MARK');

/** A module of a class of nobody's code: its parameters, buffers and children, and what else its attributes are. */
function module(
  out: PickleAssembler,
  parts: {
    parameters?: readonly string[];
    buffers?: readonly string[];
    children?: Readonly<Record<string, (out: PickleAssembler) => void>>;
    attributes?: (out: PickleAssembler) => void;
  },
  isLegacy = false,
): PickleAssembler {
  if (isLegacy)
    out
      .emit('MARK')
      .string('module')
      .global('nets', 'Net')
      .string('nets.py')
      .string('class Net: pass')
      .emit('TUPLE', 'BINPERSID');
  else out.global('nets', 'Net');
  out.emit('EMPTY_TUPLE', 'NEWOBJ', 'EMPTY_DICT', 'MARK');
  out
    .string('kernel_size')
    .ints([3, 3])
    .string('eps')
    .emit('BINFLOAT', Buffer.from('3f50624dd2f1a9fc', 'hex'));
  parts.attributes?.(out);
  ordered(out.string('_parameters'));
  for (const name of parts.parameters ?? []) {
    out.string(name).global('torch._utils', '_rebuild_parameter').emit('MARK');
    ordered(tensor(out).emit('NEWTRUE')).emit('SETITEMS', 'TUPLE', 'REDUCE');
  }
  out.string('bias').emit('NONE', 'SETITEMS');
  ordered(out.string('_buffers'));
  for (const name of parts.buffers ?? []) tensor(out.string(name));
  out.emit('SETITEMS');
  ordered(out.string('_modules'));
  for (const [name, child] of Object.entries(parts.children ?? {})) child(out.string(name));
  return out.emit('SETITEMS', 'SETITEMS', 'BUILD');
}

const layer =
  (isLegacy = false) =>
  (out: PickleAssembler) =>
    void module(out, { parameters: ['weight'], buffers: ['running_mean'] }, isLegacy);

describe('whole modules', () => {
  it('are read in the order of their state dict, in every format, and nothing of their code is needed', async () => {
    for (const isLegacy of [false, true]) {
      const out = module(
        start(),
        { buffers: ['own'], children: { first: layer(isLegacy), last: layer(isLegacy) } },
        isLegacy,
      );
      const pickle = out.emit('STOP').bytes();
      const file = await temporaryFile(isLegacy ? legacyCheckpoint(pickle) : await checkpointOf(pickle));
      const { stateDict, modules, notes } = await readCheckpoint(file);
      expect([...stateDict.keys()]).to.deep.equal([
        ...['own', 'first.weight', 'first.running_mean', 'last.weight', 'last.running_mean'],
      ]);
      expect([...stateDict.get('first.weight')!.data]).to.deep.equal([1, -2]);
      expect(modules!.get('last')).to.deep.equal({
        type: 'nets.Net',
        attributes: new Map<string, unknown>([
          ['kernel_size', [3, 3]],
          ['eps', 0.001],
        ]),
      });
      expect(notes).to.deep.equal(['the network itself was saved, of the class nets.Net']);
    }
  });

  it('are found under a wrapper, and in DataParallel', async () => {
    const out = start().emit('EMPTY_DICT', 'MARK').string('epoch').int(3).string('net');
    module(out, { children: { module: (within) => void module(within, { children: { conv: layer() } }) } });
    const { stateDict, wrapper, prefix, modules } = await readCheckpoint(
      await temporaryFile(await checkpointOf(out.emit('SETITEMS', 'STOP').bytes())),
    );
    expect([...stateDict.keys()]).to.deep.equal(['conv.weight', 'conv.running_mean']);
    expect([wrapper, prefix]).to.deep.equal(['net', 'module.']);
    expect([...modules!.keys()]).to.deep.equal(['', 'conv']);
  });

  it('leave out buffers that their state dict has not', async () => {
    const out = module(start(), {
      buffers: ['kept', 'passing'],
      attributes: (inner) =>
        inner
          .string('_non_persistent_buffers_set')
          .emit('EMPTY_SET', 'MARK')
          .string('passing')
          .emit('ADDITEMS'),
    });
    const file = await temporaryFile(await checkpointOf(out.emit('STOP').bytes()));
    expect([...(await readCheckpoint(file)).stateDict.keys()]).to.deep.equal(['kept']);
  });

  it('do not run what their attributes would', async () => {
    const hostile = (name: string) => (out: PickleAssembler) =>
      void out.string('hook').global('nets', name).string(`touch ${marker()}`).emit('TUPLE1', 'REDUCE');
    const out = module(start(), { parameters: ['weight'], attributes: hostile('run') });
    const read = await readCheckpoint(await temporaryFile(await checkpointOf(out.emit('STOP').bytes())));
    expect([...read.stateDict.keys()]).to.deep.equal(['weight']);
    const system = module(start(), {
      parameters: ['weight'],
      attributes: (inner) =>
        void inner.string('hook').global('os', 'system').string(`touch ${marker()}`).emit('TUPLE1', 'REDUCE'),
    });
    await expectRefused(
      await checkpointOf(system.emit('STOP').bytes()),
      /names os\.system, .* was not executed/,
    );
    expect(existsSync(marker())).to.equal(false);
  });

  it('are refused where they contain themselves, or what is no module', async () => {
    const itself = start()
      .global('nets', 'Net')
      .emit('EMPTY_TUPLE', 'NEWOBJ', 'MEMOIZE', 'EMPTY_DICT', 'MARK');
    for (const name of ['_parameters', '_buffers']) ordered(itself.string(name)).emit('SETITEMS');
    ordered(itself.string('_modules'))
      .string('a')
      .emit('BINGET', Uint8Array.of(0), 'SETITEMS', 'SETITEMS', 'BUILD', 'STOP');
    await expectRefused(await checkpointOf(itself.bytes()), /holds modules in modules without end/);
    const other = module(start(), { parameters: ['w'], children: { odd: (out) => void out.int(3) } });
    await expectRefused(
      await checkpointOf(other.emit('STOP').bytes()),
      /holds a module odd that is none of PyTorch's/,
    );
  });
});

describe('what lies beside weights', () => {
  /** A checkpoint with weights under `state_dict`, and something beside them. */
  const beside = (write: (out: PickleAssembler) => void) => {
    const out = start().emit('EMPTY_DICT', 'MARK').string('state_dict').emit('EMPTY_DICT', 'MARK');
    tensor(out.string('weight')).emit('SETITEMS');
    write(out.string('beside'));
    return checkpointOf(out.emit('SETITEMS', 'STOP').bytes());
  };
  const call = (out: PickleAssembler, module: string, name: string) =>
    out.global(module, name).emit('EMPTY_TUPLE', 'REDUCE');

  for (const [what, write] of Object.entries<(out: PickleAssembler) => void>({
    'objects of unknown classes, with state': (out) =>
      call(out, 'omegaconf.listconfig', 'ListConfig').emit('EMPTY_DICT', 'BUILD'),
    'kinds of lists': (out) =>
      call(out, 'mmengine.logging', 'HistoryBuffer').emit('MARK').int(1).int(2).emit('APPENDS'),
    'kinds of dicts': (out) => call(out, 'box', 'Box').string('a').int(1).emit('SETITEM'),
    'kinds of sets': (out) => call(out, 'sets', 'Ordered').emit('MARK').int(1).emit('ADDITEMS'),
    'keyword arguments of unknown classes': (out) =>
      out
        .global('nets', 'Options')
        .emit('EMPTY_TUPLE', 'EMPTY_DICT')
        .string('lr')
        .int(1)
        .emit('SETITEM', 'NEWOBJ_EX'),
    'methods of unknown names': (out) =>
      out
        .global('builtins', 'getattr')
        .emit('MARK')
        .global('nets', 'Color')
        .string('RED')
        .emit('TUPLE', 'REDUCE', 'EMPTY_TUPLE', 'REDUCE'),
    'objects of old protocols': (out) =>
      out
        .global('copy_reg', '_reconstructor')
        .emit('MARK')
        .global('nets', 'Old')
        .global('__builtin__', 'object')
        .emit('NONE', 'TUPLE', 'REDUCE'),
  }))
    it(`does no harm: ${what}`, async () => {
      const { stateDict } = await readCheckpoint(await temporaryFile(await beside((out) => void write(out))));
      expect([...stateDict.keys()]).to.deep.equal(['weight']);
    });

  it('is missed where a weight depends on it', async () => {
    const out = start().emit('EMPTY_DICT', 'MARK');
    tensor(out.string('a'));
    call(out.string('b'), 'special', 'Tensor');
    const { stateDict, notes } = await readCheckpoint(
      await temporaryFile(await checkpointOf(out.emit('SETITEMS', 'STOP').bytes())),
    );
    expect([...stateDict.keys()]).to.deep.equal(['a']);
    expect(notes).to.deep.equal(['left out b: an object of special.Tensor']);
    const rebuilt = start().global('torch._tensor', '_rebuild_from_type_v2').emit('MARK');
    rebuilt
      .global('special', 'rebuild')
      .global('special', 'Tensor')
      .emit('EMPTY_TUPLE', 'NONE', 'TUPLE', 'REDUCE', 'STOP');
    await expectRefused(await checkpointOf(rebuilt.bytes()), /makes a tensor of a class of its own/);
  });
});
