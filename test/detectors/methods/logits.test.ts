import { expect } from 'chai';
import fc from 'fast-check';
import { fitMethods } from '../../../src/detectors/methods/fit-methods.ts';
import { chooseMethods } from '../../../src/detectors/methods/method-registry.ts';
import { methodsModel } from '../../../src/detectors/methods/methods-model.ts';
import { Training } from '../../../src/detectors/methods/training.ts';
import { encodeModel } from '../../../src/graph/write.ts';
import * as ort from '../../../src/runtime/onnxruntime.ts';

const CLASSES = 4;

/** What MSP, maximum logit and energy are of logits, computed in float32. */
describe('methods of the logits alone', () => {
  let session: ort.InferenceSession;

  before(async () => {
    const nothing = () => new Float32Array();
    const training = new Training({ count: 0, classes: CLASSES, logits: nothing, headInput: nothing });
    const { fitted } = await fitMethods(chooseMethods(['msp', 'max-logit', 'energy']), training);
    session = await ort.openSession(encodeModel(methodsModel(fitted, { logits: ['logits', CLASSES] })));
  });
  after(() => session.release());

  async function scores(...rows: number[][]) {
    const logits = ort.tensor('float32', Float32Array.from(rows.flat()), [rows.length, CLASSES]);
    const outputs = await session.run({ logits });
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { data }]) => [name, [...(data as Float32Array)]]),
    );
  }

  it('have known values', async () => {
    const found = await scores([0, 0, 0, 0], [0, Math.log(3), -100, 0]);
    expect(found.msp[0]).to.be.closeTo(0.75, 1e-6);
    expect(found.msp[1]).to.be.closeTo(2 / 5, 1e-6);
    expect(found['max-logit'][0]).to.equal(-0);
    expect(found['max-logit'][1]).to.be.closeTo(-Math.log(3), 1e-6);
    expect(found.energy[0]).to.be.closeTo(-Math.log(4), 1e-6);
    expect(found.energy[1]).to.be.closeTo(-Math.log(5), 1e-6);
  });

  it('find the largest logit wherever it is', async () => {
    const rows = Array.from({ length: CLASSES }, (_, place) =>
      Array.from({ length: CLASSES }, (__, k) => (k === place ? 2 : -1)),
    );
    const { msp, 'max-logit': maxLogit } = await scores(...rows);
    expect(maxLogit).to.deep.equal([-2, -2, -2, -2]);
    for (const score of msp) expect(score).to.be.closeTo(1 - 1 / (1 + 3 * Math.exp(-3)), 1e-6);
  });

  it('do not overflow, and tell sure images apart', async () => {
    const found = await scores(
      [1e30, -1e30, -1e30, -1e30],
      [9e4, 9e4, -9e4, -9e4],
      [30, 0, 0, 0],
      [40, 0, 0, 0],
    );
    expect(found.energy[0]).to.equal(-Math.fround(1e30));
    expect(found.energy[1]).to.be.closeTo(-9e4 - Math.log(2), 0.02);
    expect(found.msp[0]).to.equal(0);
    expect(found.msp[1]).to.be.closeTo(0.5, 1e-6);
    expect(found.msp[2] / (3 * Math.exp(-30))).to.be.closeTo(1, 1e-5);
    expect(found.msp[3] / (3 * Math.exp(-40))).to.be.closeTo(1, 1e-5);
  });

  it('shift with the logits, but for MSP', async () => {
    const row = fc.array(fc.float({ min: -50, max: 50, noNaN: true }), {
      minLength: CLASSES,
      maxLength: CLASSES,
    });
    await fc.assert(
      fc.asyncProperty(row, async (z) => {
        const {
          msp,
          'max-logit': maxLogit,
          energy,
        } = await scores(
          z,
          z.map((value) => value + 8),
        );
        expect(msp[1]).to.be.closeTo(msp[0], 1e-4);
        expect(maxLogit[1]).to.be.closeTo(maxLogit[0] - 8, 1e-4);
        expect(energy[1]).to.be.closeTo(energy[0] - 8, 1e-4);
        expect(energy[0]).to.be.at.most(maxLogit[0] + 1e-4);
      }),
    );
  });
});
