import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Configuration } from '../../models/families/evidence.ts';
import { readJson } from './json-file.ts';

const schema = z.object({
  architecture: z.string().optional(),
  pretrained_cfg: z.object({ input_size: z.array(z.int()).length(3).optional() }).optional(),
  global_pool: z.string().optional(),
  model_args: z.record(z.string(), z.unknown()).optional(),
  model_type: z.string().optional(),
  hidden_act: z.string().optional(),
  downsample_in_first_stage: z.boolean().optional(),
  downsample_in_bottleneck: z.boolean().optional(),
});

/**
 * What the `config.json` of timm or transformers beside a checkpoint says that its network depends on; undefined where
 * there is none, or it is another program's.
 *
 * @throws DataError where it is damaged
 */
export async function findConfiguration(checkpoint: string): Promise<Configuration | undefined> {
  const { data } = schema.safeParse(await readJson(join(dirname(checkpoint), 'config.json')));
  if (!data || (data.architecture === undefined && data.model_type === undefined)) return undefined;
  const [, height, width] = data.pretrained_cfg?.input_size ?? [];
  return {
    architecture: data.architecture,
    options: optionsOf(data),
    ...(height !== undefined && { inputSize: [height, width] as const }),
    modelType: data.model_type,
    activation: data.hidden_act,
    downsampleInFirstStage: data.downsample_in_first_stage,
    downsampleInBottleneck: data.downsample_in_bottleneck,
  };
}

/** Arguments of timm's networks that shapes show, or that count in training alone. */
const harmless = /^(num_classes|in_chans|img_size|pretrained\w*|drop_\w+|zero_init_last)$/;

/** What timm's network is made with otherwise than its name says: `act_layer silu`. */
function optionsOf({ global_pool: pool, model_args: given }: z.infer<typeof schema>): string[] {
  const named = { ...(pool !== undefined && { global_pool: pool }), ...given };
  return Object.entries(named)
    .filter(
      ([name, value]) =>
        !harmless.test(name) && !(name === 'global_pool' && /^(avg|fast)?$/.test(`${value}`)),
    )
    .map(([name, value]) => `${name} ${JSON.stringify(value)}`);
}
