import { expect } from 'chai';
import { fineTuning, type Recipe, rateAt, recipeOf, schedules } from '../../src/training/recipe.ts';
import { seedOf, streams } from '../../src/training/seeds.ts';

describe('recipes of training', () => {
  /** The rate in each of the recipe's epochs. */
  const rates = (recipe: Recipe) =>
    Array.from({ length: recipe.epochs }, (_, epoch) => rateAt(recipe, epoch / recipe.epochs));
  /** Epochs, from 0, at which the rate is another than before. */
  const changes = (recipe: Recipe) =>
    rates(recipe).flatMap((rate, epoch, all) => (epoch > 0 && rate !== all[epoch - 1] ? [epoch] : []));

  it("are the original's", () => {
    const vgg = recipeOf('vgg16');
    expect([vgg.epochs, vgg.batch, vgg.rate, vgg.weightDecay]).deep.equals([300, 128, 0.05, 5e-4]);
    expect(changes(vgg)).deep.equals([30, 60, 90, 120, 150, 180, 210, 240, 270]);
    expect(rates(vgg)[31]).closeTo(0.025, 1e-12);
    const resnet = recipeOf('resnet34');
    expect([resnet.epochs, resnet.batch, resnet.rate, resnet.weightDecay]).deep.equals([200, 128, 0.1, 1e-4]);
    expect(changes(resnet)).deep.equals([100, 150]);
    expect(rates(resnet).at(-1)).closeTo(0.001, 1e-12);
    const densenet = recipeOf('densenet100');
    expect([densenet.epochs, densenet.batch, densenet.rate]).deep.equals([300, 64, 0.1]);
    expect(changes(densenet)).deep.equals([150, 225]);
    for (const { momentum, crop, flip } of [vgg, resnet, densenet])
      expect([momentum, crop, flip]).deep.equals([0.9, 4, true]);
  });

  it('keep their shape in a shorter training', () => {
    expect(changes({ ...recipeOf('resnet34'), epochs: 8 })).deep.equals([4, 6]);
  });

  it('rise and fall along a cosine', () => {
    const recipe = { ...fineTuning, rate: 1, schedule: schedules.cosine };
    expect(rateAt(recipe, 0)).equals(0);
    expect(rateAt(recipe, 0.05)).closeTo(0.5, 1e-12);
    expect(rateAt(recipe, 0.1)).equals(1);
    expect(rateAt(recipe, 0.55)).closeTo(0.5, 1e-12);
    expect(rateAt(recipe, 1)).closeTo(0, 1e-12);
  });

  it('draw from streams that do not meet', () => {
    const seeds = new Set<number>();
    for (const seed of [0, 1])
      for (const stream of Object.values(streams))
        for (let epoch = 0; epoch < 10; epoch++)
          for (let step = 0; step < 100; step++) seeds.add(seedOf(seed, stream, epoch, step));
    // Of 8,000 drawn among 2³², two are the same with a probability below 1 %.
    expect(seeds.size).equals(8000);
  });
});
