import { expect } from 'chai';
import { type DemoSetName, demoSet, demoSetNames, demoSize } from '../../../data/demo/demo-set.ts';
import { DataError } from '../../../src/common/errors.ts';
import { sha256 } from '../../../src/common/files.ts';

describe('The built-in demo sets', () => {
  const pinned: Record<DemoSetName, string> = {
    train: '507a2cfec54848cf9aea589d7511e05647f9cee42fa10e62e2a0b4a24251151e',
    test: '52c786d4d75b4ef7efa117735e33e98e0df222f47b3c0dbf39dd5b549cd42816',
    noise: '70595f4297ec39eab401f6dd280a0c5983d6e47801cb21810c8a4daf966add7b',
    textures: 'eaf942e12739ce046c304781160c7a2c8e422166b2687a188f0eb3fe2ef0f2a6',
    faded: 'c312a6612d1ebdbd43e40fb52129735ffe5d386ce896aef6187a2454c19721d4',
    patterned: '93ccc34d2c14f9e44e48fcfd834c74087759d319e04800d59a76598ebf8abb06',
    blank: '3e9c3f288d421fe41bbbcebe38d75ca2053bbdcfbc6c1c476e0cce7d2eebb6e9',
    shapes: '2349055982c2b18d2a31488c4db0a55c25d9c10554b3b3dffda88995b90946d5',
  };

  for (const name of demoSetNames())
    it(`${name} is the same on every machine`, async () => {
      expect(sha256(await demoSet(name).read(0, 40, demoSize))).to.equal(pinned[name]);
    });

  it('can be read from anywhere, in parts of any size', async () => {
    const set = demoSet('shapes');
    const whole = await set.read(0, 12, demoSize);
    const part = await set.read(7, 3, demoSize);
    expect(part).to.deep.equal(whole.subarray(7 * 3072, 10 * 3072));
  });

  it('have ten balanced classes in the InD parts, and none elsewhere', () => {
    const test = demoSet('test');
    expect(test.classes).to.have.length(10);
    const counts = new Array(10).fill(0);
    for (let i = 0; i < test.length; i++) counts[test.label(i)!]++;
    expect(counts).to.deep.equal(new Array(10).fill(100));
    expect(demoSet('shapes').label(0)).to.equal(undefined);
    expect(demoSet('shapes').classes).to.equal(undefined);
  });

  it('keep the first images when more are asked for, and change with the seed', async () => {
    const first = (options: object) => demoSet('train', options).read(0, 5, demoSize);
    expect(await first({ count: 20_000 })).to.deep.equal(await first({}));
    expect(await first({ seed: 1 })).not.to.deep.equal(await first({}));
    expect(await demoSet('train', { seed: 1 }).fingerprint()).not.to.equal(
      await demoSet('train').fingerprint(),
    );
  });

  it('never share an image between train and test', async () => {
    const hashes = async (name: string) => {
      const pixels = await demoSet(name).read(0, 1000, demoSize);
      return Array.from({ length: 1000 }, (_, i) => sha256(pixels.subarray(3072 * i, 3072 * (i + 1))));
    };
    const train = new Set(await hashes('train'));
    expect(train.size).to.equal(1000);
    expect((await hashes('test')).filter((hash) => train.has(hash))).to.deep.equal([]);
  });

  it('suggest the nearest name', () => {
    expect(() => demoSet('texture')).to.throw(
      DataError,
      'demo:texture: there is no such demo set; did you mean demo:textures?',
    );
  });
});
